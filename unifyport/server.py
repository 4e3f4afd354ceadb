"""The composition root: the only module that imports every room.

Opening order: lock, database, file. Running order: the supervision tree, bottom-up.

    unifyport (rest_for_one)
      storage          the writer
      normalizers      partitions by account
      services (one_for_one)
        deliveries     one actor per endpoint        accounts   one per account
        front          the HTTP servers              retention  purges what has been outlived
                                                     eraser     deletes files of deleted messages
                                                     fetching   files of incoming messages, where that is set
                                                     keys       compares the version of the API keys
                                                     clock      notes steps of the wall clock
                                                     garbage    collects when the process has grown
                                                     watchdog   logs what holds the event loop
"""

import contextlib
import logging
import math
import os
import random
import signal
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import trio

from actors.account.services import LoginPages, Services
from actors.accounts import Accounts
from actors.delivery import Deliveries
from actors.endpoint import DeliveryServices
from actors.normalizer import Normalizer, Normalizers
from actors.writer import Writer
from supervisors import (
    Admission,
    Backoff,
    ChildSpec,
    Failure,
    Incarnation,
    Kind,
    OneForOne,
    OnExhausted,
    Policy,
    RestForOne,
    classify,
    tree,
)
from unifyport.api.app import Front
from unifyport.api.http.cursors import Cursors
from unifyport.api.routes.metrics import FrontFigures
from unifyport.config.declared import plan
from unifyport.config.reload import Reloader, Running
from unifyport.config.settings import Settings
from unifyport.delivery.client import HttpDeliveryClient
from unifyport.files.media_links import MediaLinks
from unifyport.fleet.doorbells import EVENTS_TOPIC, KEYS_TOPIC, LocalBus
from unifyport.fleet.leases import DatabaseLock, LocalFleet
from unifyport.front.connections import Connections
from unifyport.front.tls import Certificate
from unifyport.gateway.assembly import Assembly
from unifyport.gateway.clock import ClockKeeper
from unifyport.gateway.endpoint_names import EndpointNames
from unifyport.gateway.events import EventUseCases
from unifyport.gateway.key_cache import KeyCache
from unifyport.gateway.retention import Retention
from unifyport.links.login import LoginLinks
from unifyport.links.qr import QrPictures
from unifyport.links.reply_tokens import ReplyTokens
from unifyport.listeners import AddressInUse, Listeners
from unifyport.model.account import Account, Origin
from unifyport.model.ids import EventIds
from unifyport.net.clients import ssl_context
from unifyport.net.guard import AddressGuard, Resolve, Resolver
from unifyport.net.sockets import Sockets
from unifyport.net.sweeper import Sweeper
from unifyport.process.clock import Clock
from unifyport.process.descriptors import limit, raise_limit, share_of_front
from unifyport.process.garbage import Garbage, tame
from unifyport.process.logs import set_level, set_up_logs
from unifyport.process.watchdog import Watchdog
from unifyport.providers.registry import Registry, standard
from unifyport.storage.contract import Committed, RecoverCommands, Refused, StoreUnavailable
from unifyport.storage.sqlite.store import SqliteStore
from unifyport.welcome import Counts, welcome

log = logging.getLogger("unifyport.server")

PARTITIONS = 4
STOP_LIMIT = 40.0
STOP_LIMIT_WITHOUT_STORAGE = 8.0
EX_TEMPFAIL = 75

# Parts of the gateway restart at once and often. A part that cannot be kept up ends the process.
_PART = Policy(
    backoff=Backoff(initial=0.05, max=5.0),
    max_restarts=10,
    window=60.0,
    on_exhausted=OnExhausted.ESCALATE,
    stop_grace=STOP_LIMIT,
    stop_timeout=2.0,
)


_PARTITION = attrs.evolve(_PART, backoff=Backoff(initial=0.05, max=0.5), max_restarts=100)


@attrs.define
class Parts:
    """The parts that a test may replace."""

    new_normalizer: Callable[..., Normalizer] = Normalizer  # arguments as of `Normalizer`
    clock: Clock = attrs.field(factory=Clock)
    new_resolver: Callable[[], Resolve] = Resolver


@attrs.define(kw_only=True)
class _Foundation:
    """What the other parts stand on: the ways out, doorbells, leases, and where this gateway is reached."""

    context: ssl.SSLContext
    guard: AddressGuard
    media_guard: AddressGuard
    proxy_guard: AddressGuard
    bus: LocalBus
    fleet: LocalFleet
    base_url: str
    sweeper: Sweeper = attrs.field(factory=Sweeper)
    sockets: Sockets = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.sockets = Sockets(self.context)

    def new_delivery_client(self) -> HttpDeliveryClient:
        return HttpDeliveryClient(self.guard, self.sockets, self.sweeper)


@attrs.define
class _Road:
    """The ordinary road: normalizers, then the writer, which tells `on_events` of each commit that wrote
    events, `on_erased` of messages that were deleted and `on_files` of files that came; and has `keys`
    dropped after each that may have changed an API key.
    """

    writer: Writer
    keys: KeyCache
    normalizers: Normalizers
    links: MediaLinks
    reply_tokens: ReplyTokens
    on_events: list[Callable[[int], None]]
    on_erased: list[Callable[[str, Sequence[bytes]], None]]
    on_files: list[Callable[[str, Sequence[str]], None]]


class Server:
    """One gateway on one database. `registry` is an argument so that a test can pass other connectors."""

    def __init__(
        self, settings: Settings, registry: Registry | None = None, parts: Parts | None = None
    ) -> None:
        self.settings = settings
        self.registry = registry if registry is not None else standard()
        self.bound: list[str] = []  # base URLs, once the front listens
        self._parts = parts if parts is not None else Parts()
        self._lock = DatabaseLock(settings.database)
        self._clock = self._parts.clock
        self._store = SqliteStore(
            settings.database,
            settings.key_ring,
            self._clock.now_ms,
            self._clock.steady_ms,
            page_cache=settings.storage.page_cache,
            has_passed=self._clock.has_passed,
        )
        self.registry.load_connectors()
        self._watchdog = Watchdog()
        self._writer: Writer | None = None
        self._up = False
        self._listeners = Listeners(settings.server, settings.directory, settings.socket)
        self.reloader: Reloader
        self._root: RestForOne
        self._counts: Counts
        self._names: EndpointNames

    async def run(self, task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until SIGINT or SIGTERM, reload on SIGHUP; `task_status` gets the base URLs.

        Raises `StoreLocked`, `AddressInUse`, `SchemaTooNew`, `SealError`, `StoreUnavailable` and `Problems`
        before anything runs.
        """
        with contextlib.ExitStack() as held:
            self._lock.acquire()
            held.callback(self._lock.release)
            held.enter_context(self._listeners.open())
            self._store.open()
            held.callback(self._store.close)
            signals = held.enter_context(
                trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
            )
            root = await self._build(task_status)
            await self._supervise(root, signals)

    async def _supervise(self, root: RestForOne, signals: Any) -> None:
        incarnation = Incarnation(1, float("inf"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._on_signal, signals, incarnation)
            nursery.start_soon(self.reloader.run)
            nursery.start_soon(self._names.watch)
            await root.run(incarnation)
            nursery.cancel_scope.cancel()

    async def _on_signal(self, signals: Any, incarnation: Incarnation) -> None:
        asked = False
        async for number in signals:
            if number == signal.SIGHUP:
                self.reloader.ring()
                continue
            if asked:
                os._exit(128 + number)
            asked = True
            log.info("stopping on %s", signal.Signals(number).name)
            incarnation.stop(STOP_LIMIT)
            trio.lowlevel.spawn_system_task(self._exit_in_time)

    async def _exit_in_time(self) -> None:
        """End the process if a stop hangs; a crash loses nothing. Without storage there is no use in waiting:
        what it waits for is a write.
        """
        end, since = trio.current_time() + STOP_LIMIT, math.inf
        while (now := trio.current_time()) < end and now - since < STOP_LIMIT_WITHOUT_STORAGE:
            since = min(since, now) if self._storage_trouble() else math.inf
            await trio.sleep(0.1)
        if (trouble := self._storage_trouble()) is not None:
            log.error("stopped without writing what was still to be recorded: %s", trouble)
        os._exit(EX_TEMPFAIL)

    # -- composition ----------------------------------------------------------------------------------------

    async def _build(self, task_status: trio.TaskStatus[list[str]]) -> RestForOne:
        """Every part, from the ground up, and the supervision tree of them."""
        self._clock.resume(await self._store.clock())
        base = self._foundation()
        await self._reconcile()
        road = await self._road(base)
        admissions = self._admissions()
        accounts = await self._accounts(base, road, admissions)
        self._counts = Counts(
            accounts=len(accounts),
            webhook_endpoints=len(await self._store.endpoints()),
            api_keys=len(await self._store.api_keys()),
        )
        deliveries = self._deliveries(base, road.writer)
        road.on_events.append(deliveries.events_committed)
        self._names = EndpointNames(deliveries, base.guard, lambda: self.settings)
        parts = self._assembly(base, road, accounts, deliveries)
        road.on_erased.append(parts.eraser.note)
        road.on_files.append(parts.fetching.note)
        self.reloader = Reloader(
            _running(parts, self._listeners.certificate),
            self._policies,
            lambda settings: self._adopt(parts, admissions, settings),
        )
        gateway = parts.build(self.reloader, lambda: tree(self._root))
        connections = Connections(
            lambda: share_of_front(limit(), sum(actor.spec.sockets for actor in accounts))
        )
        figures = FrontFigures(connections, self._listeners.certificate, self._watchdog)
        front = Front(gateway, Cursors(self.settings.key_ring), figures)

        async def serve_front(me: Incarnation) -> None:
            await self._front(gateway.events, front, connections, me, task_status=task_status)

        self._root = self._tree(parts, serve_front)
        return self._root

    def _foundation(self) -> "_Foundation":
        settings, resolver = self.settings, self._parts.new_resolver()
        return _Foundation(
            context=ssl_context(settings.ca_file),
            guard=AddressGuard(resolver, settings.security.webhook_networks, "webhook_allow"),
            media_guard=AddressGuard(resolver, settings.security.media_networks, "media_allow"),
            proxy_guard=AddressGuard(resolver, settings.security.proxy_networks, "proxy_allow"),
            bus=LocalBus(),
            fleet=LocalFleet(self._store, f"{os.getpid()}"),
            base_url=(settings.server.public_url or self._listeners.urls[0]).rstrip("/"),
        )

    async def _reconcile(self) -> None:
        """Make the store agree with the file, and settle sends that the last end of the process cut off."""
        settings, store = self.settings, self._store
        made = await plan(settings, self.registry, store, self._clock.moment())
        match await store.commit([made.write]):
            case [Refused() as refused]:
                raise made.refused(refused)
        for account in made.left_accounts:
            log.warning("account %r has left the file: stopped, its login is kept", account.name)
        match await store.commit([RecoverCommands()]):
            case [Committed(value=(unsent, unknown))] if unsent or unknown:
                log.warning("sends cut off by the last end: %d not sent, %d unknown", unsent, unknown)

    async def _road(self, base: "_Foundation") -> "_Road":
        """The writer and the normalizer partitions, and the links that events carry."""
        settings, store = self.settings, self._store
        on_events: list[Callable[[int], None]] = [lambda kinds: base.bus.ring(EVENTS_TOPIC)]

        def events_committed(kinds: int) -> None:
            for listener in on_events:
                listener(kinds)

        keys = KeyCache(store, base.bus)

        def keys_changed() -> None:
            keys.drop()
            base.bus.ring(KEYS_TOPIC)

        on_erased: list[Callable[[str, Sequence[bytes]], None]] = []

        def erased(account_id: str, messages: Sequence[bytes]) -> None:
            for listener in on_erased:
                listener(account_id, messages)

        on_files: list[Callable[[str, Sequence[str]], None]] = []

        def files_committed(account_id: str, links: Sequence[str]) -> None:
            for listener in on_files:
                listener(account_id, links)

        writer = Writer(store, events_committed, keys_changed, erased, on_files=files_committed)
        self._writer = writer
        event_id = EventIds(self._clock.now_ms, await store.newest_event_id())
        lane_key = await store.lane_key()
        links = MediaLinks(
            settings.key_ring, base.base_url, settings.media, registry=self.registry, clock=self._clock
        )
        reply_tokens = ReplyTokens(settings.key_ring, self.registry)
        partitions = [
            self._parts.new_normalizer(
                writer, event_id, lane_key, links.link, reply_tokens.token, self._clock
            )
            for _ in range(PARTITIONS)
        ]
        normalizers = Normalizers(partitions)
        return _Road(writer, keys, normalizers, links, reply_tokens, on_events, on_erased, on_files)

    def _admissions(self) -> dict[str, Admission]:
        supervision = self.settings.supervision
        return {channel: supervision.of(channel).admission() for channel in self.registry.channels}

    async def _accounts(
        self, base: "_Foundation", road: "_Road", admissions: dict[str, Admission]
    ) -> Accounts:
        settings = self.settings
        login_links = self._login_links(base)
        services = Services(
            store=self._store,
            registry=self.registry,
            fleet=base.fleet,
            normalizers=road.normalizers,
            endpoints=settings.providers,
            apps=settings.apps,
            ssl_context=base.context,
            clock=self._clock,
            ingress_url=self._public_ingress_url,
            proxy_guard=base.proxy_guard,
            qr_url=QrPictures(settings.key_ring, base.base_url, self._clock).url,
            login_pages=LoginPages(
                page_url=login_links.page_url,
                callback_url=login_links.callback_url,
                new_state=login_links.new_state,
            ),
            pace_of=settings.paces_of_accounts(),
        )
        max_children = settings.supervision.max_children
        accounts = Accounts(
            services,
            self.registry,
            policy_of=self._policies(settings),
            admissions=admissions,
            max_children=max_children,
        )
        await accounts.load(await self._store.accounts())
        if settings.server.public_url is None and any(actor.called_by_platform for actor in accounts):
            log.warning("accounts are called by their platforms, but server.public_url does not say where")
        return accounts

    def _deliveries(self, base: "_Foundation", writer: Writer) -> Deliveries:
        services = DeliveryServices(
            self._store,
            writer,
            base.bus,
            base.fleet,
            base.new_delivery_client,
            self._clock,
            draw=lambda: random.uniform(-1.0, 1.0),  # noqa: S311
            defaults=self.settings.webhooks.defaults,
            sweeper=base.sweeper,
        )
        return Deliveries(services)

    def _assembly(
        self, base: "_Foundation", road: "_Road", accounts: Accounts, deliveries: Deliveries
    ) -> Assembly:
        return Assembly(
            settings=lambda: self.settings,
            registry=self.registry,
            store=self._store,
            writer=road.writer,
            keys=road.keys,
            normalizers=road.normalizers,
            accounts=accounts,
            deliveries=deliveries,
            links=road.links,
            reply_tokens=road.reply_tokens,
            pictures=QrPictures(self.settings.key_ring, base.base_url, self._clock),
            login_links=self._login_links(base),
            bus=base.bus,
            guard=base.guard,
            media_guard=base.media_guard,
            proxy_guard=base.proxy_guard,
            ssl_context=base.context,
            new_delivery_client=base.new_delivery_client,
            ingress_url=lambda account: _ingress_url(base.base_url, account),
            clock=self._clock,
            ready=self._not_ready,
        )

    def _adopt(self, parts: Assembly, admissions: dict[str, Admission], settings: Settings) -> None:
        """Put reloaded settings in force, as far as they can change while everything runs."""
        self.settings = settings
        security = settings.security
        parts.guard.allow, parts.media_guard.allow = security.webhook_networks, security.media_networks
        parts.proxy_guard.allow = security.proxy_networks
        set_level(settings.logging.level)
        for channel, admission in admissions.items():
            policy = settings.supervision.of(channel)
            admission.reconfigure(policy.max_concurrent_starts, policy.start_rate)
        parts.deliveries.reconfigure(settings.webhooks.defaults)
        parts.accounts.reconfigure(
            self._policies(settings),
            endpoints=settings.providers,
            apps=settings.apps,
            pace_of=settings.paces_of_accounts(),
            max_children=settings.supervision.max_children,
        )

    def _tree(self, assembly: Assembly, serve_front: Callable[[Incarnation], Awaitable[None]]) -> RestForOne:
        accounts, deliveries, writer = assembly.accounts, assembly.deliveries, assembly.writer
        normalizing = OneForOne()
        for number, partition in enumerate(assembly.normalizers.partitions):
            normalizing.add(_part(f"normalizer-{number}", partition.run, policy=_PARTITION))
        retention = Retention(self.settings, writer, assembly.uploads, self._clock)
        parts = OneForOne(stop_in_order=True)  # front, then accounts and their sends, then deliveries
        parts.add(_part("watchdog", self._watchdog.run))
        parts.add(_part("garbage", Garbage().run))
        parts.add(_part("keys", assembly.keys.run))
        parts.add(_part("clock", ClockKeeper(self._clock, writer).run))
        parts.add(_part("retention", retention.run))
        parts.add(_part("eraser", assembly.eraser.run))
        parts.add(_part("fetching", assembly.fetching.run))
        parts.add(_part("deliveries", deliveries.run, supervisor=deliveries.supervisor))
        parts.add(_part("accounts", accounts.run, supervisor=accounts.supervisor))
        parts.add(_part("front", serve_front))
        return RestForOne(
            [
                _part("storage", writer.run),
                _part("normalizers", normalizing.run, supervisor=normalizing),
                _part("services", parts.run, supervisor=parts),
            ]
        )

    def _policies(self, settings: Settings) -> Callable[[Account], Policy]:
        """How an account is supervised: by its own declaration, its channel, the default."""
        supervision = settings.supervision
        own = {str(declared.name): declared.supervision for declared in settings.accounts}

        of_channels = {channel: supervision.of(channel).policy() for channel in self.registry.channels}

        def policy_of(account: Account) -> Policy:
            override = own.get(account.name) if account.origin is Origin.FILE else None
            if override is None:
                return of_channels[account.channel]
            return supervision.of(account.channel, override).policy()

        return policy_of

    def _storage_trouble(self) -> str | None:
        unwritten = None if self._writer is None else self._writer.unavailable
        return self._store.trouble or unwritten

    def _not_ready(self) -> str | None:
        if (trouble := self._storage_trouble()) is not None:
            return f"storage is unavailable: {trouble}"
        return None if self._up else "starting"

    def _public_ingress_url(self, account: Account) -> str | None:
        """Where an account's platform must call; None if `server.public_url` is not set."""
        base = self.settings.server.public_url
        return None if base is None else _ingress_url(base, account)

    def _login_links(self, base: "_Foundation") -> LoginLinks:
        return LoginLinks(self.settings.key_ring, base.base_url, self.settings.server.public_url)

    async def _front(
        self,
        events: EventUseCases,
        api: Front,
        connections: Connections,
        me: Incarnation,
        *,
        task_status: trio.TaskStatus[list[str]],
    ) -> None:
        first = not self.bound
        events.begin_streams()

        def listening() -> None:
            self.bound, self._up = self._listeners.urls, True
            me.started()
            if first:
                welcome(self.bound, self._listeners.docs_url, self.settings.database, self._counts)
                task_status.started(self.bound)
            else:
                log.info("listening on %s", ", ".join(self.bound))

        async def stopping() -> None:
            await me.stopping()
            events.end_streams()

        try:
            await self._listeners.serve(api, connections, stopping, listening)
        finally:
            self._up = False


def _running(parts: Assembly, certificate: Certificate | None) -> Running:
    """The parts that a reload changes."""
    return Running(
        settings=parts.settings,
        registry=parts.registry,
        store=parts.store,
        writes=parts.writes,
        accounts=parts.accounts,
        deletion=parts.deletion,
        endpoints=parts.bell,
        guard=parts.guard,
        certificate=certificate,
        changing=(parts.changing_accounts, parts.changing_keys),
        clock=parts.clock,
    )


def _ingress_url(base_url: str, account: Account) -> str:
    return f"{base_url.rstrip('/')}/ingress/{account.channel}/{account.id}"


def _part(name: str, run: Any, *, policy: Policy = _PART, supervisor: Any = None) -> ChildSpec:
    return ChildSpec(name, run, policy, classify=_classify, supervisor=supervisor)


def _classify(error: BaseException) -> Failure:
    """Storage that is away is no fault of a part: it is run again, however often."""
    if isinstance(error, StoreUnavailable):
        return Failure(Kind.DEFERRED, "storage_unavailable", error.reason, retry_after=1.0)
    return classify(error)


def run(settings: Settings, registry: Registry | None = None, parts: Parts | None = None) -> None:
    """Serve in this process until a signal; what the command line calls."""
    set_up_logs(settings.logging.level)
    raise_limit()
    tame()
    trio.run(Server(settings, registry, parts).run, restrict_keyboard_interrupt_to_checkpoints=True)


__all__ = ["AddressInUse", "Parts", "Server", "run"]
