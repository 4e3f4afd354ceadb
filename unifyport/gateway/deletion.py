"""Deleting an account: it stops, its rows go, the platform is told, its files go."""

import contextlib
from collections.abc import Awaitable, Callable

import attrs
import trio

from actors.accounts import Accounts
from unifyport.files.incoming import MediaCache
from unifyport.storage.contract import DeleteAccount, Store, StoreUnavailable

from .writes import NotKnownYet, TimedWriter

SETTLE_SECONDS, SETTLE_POLL = 30.0, 0.2  # after which a deletion of unknown outcome has not happened


class BeingDeleted(Exception):
    """Another call deletes this account at the moment."""


@attrs.frozen
class AccountDeletion:
    """Deletes accounts; each by one call at a time."""

    _store: Store
    _writes: TimedWriter
    _accounts: Accounts
    _media: MediaCache
    _deleting: set[str] = attrs.field(factory=set, init=False)

    async def delete(self, account_id: str) -> None:
        """Stop the account, delete it, and log it out at its platform.

        If it cannot be deleted it runs on as before. If the outcome of the commit is not known in time, it
        stays stopped until the outcome is known, which a task beside the accounts waits for.

        Raises `BeingDeleted`, `WriteRefused`, `StoreUnavailable`. Cancelled: the account runs on,
        or is deleted, as the commit comes out.
        """
        if account_id in self._deleting:
            raise BeingDeleted
        self._deleting.add(account_id)
        settled = True
        try:
            farewell = await self._take_down(account_id)
            try:
                await self._writes.write(DeleteAccount(account_id))
            except (NotKnownYet, trio.Cancelled):  # the commit may be under way
                settled = not self._accounts.beside(self._settle, account_id, farewell)
                raise
            except BaseException:
                self._accounts.bring_back(account_id)
                raise
            self._accounts.forget(account_id)
        finally:
            if settled:
                self._deleting.discard(account_id)
        await farewell()
        await self._media.forget(account_id)

    async def _take_down(self, account_id: str) -> Callable[[], Awaitable[None]]:
        """Stop the account; what logs it out at its platform afterwards."""
        try:
            await self._accounts.take_down(account_id)
            return await self._accounts.farewell(account_id)
        except BaseException:
            self._accounts.bring_back(account_id)
            raise

    async def _settle(self, account_id: str, farewell: Callable[[], Awaitable[None]]) -> None:
        """Wait for the outcome of a commit that took too long, then finish the deletion or undo it.

        The commit has not happened if the account is still stored after `SETTLE_SECONDS` in which the store
        took writes.
        """
        try:
            quiet = 0.0  # seconds that the store has taken writes while the account is still stored
            while quiet < SETTLE_SECONDS:
                await trio.sleep(SETTLE_POLL)
                quiet = quiet + SETTLE_POLL if self._writes.unavailable is None else 0.0
                with contextlib.suppress(StoreUnavailable):
                    if await self._store.account(account_id) is None:
                        self._accounts.forget(account_id)
                        await farewell()
                        await self._media.forget(account_id)
                        return
            self._accounts.bring_back(account_id)
        finally:
            self._deleting.discard(account_id)
