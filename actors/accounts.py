"""All accounts of this process, reached by id: the operator's verbs, commands and logins.

The use cases, the configuration file and ingress call this actor. It runs the supervisor of the account
actors, the nursery of their outboxes and logins, and the pump that carries status changes.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import trio

from supervisors import (
    Admission,
    ChildSpec,
    ChildState,
    Desired,
    Incarnation,
    OneForOne,
    Phase,
    Policy,
    Prober,
)
from unifyport.fleet.leases import Lease
from unifyport.model.account import ACTIVE, Account, AuthStatus
from unifyport.model.message import Answer, FetchMedia, MarkRead, PlatformCall, SendCommand
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.capabilities import CAPABILITIES
from unifyport.providers.contract.errors import MAX_RETRY_AFTER
from unifyport.providers.contract.login import ExportedSession
from unifyport.providers.registry import Registry

from .account.actor import AccountActor
from .account.execution import NOT_RUNNING, STOPPING
from .account.explanation import LOG_IN
from .account.lanes import Place, Prepare
from .account.login import Login
from .account.pump import StatusPump
from .account.services import PaceOf, Services, Tallies
from .account.state import DUPLICATE
from .identities import Identities

log = logging.getLogger("unifyport.accounts")

VERB_SECONDS = 5.0
VERDICT_SECONDS = 10.0  # of a platform, on credentials
LAST_WORDS_SECONDS = 3.0


class NoSuchAccount(Exception):
    """This process does not run an account of that id."""


class AlreadyAuthorized(Exception):
    """The account is logged in."""


class Accounts:
    """`policy_of`: how an account is supervised. `admissions`: by channel, how many may start at a time."""

    def __init__(
        self,
        services: Services,
        registry: Registry,
        *,
        policy_of: Callable[[Account], Policy],
        admissions: Mapping[str, Admission],
        max_children: int | None = None,
    ) -> None:
        self._services = services
        self._registry = registry
        self._policy_of = policy_of
        self._admissions = admissions
        self._probers = {channel: Prober() for channel in registry.channels}
        self.supervisor = OneForOne(max_children=max_children)
        self._actors: dict[str, AccountActor] = {}
        self._identities = Identities()
        self._pump = StatusPump(services.normalizers)
        self._nursery: trio.Nursery | None = None

    async def run(self, incarnation: Incarnation) -> None:
        """Run all accounts until asked to stop; sends in flight then finish within their policy's grace."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._pump.run)
                for admission in self._admissions.values():
                    nursery.start_soon(admission.run)
                for prober in self._probers.values():
                    nursery.start_soon(prober.run)
                for actor in self._actors.values():
                    actor.settle_login()
                await self.supervisor.run(incarnation)
                await self._pump.finish(LAST_WORDS_SECONDS)  # the writer may be gone already
                nursery.cancel_scope.cancel()
        finally:
            self._nursery = None

    # -- adding and removing --------------------------------------------------------------------------------

    async def load(self, rows: Iterable[Account]) -> None:
        """Take over the stored accounts `rows`, claiming all their leases in one transaction."""
        known = [row for row in rows if self._registry.find_channel(row.provider) is not None]
        leases = await self.claim([row.id for row in known]) if known else []
        for row, lease in zip(known, leases, strict=True):
            self.add(row, lease)

    async def claim(self, account_ids: Sequence[str]) -> list[Lease]:
        """Claim the leases of accounts, stored or about to be. Raises `StoreUnavailable`."""
        return await self._services.fleet.claim([f"account:{account_id}" for account_id in account_ids])

    def add(self, row: Account, lease: Lease) -> None:
        """Supervise a stored account. One without a connection, or above `max_children`, is logged and left
        out.
        """
        spec = self._spec_of(row)
        if spec is None:
            log.error("account %s: no connection for %s/%s, left alone", row.id, row.provider, row.auth_mode)
            return
        if self.supervisor.full:
            log.error("account %s: left alone, there are supervision.max_children already", row.id)
            return
        actor = AccountActor(row, lease, spec, self._services, announce=self._pump.mark, spawn=self.beside)
        self._actors[row.id] = actor
        self._identities.add(actor)
        wait = None
        if row.not_before is not None:  # the wall clock may be another one now
            left = (row.not_before - self._services.now_ms()) / 1000
            wait = min(left, MAX_RETRY_AFTER)
        self.supervisor.add(
            ChildSpec(
                row.id,
                actor.run,
                self._policy_of(row),
                actor.classify,
                self._admissions.get(row.channel),
                probed=actor.connection,
                prober=self._probers.get(row.channel) if spec.probed else None,
            ),
            desired=Desired.RUNNING if actor.shall_run else Desired.STOPPED,
            terminal=row.terminal,
            not_before=None if wait is None else trio.current_time() + wait,
            listener=actor.on_state,
        )

    def _spec_of(self, row: Account) -> ConnectionSpec | None:
        channel = self._registry.find_channel(row.provider)
        return channel.connection(row.auth_mode, row.credentials) if channel is not None else None

    def update(self, row: Account, *, reconnect: bool) -> None:
        """Take over a stored change. `reconnect`: credentials changed, so a new login is due and may succeed.

        A connection that is up ends, too, where `metadata` asks for other things than before.

        Raises `NoSuchAccount`.
        """
        actor = self._actor(row.id)
        changed = _login_would_differ(actor.row, row)
        wanted = actor.spec.wanted(actor.row.metadata)
        abandoned = changed and actor.login is not None and actor.login.abandon()
        if (actor.row.login, actor.row.auth_mode) != (row.login, row.auth_mode):
            actor.outbox.drop_waiting()  # messages of the old identity are not sent as the new one
        self._identities.remove(actor)
        actor.state.replace(row)
        if abandoned:
            actor.state.interrupt_login()
        actor.state.spec = self._spec_of(row) or actor.spec
        actor.outbox.adopt()
        self._identities.add(actor)
        if reconnect:
            self._connect_again(actor)
        else:
            connected = self.supervisor.state(row.id).phase in (Phase.STARTING, Phase.RUNNING)
            if connected and actor.state.spec.wanted(row.metadata) != wanted:
                self.supervisor.restart(row.id)  # the next connection tells what is wanted now
            self._follow(actor)

    def _connect_again(self, actor: AccountActor) -> None:
        self.supervisor.reset(actor.row.id)
        self.supervisor.restart(actor.row.id)
        self._follow(actor)

    def _follow(self, actor: AccountActor) -> None:
        """Have the supervisor run the account, or not, as the account says."""
        if not actor.shall_run:
            self.supervisor.stop(actor.row.id)
        elif self.supervisor.state(actor.row.id).desired is Desired.STOPPED:
            self.supervisor.start(actor.row.id)

    def supervised_otherwise(self, policy_of: Callable[[Account], Policy]) -> list[str]:
        """The ids of the accounts that `policy_of` would change the policy of."""
        return [
            account_id
            for account_id, actor in self._actors.items()
            if policy_of(actor.row) != self.supervisor.policy(account_id)
        ]

    def reconfigure(
        self,
        policy_of: Callable[[Account], Policy],
        *,
        endpoints: Mapping[str, Any],
        apps: Mapping[str, Mapping[str, str]],
        pace_of: PaceOf,
        max_children: int | None,
    ) -> None:
        """Put other policies in force without ending what runs. `endpoints` (by channel) are for new
        connections; accounts whose app has other credentials in `apps` connect again.
        """
        self._policy_of = policy_of
        self._services.endpoints, self._services.pace_of = endpoints, pace_of
        self.supervisor.max_children = max_children
        self._use_apps(apps)
        for actor in self._actors.values():
            actor.outbox.adopt()
        for account_id in self.supervised_otherwise(policy_of):
            self.supervisor.reconfigure(account_id, policy_of(self._actors[account_id].row))

    def _use_apps(self, apps: Mapping[str, Mapping[str, str]]) -> None:
        """Connect again the accounts that `apps` gives other credentials, or has given up giving them."""
        concerned = [
            actor
            for actor in self._actors.values()
            if actor.credentials != actor.state.credentials_with(apps)
        ]
        moved = [actor for actor in concerned if actor.identity != actor.state.identity_with(apps)]
        for actor in moved:
            self._identities.remove(actor)
        self._services.apps = apps
        for actor in moved:
            actor.outbox.drop_waiting()
            self._identities.add(actor)
        for actor in concerned:
            if actor.login is not None and actor.login.abandon():
                actor.state.interrupt_login()
            actor.state.forget_refusal()
            self._connect_again(actor)

    async def take_down(self, account_id: str) -> None:
        """Stop an account that is to be deleted; returns when it has stopped or its deadline has passed.

        It takes no more work. The caller calls `forget` or `bring_back` afterwards.
        """
        actor = self._actors.get(account_id)
        if actor is None:
            return
        actor.state.leaving = True
        async with actor.login_turn:
            await actor.end_login()
        policy = self._policy_of(actor.row)
        verb = self.supervisor.stop(account_id)
        await self.supervisor.settled(account_id, verb, policy.stop_grace + policy.stop_timeout)
        await actor.state.flushed_within(VERB_SECONDS)

    def beside(self, task: Callable[..., Awaitable[None]], *arguments: Any) -> bool:
        """Start `task` in the nursery of the accounts; False while they do not run."""
        if not self.accepting:
            return False
        assert self._nursery is not None
        self._nursery.start_soon(task, *arguments)
        return True

    def bring_back(self, account_id: str) -> None:
        """Undo `take_down`: the account was not deleted."""
        actor = self._actors.get(account_id)
        if actor is not None:
            actor.state.leaving = False
            actor.settle_login()
            if actor.shall_run:
                self.supervisor.start(account_id)

    def forget(self, account_id: str) -> None:
        """Drop a deleted account; one that had the same identity may log in now."""
        actor = self._actors.pop(account_id, None)
        if actor is None:
            return
        actor.secrets.forget()
        self._identities.remove(actor)
        for other in self._identities.same_as(actor):
            if other.row.terminal == DUPLICATE:
                other.state.clear_terminal()
                self.supervisor.reset(other.row.id)
        self._pump.forget(account_id)
        self.supervisor.remove(account_id)
        self._services.fleet.release(actor.state.lease.resource)

    def identified(self, channel: str, identity: str) -> AccountActor | None:
        """The account of a provider identity, by its credentials, else by what the platform reported."""
        return self._identities.holder(channel, identity)

    # -- commands -------------------------------------------------------------------------------------------

    def reserve(self, command: SendCommand) -> Place | Answer:
        """A place in the order of its conversation for a send that is not recorded yet; or why there is none.

        The caller passes the place to `carry_out` or to `release`. Raises `NoSuchAccount`.
        """
        actor = self._actor(command.account_id)
        return actor.outbox.reserve(command) if actor.may_come_up else _with_reason(NOT_RUNNING, actor)

    def reserve_all(self, command: SendCommand, place: Place) -> int | None:
        """See `Outbox.reserve_all`."""
        actor = self._actors.get(command.account_id)
        return None if actor is None else actor.outbox.reserve_all(place)

    async def release(self, command: SendCommand, place: Place) -> None:
        """The send is not to be done: it is not recorded, or it is a repeat."""
        actor = self._actors.get(command.account_id)
        if actor is not None:
            await actor.outbox.release(place)

    async def carry_out(
        self, place: Place, command: SendCommand, prepare: Prepare | None = None, *, begins: bool = False
    ) -> Answer:
        """Have a recorded send done; see `Outbox.carry_out`."""
        actor = self._actors.get(command.account_id)
        if actor is None:  # it was deleted since the place was reserved
            return NOT_RUNNING
        return _with_reason(await actor.outbox.carry_out(place, command, prepare, begins=begins), actor)

    async def record_dropped(self, command: SendCommand) -> None:
        """Record that a send will not begin, of which it is not known whether it is recorded at all."""
        actor = self._actors.get(command.account_id)
        if actor is not None:
            await actor.outbox.record_dropped(command)

    async def call(self, account_id: str, command: MarkRead | PlatformCall | FetchMedia) -> Answer:
        """Have a command done that is not recorded; the answer comes by its deadline.

        Cancelled: it goes on; a download or a look-up ends. Raises `NoSuchAccount`.
        """
        actor = self._actor(account_id)
        if not actor.may_come_up:
            return _with_reason(NOT_RUNNING, actor)
        if isinstance(command, FetchMedia):
            return await actor.outbox.lookups.run(command)
        if isinstance(command, PlatformCall) and CAPABILITIES[command.capability].reads:
            return await actor.outbox.lookups.run(command)
        place = actor.outbox.reserve(command)
        if isinstance(place, Answer):
            return place
        return _with_reason(await actor.outbox.carry_out(place, command), actor)

    # -- the operator's verbs: True when the verb took effect and is durable within `VERB_SECONDS` -----------

    async def start(self, account_id: str) -> bool:
        """Connect now, also if the platform told it to wait. Raises `NoSuchAccount`, as all verbs do."""
        state = self._actor(account_id).state
        state.set_desired("running")
        state.forget_wait()
        return await self._done(account_id, self.supervisor.start(account_id))

    async def stop(self, account_id: str) -> bool:
        self._actor(account_id).state.set_desired("stopped")
        return await self._done(account_id, self.supervisor.stop(account_id))

    async def reconnect(self, account_id: str) -> bool:
        self._actor(account_id).state.set_desired("running")
        return await self._done(account_id, self.supervisor.restart(account_id))

    async def reset(self, account_id: str) -> bool:
        """Forget its failures and the platform's waits: the budget is full again, and a back-off ends now."""
        actor = self._actor(account_id)
        actor.outbox.reopen()
        if actor.row.terminal is not None:
            actor.state.clear_terminal()
        actor.state.forget_wait()
        return await self._done(account_id, self.supervisor.reset(account_id))

    # -- logins ---------------------------------------------------------------------------------------------

    async def begin_login(self, account_id: str, exported: ExportedSession | None = None) -> Login:
        """Begin a login by a person or with an exported session; one that is under way ends first.

        Raises `AlreadyAuthorized`, and `NoSuchAccount` also when the accounts do not run.
        """
        actor = self._actor(account_id)
        async with actor.login_turn:
            await actor.end_login()
            await actor.state.flushed_within(VERB_SECONDS)
            if actor.row.auth_status is AuthStatus.AUTHORIZED:
                raise AlreadyAuthorized(account_id)
            if not self.accepting or actor.leaving or actor.row.status != ACTIVE:
                raise NoSuchAccount(account_id)
            login = actor.start_login(exported)
            self.beside(self._log_in, actor, login)
        return login

    async def _log_in(self, actor: AccountActor, login: Login) -> None:
        await login.run()
        if actor.login is login and actor.row.auth_status is AuthStatus.AUTHORIZED and actor.shall_run:
            self.supervisor.reset(actor.row.id)
            self.supervisor.start(actor.row.id)

    async def log_in_again(self, account_id: str) -> bool:
        """Present the credentials once more, whatever the last login came to; wait for what comes of it."""
        state = self._actor(account_id).state
        state.present_credentials_again()
        self.supervisor.reset(account_id)
        settled = await self.supervisor.settled(account_id, self.supervisor.start(account_id), VERB_SECONDS)
        await state.wait_for_verdict(VERDICT_SECONDS)
        return await state.flushed_within(VERB_SECONDS) and settled

    async def log_out(self, account_id: str) -> bool:
        """Drop the login, or give up one that is under way, and stay down until the account is logged in
        again.

        Raises, for an account that a person logs in, when the loss of its session is not durable.
        """
        actor = self._actor(account_id)
        async with actor.login_turn:
            await actor.end_login()
            if actor.interactive:
                done = await self._done(account_id, self.supervisor.stop(account_id))
                farewell = await self.farewell(account_id)
                await farewell()
                await actor.drop_session()  # a new login starts the account by itself
                return done
            farewell = await self.farewell(account_id)
            actor.state.drop_login()
            done = await self._done(account_id, self.supervisor.stop(account_id))
            await farewell()
            return done

    async def farewell(self, account_id: str) -> Callable[[], Awaitable[None]]:
        """Prepare logging out at the platform from what is stored now; the result does it.

        Call the result while no connection of the account is up. It raises nothing and takes some seconds at
        most. Raises `StoreUnavailable`.
        """
        actor = self._actors.get(account_id)
        context = None if actor is None else await actor.connectors.prepare_log_out()

        async def log_out_at_platform() -> None:
            if actor is not None and context is not None:
                await actor.connectors.log_out(context)

        return log_out_at_platform

    async def _done(self, account_id: str, verb: int) -> bool:
        settled = await self.supervisor.settled(account_id, verb, VERB_SECONDS)
        return await self._actor(account_id).state.flushed_within(VERB_SECONDS) and settled

    # -- reading --------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether no account can be added."""
        return self.supervisor.full

    @property
    def accepting(self) -> bool:
        """Whether the accounts run and are not stopping."""
        return self._nursery is not None and not self._nursery.cancel_scope.cancel_called

    @property
    def tallies(self) -> Tallies:
        return self._services.tallies

    def __iter__(self) -> Iterator[AccountActor]:
        return iter(self._actors.values())

    def actor(self, account_id: str) -> AccountActor | None:
        return self._actors.get(account_id)

    def state(self, account_id: str) -> ChildState:
        """Raises `NoSuchAccount`."""
        self._actor(account_id)
        return self.supervisor.state(account_id)

    def _actor(self, account_id: str) -> AccountActor:
        try:
            return self._actors[account_id]
        except KeyError:
            raise NoSuchAccount(account_id) from None

    def __len__(self) -> int:
        return len(self._actors)


def _login_would_differ(old: Account, new: Account) -> bool:
    """Whether a login that began with `old` would begin differently, or not at all, with `new`."""
    before = (old.login, old.proxy, old.auth_mode, old.status)
    return before != (new.login, new.proxy, new.auth_mode, new.status)


def _with_reason(answer: Answer, actor: AccountActor) -> Answer:
    """The answer to a command that was not begun, with the reason why its account has no login."""
    terminal = actor.row.terminal
    if answer.message or answer.code not in (NOT_RUNNING.code, STOPPING.code):
        return answer
    if terminal is not None:
        return attrs.evolve(answer, message=f"{answer.code}, the login is void ({terminal})")
    if actor.interactive and actor.row.auth_status is not AuthStatus.AUTHORIZED:
        return attrs.evolve(answer, message=f"{answer.code}, it is not logged in; {LOG_IN}")
    return answer
