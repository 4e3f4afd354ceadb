"""Use cases of the quarantine: items that could not be read, kept as they came and sealed.

Their contents are shown, and released, to the owner only: nothing has been taken out of them.
"""

import re
from collections.abc import Callable

import attrs
import msgspec

from actors.account.actor import AccountActor
from actors.accounts import Accounts
from unifyport.model.inbound import PlatformEvent, dedupe_key
from unifyport.model.json_depth import too_deep
from unifyport.model.json_text import UNREADABLE
from unifyport.model.provider_data import ProviderData
from unifyport.storage.contract import DropQuarantined, QuarantineEntry, QuarantineRow, Store

from .errors import OWNER_ONLY, OperationFailure, UseCaseError, not_found
from .lookup import AccountLookup
from .writes import TimedWriter

RELEASED = "quarantined"  # `data.event.name` of what is released
_ID = re.compile(r"qr_([0-9]{1,18})")
PAGE = 1000  # items purged in one write


@attrs.frozen
class QuarantinedItem:
    """`account_id` is empty if the account was deleted."""

    row: QuarantineRow
    account_id: str
    raw: bytes | None = None


@attrs.frozen
class QuarantineUseCases:
    """Every method raises `UseCaseError` and `StoreUnavailable`."""

    _store: Store
    _writes: TimedWriter
    _accounts: Accounts
    _lookup: AccountLookup
    _now_ms: Callable[[], int]

    async def list_items(
        self, before: int | None, limit: int, account_id: str | None
    ) -> list[QuarantinedItem]:
        """The newest first, at most `limit`, older than the item `before`; without their contents."""
        account_no = await self._number_of(account_id)
        rows = await self._store.quarantined(before, limit, account_no)
        ids = {account.no: account.id for account in await self._store.accounts()} if rows else {}
        return [QuarantinedItem(row, ids.get(row.account_no, "")) for row in rows]

    async def read_item(self, item_id: str, *, owner: bool) -> QuarantinedItem:
        """One item with its contents."""
        _require(owner)
        entry = await self._find(item_id)
        row = QuarantineRow(entry.n, entry.account_no, entry.at, entry.reason, len(entry.raw))
        actor = self._actor(entry.account_no)
        return QuarantinedItem(row, "" if actor is None else actor.row.id, entry.raw)

    async def release_item(self, item_id: str, *, owner: bool) -> None:
        """Deliver an item as it is, as `provider.event`, and delete it.

        Interrupted in between, the item stays and its event is not made twice. Cancelled: as interrupted.
        """
        _require(owner)
        entry = await self._find(item_id)
        actor = self._actor(entry.account_no)
        if actor is None:
            raise UseCaseError(OperationFailure.REFUSED, "its account is deleted; it can only be purged")
        event = PlatformEvent(
            dedupe_key("released", entry.n),
            RELEASED,
            self._now_ms(),
            details={"reason": entry.reason, "quarantined_item": id_of(entry.n)},
        )
        try:
            item = None if too_deep(entry.raw) else msgspec.json.decode(entry.raw)
            event.provider_data = ProviderData(item, entry.raw)
        except UNREADABLE:
            event.details["raw"] = entry.raw.decode("utf-8", "replace")
        if not await actor.ingest([event], len(entry.raw)):
            text = "the account takes nothing now: it is stopped, or the storage is unavailable"
            raise UseCaseError(OperationFailure.FAILED, text, retry_after=1)
        await self._writes.write(DropQuarantined([entry.n]))

    async def purge(self, item_id: str) -> None:
        await self._writes.write(DropQuarantined([(await self._find(item_id)).n]))

    async def purge_all(self, account_id: str | None) -> int:
        """Delete all items, or those of one account; how many there were."""
        account_no = await self._number_of(account_id)
        deleted = 0
        while True:
            rows = await self._store.quarantined(None, PAGE, account_no)
            if not rows:
                return deleted
            deleted += await self._writes.write(DropQuarantined([row.n for row in rows]))

    async def _find(self, item_id: str) -> QuarantineEntry:
        entry = await self._store.quarantine_entry(number_of(item_id))
        if entry is None:
            raise not_found("item in quarantine")
        return entry

    async def _number_of(self, account_id: str | None) -> int | None:
        return None if account_id is None else (await self._lookup.find_stored(account_id)).no

    def _actor(self, account_no: int) -> AccountActor | None:
        return next((actor for actor in self._accounts if actor.row.no == account_no), None)


def id_of(number: int) -> str:
    return f"qr_{number}"


def number_of(item_id: str) -> int:
    """0, which is none, for what is no id."""
    found = _ID.fullmatch(item_id)
    return 0 if found is None else int(found[1])


def _require(owner: bool) -> None:
    if not owner:
        text = "only the owner may: unifyport quarantine, on the server's machine, through its socket"
        raise UseCaseError(OWNER_ONLY, text)
