"""Reading the configuration file again while everything runs.

A file with mistakes changes nothing. Otherwise what it declares is stored in one transaction, all or nothing,
and only then are the actors told: a child whose declaration is unchanged runs on, and one whose policy alone
has changed runs on under the new policy. Some options are read once, at the start: the report names them. The
certificate of the listeners is read again as well; one that cannot be used is a mistake as any other.
"""

import contextlib
import hashlib
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.accounts import Accounts
from supervisors import Policy, Wake
from unifyport.config.declared import Plan, Report, plan, vet
from unifyport.config.settings import Mistakes, Settings, Source, check, load_with_source
from unifyport.front.tls import Certificate, Pair
from unifyport.gateway.configuration import NoFile
from unifyport.gateway.deletion import AccountDeletion, BeingDeleted
from unifyport.gateway.endpoints import EndpointBell
from unifyport.gateway.writes import TimedWriter, WriteRefused
from unifyport.model.account import Account
from unifyport.model.structuring import Problems
from unifyport.net.guard import AddressGuard
from unifyport.process.clock import Clock
from unifyport.providers.registry import Registry
from unifyport.storage.contract import PutAccount, Refused, Store, StoreUnavailable

log = logging.getLogger("unifyport.reload")

TRIES = 5
_DELETED_AT_A_TIME = 50
AT_START_ONLY = ("server.", "storage.", "media.", "security.master_key", "security.ca_file")
# Not compared here: `declared` compares some, the others are no options.
_DECLARED = ("api_keys", "webhook_endpoints", "accounts", "directory", "path", "secrets")

_PACE = re.compile(r"^paces\.([^.]+)")  # fields of `Settings` that the file has in another place
_APP = re.compile(r"^apps\.")
PolicyOf = Callable[[Account], Policy]


@attrs.frozen(kw_only=True)
class Running:
    """The parts of a running gateway that a declaration changes.

    `settings` are those in force. `changing`: the locks of all changes that a declaration must not meet.
    """

    settings: Callable[[], Settings]
    registry: Registry
    store: Store
    writes: TimedWriter
    accounts: Accounts
    deletion: AccountDeletion
    endpoints: EndpointBell
    guard: AddressGuard
    certificate: Certificate | None  # of the listeners
    changing: tuple[trio.Lock, ...]
    clock: Clock


class Reloader:
    """`policies` reads settings, `adopt` puts them in force; neither passes a checkpoint."""

    def __init__(
        self,
        running: Running,
        policies: Callable[[Settings], PolicyOf],
        adopt: Callable[[Settings], None],
    ) -> None:
        self._running = running
        self._policies = policies
        self._adopt = adopt
        self._turn = trio.Lock()
        self._thread = trio.CapacityLimiter(1)
        self._bell = Wake()
        self._fingerprint = fingerprint(running.settings().path)
        self.succeeded = True  # the last one
        self.succeeded_at = running.clock.now_ms()

    @property
    def file_changed(self) -> bool:
        """Whether the file is no longer what was loaded."""
        return fingerprint(self._running.settings().path) != self._fingerprint

    def ring(self) -> None:
        """Reload soon, and log the outcome. Never blocks."""
        self._bell.ring()

    async def run(self) -> None:
        """Reload whenever `ring` was called, until cancelled."""
        while True:
            await self._bell.wait()
            try:
                await self.reload()
            except (Problems, NoFile, StoreUnavailable) as error:
                log.error("reload failed, nothing was changed: %s", error)
            except Exception:  # a bug here must not end the gateway
                log.exception("reload failed")

    async def reload(self, *, dry_run: bool = False, prune: bool = False) -> Report:
        """Bring the running state to what the file says; with `prune` delete what has left it.

        `dry_run` only compares. Raises `Problems` (and has changed nothing), `NoFile`, `StoreUnavailable`.
        """
        async with self._turn:
            if dry_run:
                return await self._reload(dry_run=True, prune=prune)
            self.succeeded = False
            report = await self._reload(dry_run=False, prune=prune)
            self.succeeded, self.succeeded_at = True, self._running.clock.now_ms()
        for line in report.lines:
            log.info("reload: %s", line)
        return report

    async def _reload(self, *, dry_run: bool, prune: bool) -> Report:
        running = self._running
        path = running.settings().path
        if path is None:
            raise NoFile
        read = fingerprint(path)
        pair = await self._read_certificate()  # first: its metric tells of the files in any case
        settings, options, source = await self._load(path)
        guard = AddressGuard(running.guard.resolve, settings.security.webhook_networks, running.guard.option)
        if refused := (await vet(settings, guard)).refused:
            raise Problems(source.show(refused))
        if running.certificate is not None and pair is None:
            raise Problems([f"server.tls: the files cannot be used: {running.certificate.problem}"])
        for _ in range(TRIES):
            async with contextlib.AsyncExitStack() as held:
                for lock in running.changing:
                    await held.enter_async_context(lock)
                report = await self._compare(settings, options, prune=prune)
                if dry_run:
                    return report
                if await self._apply(report.plan, settings, report, prune=prune):
                    self._fingerprint = read
                    if running.certificate is not None and pair is not None:
                        running.certificate.use(pair)
                    return report
        raise Problems(["what is declared keeps changing meanwhile, try again"])

    async def _load(self, path: Path) -> tuple[Settings, list[str], Source]:
        """What the file says, as far as it can change while the gateway runs, and the options that differ.

        The source shows mistakes that are found later.

        Raises `Problems`.
        """
        running, registry = self._running.settings(), self._running.registry
        loaded = await trio.to_thread.run_sync(load_with_source, path, registry, limiter=self._thread)
        settings = _reloadable(running, loaded.settings)
        mistakes = Mistakes(loaded.source.document)
        check(settings, registry, mistakes)
        if mistakes.found:
            shown = loaded.source.show(mistakes.found)
            raise Problems([f"{problem} (as long as the server is not restarted)" for problem in shown])
        return settings, list(_moved(running, loaded.settings)), loaded.source

    async def _read_certificate(self) -> Pair | None:
        """The pair of the listeners as its files are now. None: there is none, or it cannot be used, which
        is a problem of the certificate then.
        """
        if (certificate := self._running.certificate) is None:
            return None
        try:
            return await trio.to_thread.run_sync(certificate.read, limiter=self._thread)
        except (OSError, ValueError) as error:
            certificate.reject(error)
            return None

    async def _compare(self, settings: Settings, options: list[str], *, prune: bool) -> Report:
        running = self._running
        made = await plan(
            settings, running.registry, running.store, running.clock.moment(), running=self._runs, prune=prune
        )
        return Report(
            made,
            sorted(name for name in options if not name.startswith(AT_START_ONLY)),
            sorted(name for name in options if name.startswith(AT_START_ONLY)),
            len(running.accounts.supervised_otherwise(self._policies(settings))),
        )

    def _runs(self, stored: Account) -> bool:
        """Whether an account runs as it is stored; if not, an earlier reload was cut off between the two."""
        actor = self._running.accounts.actor(stored.id)
        return actor is not None and (actor.row.digest, actor.row.status) == (stored.digest, stored.status)

    async def _apply(self, made: Plan, settings: Settings, report: Report, *, prune: bool) -> bool:
        """Store the plan and put it in force; False if something was changed since it was made."""
        running, accounts = self._running, self._running.accounts
        self._refuse_too_many(made, settings.supervision.max_children, prune=prune)
        try:
            stored = await running.writes.write(made.write) if made.steps else []
        except WriteRefused as refused:
            if refused.reason == "conflict":
                return False
            raise made.refused(Refused(refused.reason, refused.place)) from None
        # No checkpoint from the commit until the actors have been told.
        self._adopt(settings)
        rows, new = [row for row in stored if isinstance(row, Account)], []
        for row in rows:
            actor = accounts.actor(row.id)
            if actor is None:
                new.append(row)
            else:
                accounts.update(row, reconnect=_connects_otherwise(actor.row, row))
        running.endpoints.ring()
        if prune:
            report.not_removed = await self._delete(made.left_accounts)
        if (
            new
        ):  # after the deletion of accounts with the same identities; if it fails the next reload adds them
            await self._add(new)
        return True

    def _refuse_too_many(self, made: Plan, max_children: int, *, prune: bool) -> None:
        accounts = self._running.accounts
        named = [write.account.id for _, write in made.steps if isinstance(write, PutAccount)]
        new = sum(accounts.actor(account_id) is None for account_id in named)
        if new and len(accounts) + new - (len(made.left_accounts) if prune else 0) > max_children:
            raise Problems(["accounts: with these there would be more than supervision.max_children"])

    async def _add(self, rows: list[Account]) -> None:
        running = self._running
        leases = await running.accounts.claim([row.id for row in rows])
        stored = {row.id: row for row in await running.store.accounts()}
        for row, lease in zip(rows, leases, strict=True):
            if row.id in stored:  # and was not deleted meanwhile
                running.accounts.add(stored[row.id], lease)

    async def _delete(self, left: list[Account]) -> list[str]:
        """Delete accounts side by side; the names of those that could not be deleted."""
        failed: list[str] = []
        turns = trio.CapacityLimiter(_DELETED_AT_A_TIME)

        async def delete(account: Account) -> None:
            try:
                async with turns:
                    await self._running.deletion.delete(account.id)
            except BeingDeleted:
                pass  # by another call
            except (StoreUnavailable, WriteRefused) as error:
                log.warning("account %r was not deleted: %s", account.name, error)
                failed.append(account.name)

        async with trio.open_nursery() as nursery:
            for account in left:
                nursery.start_soon(delete, account)
        return failed


def _connects_otherwise(old: Account, new: Account) -> bool:
    fields = ("login", "auth_mode", "receive", "take_over", "proxy")
    return any(getattr(old, name) != getattr(new, name) for name in fields)


def _reloadable(running: Settings, written: Settings) -> Settings:
    """`written`, with the options that are read at the start only as they are in `running`."""
    kept = running.security
    written.secrets.register(kept.master_key)
    return attrs.evolve(
        written,
        server=running.server,
        storage=running.storage,
        media=running.media,
        security=attrs.evolve(written.security, master_key=kept.master_key, ca_file=kept.ca_file),
    )


def _moved(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """The names of the options that differ."""
    if attrs.has(type(old)) and type(old) is type(new):
        old, new = (attrs.asdict(each, recurse=False) for each in (old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old.keys() | new.keys():
            if path or name not in _DECLARED:
                yield from _moved(old.get(name), new.get(name), f"{path}.{name}" if path else name)
    elif old != new:
        yield _APP.sub("providers.", _PACE.sub(r"providers.\1.pace", path))


def fingerprint(path: Path | None) -> bytes | None:
    """Of a file's content; None when it cannot be read."""
    if path is None:
        return None
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None
