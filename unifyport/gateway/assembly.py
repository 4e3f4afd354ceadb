"""The use cases, put together: which collaborators each of them gets."""

import ssl
from collections.abc import Callable

import attrs
import trio

from actors.accounts import Accounts
from actors.delivery import Deliveries
from actors.normalizer import Normalizers
from actors.writer import Writer
from supervisors import Node
from unifyport.config.settings import Settings
from unifyport.delivery.client import NewClient
from unifyport.files.erasing import Eraser
from unifyport.files.incoming import MediaCache
from unifyport.files.media_links import MediaLinks
from unifyport.files.on_receive import FetchOnReceive
from unifyport.files.outgoing import OutgoingFiles
from unifyport.fleet.doorbells import Bus
from unifyport.links.login import LoginLinks
from unifyport.links.qr import QrPictures
from unifyport.links.reply_tokens import ReplyTokens
from unifyport.model.account import Account
from unifyport.net.guard import AddressGuard
from unifyport.process.clock import Clock
from unifyport.providers.registry import Registry
from unifyport.storage.contract import Store

from .account_fields import AccountChecks
from .accounts import AccountUseCases
from .api_keys import ApiKeyUseCases
from .callers import Callers
from .clock import ClockUseCases
from .configuration import ConfigurationUseCases, Reloads
from .conversations import ConversationUseCases
from .deletion import AccountDeletion
from .deliveries import DeliveryUseCases
from .endpoints import EndpointBell, EndpointUseCases
from .entry_turns import EntryTurns
from .events import EventUseCases
from .figures import Figures
from .files import LinkedFiles, UploadUseCases
from .gateway import Gateway
from .group_pictures import GroupPictureUseCases
from .ingress import Ingress
from .key_cache import KeyCache
from .login_pages import LoginPageUseCases
from .logins import LoginUseCases
from .lookup import AccountLookup
from .message_actions import MessageActionUseCases
from .platform import PlatformUseCases
from .quarantine import QuarantineUseCases
from .repeats import Repeats
from .runtime import RuntimeUseCases, SupervisionTree
from .sends import SendUseCases
from .session_export import SessionExport
from .session_files import SessionFiles
from .status import StatusUseCases
from .workspace import ProviderUseCases, WorkspaceUseCases
from .writes import TimedWriter


@attrs.define(kw_only=True)
class Assembly:
    """The parts of a gateway below its use cases, and what several use cases share.

    `settings` are those in force. `ready`: why the gateway is not ready, or None. The locks keep two
    concurrent changes from breaking a rule together: passing a quota, taking one identity twice, taking the
    last API key away.
    """

    settings: Callable[[], Settings]
    registry: Registry
    store: Store
    writer: Writer
    keys: KeyCache
    normalizers: Normalizers
    accounts: Accounts
    deliveries: Deliveries
    links: MediaLinks
    reply_tokens: ReplyTokens
    pictures: QrPictures
    login_links: LoginLinks
    bus: Bus
    guard: AddressGuard
    media_guard: AddressGuard
    proxy_guard: AddressGuard
    ssl_context: ssl.SSLContext
    new_delivery_client: NewClient
    ingress_url: Callable[[Account], str]
    clock: Clock
    ready: Callable[[], str | None]
    writes: TimedWriter = attrs.field(init=False)
    media: MediaCache = attrs.field(init=False)
    eraser: Eraser = attrs.field(init=False)
    fetching: FetchOnReceive = attrs.field(init=False)
    uploads: OutgoingFiles = attrs.field(init=False)
    deletion: AccountDeletion = attrs.field(init=False)
    bell: EndpointBell = attrs.field(init=False)
    lookup: AccountLookup = attrs.field(init=False)
    changing_accounts: trio.Lock = attrs.field(factory=trio.Lock, init=False)
    changing_keys: trio.Lock = attrs.field(factory=trio.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        settings = self.settings()
        directory = settings.media_directory
        self.writes = TimedWriter(self.writer)
        self.media = MediaCache(
            directory,
            settings.media,
            links=self.links,
            accounts=self.accounts,
            store=self.store,
            clock=self.clock,
        )
        self.eraser = Eraser(directory, self.store)
        self.fetching = FetchOnReceive(
            self.links,
            self.media,
            accounts=self.accounts,
            store=self.store,
            default=settings.media.fetch,
            now_ms=self.clock.now_ms,
        )
        self.uploads = OutgoingFiles(
            directory / "out",
            settings.media,
            guard=self.media_guard,
            context=self.ssl_context,
            clock=self.clock,
        )
        self.deletion = AccountDeletion(self.store, self.writes, self.accounts, self.media)
        self.bell = EndpointBell(self.bus)
        self.lookup = AccountLookup(self.store, self.registry, self.accounts, self.settings)

    def build(self, reloads: Reloads, read_tree: Callable[[], list[Node]]) -> Gateway:
        """The use cases. `read_tree` reads the supervision tree as it is when it is called."""
        store, lookup, clock, now_ms = self.store, self.lookup, self.clock, self.clock.now_ms
        accounts, endpoints = self._accounts(), self._endpoints()
        platform = PlatformUseCases(self.registry, self.accounts, lookup, clock)
        events = EventUseCases(store, lookup, self.bus, self.settings().server.max_streams)
        return Gateway(
            accounts=accounts,
            logins=self._logins(accounts),
            login_pages=LoginPageUseCases(self.accounts, self.login_links),
            runtime=RuntimeUseCases(self.accounts, lookup, now_ms),
            status=StatusUseCases(self.accounts, self.deliveries, self.ready, clock),
            supervision=SupervisionTree(read_tree, now_ms),
            platform=platform,
            group_pictures=GroupPictureUseCases(self.registry, platform, self.uploads),
            conversations=ConversationUseCases(store, self.normalizers, self.accounts, platform, clock),
            sends=self._sends(),
            message_actions=MessageActionUseCases(platform, self.writes, self.normalizers.find_alias),
            endpoints=endpoints,
            deliveries=self._deliveries(endpoints),
            events=events,
            api_keys=ApiKeyUseCases(store, self.writes, self.changing_keys, clock),
            callers=Callers(self.keys, self.writes, self.settings, clock),
            workspace=WorkspaceUseCases(store, self.writes, self.settings),
            providers=ProviderUseCases(self.registry, self.settings),
            quarantine=QuarantineUseCases(store, self.writes, self.accounts, lookup, now_ms),
            session_export=SessionExport(self.accounts, lookup),
            configuration=ConfigurationUseCases(reloads),
            linked_files=LinkedFiles(store, self.links, self.media, self.uploads, self.pictures),
            uploads=UploadUseCases(self.uploads, self.settings, clock),
            clock=ClockUseCases(clock),
            ingress=self._ingress(),
            figures=self._figures(events, reloads),
            ready=self.ready,
            log_requests=lambda: self.settings().logging.requests,
            strict=lambda: self.settings().api.strict,
        )

    def _accounts(self) -> AccountUseCases:
        return AccountUseCases(
            store=self.store,
            registry=self.registry,
            accounts=self.accounts,
            lookup=self.lookup,
            checks=AccountChecks(self.registry, self.settings, self.proxy_guard),
            writes=self.writes,
            deletion=self.deletion,
            changing=self.changing_accounts,
            settings=self.settings,
            now_ms=self.clock.now_ms,
            ingress_url=self.ingress_url,
        )

    def _logins(self, accounts: AccountUseCases) -> LoginUseCases:
        return LoginUseCases(
            registry=self.registry,
            accounts=self.accounts,
            lookup=self.lookup,
            changes=accounts,
            writes=self.writes,
            files=SessionFiles(self.media_guard, self.ssl_context),
            clock=self.clock,
        )

    def _sends(self) -> SendUseCases:
        return SendUseCases(
            store=self.store,
            registry=self.registry,
            accounts=self.accounts,
            lookup=self.lookup,
            repeats=Repeats(self.store, self.writes),
            reply_tokens=self.reply_tokens,
            files=self.uploads,
            link_of_upload=self.links.link_of_upload,
            settings=self.settings,
            clock=self.clock,
            find_alias=self.normalizers.find_alias,
        )

    def _endpoints(self) -> EndpointUseCases:
        return EndpointUseCases(
            store=self.store,
            writes=self.writes,
            deliveries=self.deliveries,
            guard=self.guard,
            settings=self.settings,
            clock=self.clock,
        )

    def _deliveries(self, endpoints: EndpointUseCases) -> DeliveryUseCases:
        return DeliveryUseCases(
            store=self.store,
            writes=self.writes,
            endpoints=endpoints,
            deliveries=self.deliveries,
            new_client=self.new_delivery_client,
            settings=self.settings,
            now_ms=self.clock.now_ms,
        )

    def _ingress(self) -> Ingress:
        return Ingress(
            self.accounts,
            self.registry,
            self.store,
            clock=self.clock,
            ready=self.ready,
            dedupe_ms=int(self.settings().storage.dedupe_retention * 1000),
            turns=EntryTurns(self.deliveries.behind),
        )

    def _figures(self, events: EventUseCases, reloads: Reloads) -> Figures:
        return Figures(
            registry=self.registry,
            store=self.store,
            writer=self.writer,
            normalizers=self.normalizers,
            accounts=self.accounts,
            deliveries=self.deliveries,
            events=events,
            reloads=reloads,
            fetching=self.fetching,
            settings=self.settings,
            ready=self.ready,
            clock=self.clock,
        )
