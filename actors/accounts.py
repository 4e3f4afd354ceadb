"""All accounts of this process, and the only way to one: verbs and commands as plain values.

The API, the configuration file and ingress reach an account by its id through this actor. Its body is the
supervisor of the account actors, the nursery of their outboxes, and the pump that carries status changes.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import attrs
import trio

from supervisors import Admission, ChildSpec, ChildState, Desired, Incarnation, OneForOne, Policy, Prober
from unifyport.fleet.leases import Lease
from unifyport.model.account import ACTIVE, Account, AuthStatus
from unifyport.model.auth import WAITING
from unifyport.model.message import Answer, CommandState, FetchMedia, PlatformCall, SendCommand
from unifyport.providers.contract.capabilities import CAPABILITIES
from unifyport.providers.contract.login import ExportedSession
from unifyport.providers.registry import Registry

from .account.actor import AccountActor, Services
from .account.login import Login, Step
from .account.outbox import Command, Outbox, Tallies
from .account.pump import StatusPump
from .account.status import Change, auth_changed, login_failed

log = logging.getLogger("unifyport.accounts")

VERB_SECONDS = 5.0
DUPLICATE = "duplicate_provider_account"
INTERRUPTED = "login_interrupted"
LAST_WORDS_SECONDS = 3.0


class NoSuchAccount(Exception):
    """This process does not run an account of that id."""


class AlreadyAuthorized(Exception):
    """The account is logged in."""


class Accounts:
    """`policy_of` says how an account is supervised, `admissions` (by channel) how many start at a time."""

    def __init__(
        self,
        services: Services,
        registry: Registry,
        policy_of: Callable[[Account], Policy],
        admissions: Mapping[str, Admission],
        max_children: int | None = None,
    ) -> None:
        self._services = services
        self._registry = registry
        self._policy_of = policy_of
        self._admissions = admissions  # by channel
        self._probers = {channel: Prober() for channel in registry.channels}
        self.supervisor = OneForOne(max_children=max_children)
        self._actors: dict[str, AccountActor] = {}
        self._identities: dict[tuple[str, str], AccountActor] = {}  # (channel, identity): by credentials
        self._pump = StatusPump(services.normalizers)
        self._nursery: trio.Nursery | None = None

    async def run(self, incarnation: Incarnation) -> None:
        """Run all accounts until asked to stop; sends in flight then finish, as far as their policy's grace goes."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._pump.run)
                for admission in self._admissions.values():
                    nursery.start_soon(admission.run)
                for prober in self._probers.values():
                    nursery.start_soon(prober.run)
                for actor in self._actors.values():
                    actor.outbox.resume()
                    self._settle_login(actor)
                await self.supervisor.run(incarnation)
                with trio.move_on_after(LAST_WORDS_SECONDS):  # the writer may be what we are stopped for
                    await self._pump.flush()
                nursery.cancel_scope.cancel()
        finally:
            self._nursery = None

    def _spawn(self, outbox: Outbox) -> bool:
        """Run an outbox; False while the accounts do not run, which resume it when they do."""
        return self.beside(outbox.work)

    # -- adding and removing --------------------------------------------------------------------------------

    async def load(self, rows: Iterable[Account]) -> None:
        """Take over accounts that are in the store, claiming all their leases in one transaction."""
        known = [row for row in rows if self._registry.find_channel(row.provider) is not None]
        leases = await self.claim([row.id for row in known]) if known else []
        for row, lease in zip(known, leases, strict=True):
            self.add(row, lease)

    async def claim(self, account_ids: Sequence[str]) -> list[Lease]:
        """The leases of accounts that are about to be stored. Raises `StoreUnavailable`."""
        return await self._services.fleet.claim([f"account:{account_id}" for account_id in account_ids])

    def add(self, row: Account, lease: Lease) -> None:
        channel = self._registry.find_channel(row.provider)
        spec = channel.connection(row.auth_mode) if channel is not None else None
        if spec is None:
            log.error("account %s: no connection for %s/%s, left alone", row.id, row.provider, row.auth_mode)
            return
        if self.supervisor.full:
            log.error("account %s: left alone, there are supervision.max_children already", row.id)
            return
        actor = AccountActor(row, lease, spec, self._services, self._pump.mark, self._spawn)
        self._actors[row.id] = actor
        self._identify(actor)
        wait = None if row.not_before is None else (row.not_before - self._services.now_ms()) / 1000
        self.supervisor.add(
            ChildSpec(
                row.id,
                actor.run,
                self._policy_of(row),
                actor.classify,
                self._admissions.get(row.channel),
                probed=actor,
                prober=self._probers.get(row.channel) if spec.probed else None,
            ),
            desired=Desired.RUNNING if _shall_run(actor) else Desired.STOPPED,
            terminal=row.terminal,
            not_before=None if wait is None else trio.current_time() + wait,
            listener=actor.on_state,
        )

    def update(self, row: Account, *, reconnect: bool) -> None:
        """Take over a stored change. `reconnect`: credentials changed, so a new login is due and may succeed."""
        actor = self._actor(row.id)
        old = actor.row
        given_up = _begun_otherwise(old, row) and actor.login is not None and actor.login.abandon()
        self._forget_identity(actor)
        actor.replace(row)
        if given_up and actor.row.auth_status in WAITING:
            self._void_login(actor)
        row = actor.row
        channel = self._registry.find_channel(row.provider)
        actor.spec = (channel and channel.connection(row.auth_mode)) or actor.spec
        self._identify(actor)
        if reconnect:
            self.supervisor.reset(row.id)
            self.supervisor.restart(row.id)
        if not _shall_run(actor):
            self.supervisor.stop(row.id)
        elif self.supervisor.state(row.id).desired is Desired.STOPPED:
            self.supervisor.start(row.id)

    def supervised_otherwise(self, policy_of: Callable[[Account], Policy]) -> list[str]:
        """The accounts that would have another policy."""
        return [
            account_id
            for account_id, actor in self._actors.items()
            if policy_of(actor.row) != self.supervisor.policy(account_id)
        ]

    def reconfigure(
        self, policy_of: Callable[[Account], Policy], endpoints: Mapping[str, Any], max_children: int | None
    ) -> None:
        """Put other policies in force without touching what runs.

        `endpoints` (by channel) are for the connections that are made from now on.
        """
        self._policy_of = policy_of
        self._services.endpoints = endpoints
        self.supervisor.max_children = max_children
        for account_id in self.supervised_otherwise(policy_of):
            self.supervisor.reconfigure(account_id, policy_of(self._actors[account_id].row))

    async def take_down(self, account_id: str) -> None:
        """Stop an account that is to be deleted; returns when it has stopped or its deadline has passed.

        It takes no more work. Then either `forget` or `bring_back` follows.
        """
        actor = self._actors.get(account_id)
        if actor is None:
            return
        actor.leaving = True
        async with actor.login_turn:
            await _end_login(actor)
        policy = self._policy_of(actor.row)
        verb = self.supervisor.stop(account_id)
        await self.supervisor.settled(account_id, verb, policy.stop_grace + policy.stop_timeout)
        await actor.durable(VERB_SECONDS)

    def beside(self, task: Callable[..., Awaitable[None]], *arguments: Any) -> bool:
        """Run what takes its time with an account beside them all; False while they do not run."""
        if not self.accepting:
            return False
        assert self._nursery is not None
        self._nursery.start_soon(task, *arguments)
        return True

    def bring_back(self, account_id: str) -> None:
        """It was not deleted after all."""
        actor = self._actors.get(account_id)
        if actor is not None:
            actor.leaving = False
            self._settle_login(actor)
            if _shall_run(actor):
                self.supervisor.start(account_id)

    def forget(self, account_id: str) -> None:
        """It is deleted."""
        actor = self._actors.pop(account_id, None)
        if actor is None:
            return
        self._forget_identity(actor)
        self._retry_duplicates(actor)
        self._pump.forget(account_id)
        self.supervisor.remove(account_id)
        self._services.fleet.release(actor.lease.resource)

    # -- identities: who an account is by its credentials, whether it has logged in or not ----------------------

    def identified(self, channel: str, identity: str) -> AccountActor | None:
        """The account of a provider identity."""
        return self._identities.get((channel, identity))

    def _identify(self, actor: AccountActor) -> None:
        if actor.identity is not None:
            self._identities.setdefault((actor.row.channel, actor.identity), actor)

    def _forget_identity(self, actor: AccountActor) -> None:
        place = (actor.row.channel, actor.identity or "")
        if self._identities.get(place) is actor:
            del self._identities[place]
            for other in self._actors.values():  # one that had the same identity, and waited for it
                if other is not actor and (other.row.channel, other.identity) == place:
                    self._identify(other)

    def _retry_duplicates(self, gone: AccountActor) -> None:
        """Who could not log in because another account was the same may try again now."""
        for other in self._actors.values():
            if (other.row.channel, other.identity) != (gone.row.channel, gone.identity):
                continue
            if other.row.terminal == DUPLICATE:
                self._forgive(other)
                self.supervisor.reset(other.row.id)

    def _forgive(self, actor: AccountActor) -> None:
        actor.row = attrs.evolve(actor.row, terminal=None)
        actor.publish(Change([], {"terminal": None}))

    # -- commands -----------------------------------------------------------------------------------------------

    async def call(self, account_id: str, command: Command | FetchMedia) -> Answer:
        """Have a command done, and wait for the outcome at most until its deadline.

        Cancelled: only the waiting ends, the command goes on; but a look-up, or a file that is fetched, ends too.
        Raises `NoSuchAccount`.
        """
        actor = self._actor(account_id)
        if not actor.may_come_up:
            answer = Answer(CommandState.NOT_SENT, code="account_not_running")
            if isinstance(command, SendCommand):
                await actor.outbox.record(command, answer)
            return answer
        if isinstance(command, FetchMedia) or (
            isinstance(command, PlatformCall) and CAPABILITIES[command.capability].reads
        ):
            return await actor.outbox.beside(command)
        answer = await actor.outbox.submit(command).wait()
        if answer.code == "outbox_full":
            await actor.outbox.record(command, answer)
        return answer

    async def not_sent(self, command: SendCommand, answer: Answer) -> None:
        """Record of an accepted send that it will never begin."""
        actor = self._actors.get(command.account_id)
        if actor is not None:
            await actor.outbox.record(command, answer)

    # -- verbs: act at once; True when it was acted on and is remembered --------------------------------------

    async def start(self, account_id: str) -> bool:
        """Raises `NoSuchAccount`, as all verbs do."""
        self._desire(account_id, "running")
        return await self._done(account_id, self.supervisor.start(account_id))

    async def stop(self, account_id: str) -> bool:
        self._desire(account_id, "stopped")
        return await self._done(account_id, self.supervisor.stop(account_id))

    async def reconnect(self, account_id: str) -> bool:
        self._desire(account_id, "running")
        return await self._done(account_id, self.supervisor.restart(account_id))

    async def reset(self, account_id: str) -> bool:
        """Forget its failures: the budget is whole again, and what waited for a back-off is tried now."""
        actor = self._actor(account_id)
        if actor.row.terminal is not None:
            self._forgive(actor)
        return await self._done(account_id, self.supervisor.reset(account_id))

    # -- logins with a human ------------------------------------------------------------------------------------

    async def begin_login(self, account_id: str, exported: ExportedSession | None = None) -> Login:
        """Begin a login, in place of one that is under way.

        Raises `AlreadyAuthorized`, and `NoSuchAccount` also when the accounts do not run.
        """
        actor = self._actor(account_id)
        async with actor.login_turn:
            await _end_login(actor)
            await actor.durable(VERB_SECONDS)
            if actor.row.auth_status is AuthStatus.AUTHORIZED:
                raise AlreadyAuthorized(account_id)
            if not self.accepting or actor.leaving or actor.row.status != ACTIVE:
                raise NoSuchAccount(account_id)
            actor.login = login = Login(actor, exported)
            self.beside(self._log_in, actor, login)
        return login

    async def _log_in(self, actor: AccountActor, login: Login) -> None:
        await login.run()
        if actor.login is login and actor.row.auth_status is AuthStatus.AUTHORIZED and _shall_run(actor):
            self.supervisor.reset(actor.row.id)
            self.supervisor.start(actor.row.id)

    def _settle_login(self, actor: AccountActor) -> None:
        """Where nobody waits for a human any more, what was shown to him is void."""
        if actor.row.auth_status not in WAITING or (actor.login is not None and not actor.login.ended):
            return
        self._void_login(actor)

    def _void_login(self, actor: AccountActor) -> None:
        void: dict[str, Any] = {
            "auth_status": AuthStatus.FAILED,
            "auth_payload": {},
            "auth_expires_at": None,
            "last_error": INTERRUPTED,
        }
        actor.row = attrs.evolve(actor.row, **void)
        actor.publish(Change(login_failed(actor.row, INTERRUPTED, self._services.now_ms()), void))

    async def log_in_again(self, account_id: str) -> bool:
        """Present the credentials once more, whatever the last try came to."""
        actor = self._actor(account_id)
        fresh: dict[str, Any] = {
            "auth_status": AuthStatus.PENDING_AUTH,
            "terminal": None,
            "last_error": None,
            "desired": "running",
        }
        actor.row = attrs.evolve(actor.row, **fresh)
        actor.publish(Change([], dict(fresh)))
        self.supervisor.reset(account_id)
        return await self._done(account_id, self.supervisor.start(account_id))

    async def log_out(self, account_id: str) -> bool:
        """Drop the login, or give up one that is under way, and stay down until somebody logs in again."""
        actor = self._actor(account_id)
        async with actor.login_turn:
            await _end_login(actor)
            if actor.interactive:
                return await self._drop_session(actor)
            farewell = await self.farewell(account_id)
            dropped: dict[str, Any] = {
                "auth_status": AuthStatus.PENDING_AUTH,
                "terminal": None,
                "last_error": None,
                "desired": "stopped",
            }
            actor.row = attrs.evolve(actor.row, **dropped)
            actor.publish(Change(auth_changed(actor.row, actor.view, self._services.now_ms()), dropped))
            done = await self._done(account_id, self.supervisor.stop(account_id))
            await farewell()
            return done

    async def _drop_session(self, actor: AccountActor) -> bool:
        """Nothing is left of the login; a new one starts the account by itself. Raises when that is not durable."""
        account_id = actor.row.id
        done = await self._done(account_id, self.supervisor.stop(account_id))
        farewell = await self.farewell(account_id)
        await farewell()
        dropped: dict[str, Any] = {
            "auth_status": AuthStatus.PENDING_AUTH,
            "auth_payload": {},
            "auth_expires_at": None,
            "terminal": None,
            "last_error": None,
            "provider_account_ref": None,
            "profile": {},
        }
        row = attrs.evolve(actor.row, **dropped)
        announcements = auth_changed(row, actor.view, self._services.now_ms())
        await actor.commit_login(Step(actor.row.login, dropped, announcements, session=[]))
        return done

    async def farewell(self, account_id: str) -> Callable[[], Awaitable[None]]:
        """What tells the platform that a login is let go of, made from what is stored of it now.

        It raises nothing, takes a few seconds at most, and is called when no connection of the account is up.
        """
        actor = self._actors.get(account_id)
        context = None if actor is None else await actor.departing()

        async def say_it() -> None:
            if actor is not None and context is not None:
                await actor.log_out(context)

        return say_it

    def _desire(self, account_id: str, desired: str) -> None:
        """The operator's word, which survives a restart of the process."""
        actor = self._actor(account_id)
        if actor.row.desired != desired:
            actor.row = attrs.evolve(actor.row, desired=desired)
            actor.publish(Change([], {"desired": desired}))

    async def _done(self, account_id: str, verb: int) -> bool:
        settled = await self.supervisor.settled(account_id, verb, VERB_SECONDS)
        return await self._actor(account_id).durable(VERB_SECONDS) and settled

    # -- looking --------------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether no account can be added."""
        return self.supervisor.full

    @property
    def accepting(self) -> bool:
        """Whether the accounts run, and go on doing so."""
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


def _begun_otherwise(old: Account, new: Account) -> bool:
    """Whether a login that began with the one would have begun otherwise with the other, or not at all."""
    before = (old.login, old.proxy, old.auth_mode, old.status)
    return before != (new.login, new.proxy, new.auth_mode, new.status)


def _shall_run(actor: AccountActor) -> bool:
    """Whether its supervisor is to run it; one whose login is void is shown as such, and is not run by that."""
    return actor.may_run or (actor.row.may_run and actor.row.terminal is not None)


async def _end_login(actor: AccountActor) -> None:
    if actor.login is not None:
        await actor.login.cancel()
