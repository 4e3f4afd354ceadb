"""Reading the configuration file again while everything runs.

A file with mistakes changes nothing. Otherwise what it declares is stored in one transaction, all or nothing, and only
then do the actors hear of it: a child whose declaration is the same does not notice, and one whose policy alone
is another goes on running under the new one. Some options are read once, at the start: those are named.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import trio

from actors.accounts import Accounts
from supervisors import Policy, Wake
from unifyport.api.gateway import Gateway, NoFile, WriteRefused
from unifyport.declared import Plan, Report, plan, vet
from unifyport.model.account import Account
from unifyport.model.structuring import Problems
from unifyport.net.guard import AddressGuard
from unifyport.settings import Settings, load
from unifyport.storage.base import PutAccount, Refused, StoreUnavailable
from unifyport.storage.fleet import Lease

log = logging.getLogger("unifyport.reload")

TRIES = 5
AT_START_ONLY = ("server.", "storage.", "media.", "security.master_key", "security.ca_file")
_DECLARED = ("api_keys", "webhook_endpoints", "accounts", "directory", "path")  # `declared` compares those

PolicyOf = Callable[[Account], Policy]


class Reloader:
    """`policies` reads settings, `adopt` puts them in force; neither passes a checkpoint."""

    def __init__(
        self,
        gateway: Gateway,
        policies: Callable[[Settings], PolicyOf],
        adopt: Callable[[Settings], None],
    ) -> None:
        self._gateway = gateway
        self._policies = policies
        self._adopt = adopt
        self._turn = trio.Lock()
        self._thread = trio.CapacityLimiter(1)
        self._bell = Wake()
        self._fingerprint = fingerprint(gateway.settings.path)
        self.succeeded = True  # the last one
        self.succeeded_at = gateway.now_ms()

    @property
    def file_changed(self) -> bool:
        """Whether the file is no longer what was loaded."""
        return fingerprint(self._gateway.settings.path) != self._fingerprint

    def ring(self) -> None:
        """Have it reloaded soon, and what comes of it logged. Never blocks."""
        self._bell.ring()

    async def run(self) -> None:
        """Reload whenever `ring` was called, until cancelled."""
        while True:
            await self._bell.wait()
            try:
                await self.reload()
            except (Problems, NoFile, StoreUnavailable) as error:
                log.error("reload failed, nothing was changed: %s", error)
            except Exception:  # a bug must not end the house that runs
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
            self.succeeded, self.succeeded_at = True, self._gateway.now_ms()
        for line in report.lines:
            log.info("reload: %s", line)
        return report

    async def _reload(self, *, dry_run: bool, prune: bool) -> Report:
        gateway = self._gateway
        path = gateway.settings.path
        if path is None:
            raise NoFile
        read = fingerprint(path)
        written = await trio.to_thread.run_sync(load, path, gateway.registry, limiter=self._thread)
        options = list(_moved(gateway.settings, written))
        settings = _reloadable(gateway.settings, written)
        await vet(settings, AddressGuard(gateway.guard.resolve, settings.security.webhook_networks))
        for _ in range(TRIES):
            async with gateway.changing_accounts, gateway.changing_keys:
                made = await plan(
                    settings, gateway.registry, gateway.store, gateway.now_ms(), self._runs, prune=prune
                )
                report = Report(
                    made,
                    sorted(name for name in options if not name.startswith(AT_START_ONLY)),
                    sorted(name for name in options if name.startswith(AT_START_ONLY)),
                    len(gateway.accounts.supervised_otherwise(self._policies(settings))),
                )
                if dry_run:
                    return report
                if await self._apply(made, settings):
                    self._fingerprint = read
                    break
        else:
            raise Problems(["what is declared keeps changing meanwhile, try again"])
        for account in made.left_accounts if prune else ():
            await gateway.delete_account(account.id)
        return report

    def _runs(self, stored: Account) -> bool:
        """Whether an account runs as it is stored: else an earlier reload was cut off between the two."""
        actor = self._gateway.accounts.actor(stored.id)
        return actor is not None and (actor.row.digest, actor.row.status) == (stored.digest, stored.status)

    async def _apply(self, made: Plan, settings: Settings) -> bool:
        """Store the plan and put it in force; False when something was changed since it was made."""
        gateway, accounts = self._gateway, self._gateway.accounts
        leases = await self._claim(made, accounts, settings.supervision.max_children)
        try:
            stored = await gateway.write(made.write) if made.steps else []
        except WriteRefused as refused:
            if refused.reason == "conflict":
                return False
            raise made.refused(Refused(refused.reason, refused.place)) from None
        # No checkpoint since it was stored.
        self._adopt(settings)
        for row in stored:
            if not isinstance(row, Account):
                continue
            actor = accounts.actor(row.id)
            if actor is None:
                accounts.add(row, leases[row.id])
            else:
                accounts.update(row, reconnect=_connects_otherwise(actor.row, row))
        gateway.endpoints_changed()
        return True

    async def _claim(self, made: Plan, accounts: Accounts, max_children: int) -> dict[str, Lease]:
        """The leases of accounts that do not run here yet. Raises `Problems` when they would be too many."""
        named = [write.account.id for _, write in made.steps if isinstance(write, PutAccount)]
        new = [account_id for account_id in named if accounts.actor(account_id) is None]
        if new and len(accounts) + len(new) > max_children:
            raise Problems(["accounts: with these there would be more than supervision.max_children"])
        return dict(zip(new, await accounts.claim(new), strict=True)) if new else {}


def _connects_otherwise(old: Account, new: Account) -> bool:
    return (old.login, old.auth_mode, old.receive, old.proxy) != (
        new.login,
        new.auth_mode,
        new.receive,
        new.proxy,
    )


def _reloadable(running: Settings, written: Settings) -> Settings:
    """`written`, with what is read at the start only as it runs."""
    kept = running.security
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
        yield path


def fingerprint(path: Path | None) -> bytes | None:
    """Of a file's content; None when it cannot be read."""
    if path is None:
        return None
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None
