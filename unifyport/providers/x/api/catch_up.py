"""The gap between what was committed and what the stream brings, filled from `GET /2/dm_events`.

X lists events newest first, for 30 days, up to 100 a page, answers 15 calls in 15 minutes, and bills each
event that it lists (https://docs.x.com/x-api/getting-started/pricing). So the first call asks for one event:
if it is the *mark*, the id of the newest committed one, there is no gap. The mark moves when the gap is
filled, and with each event of the stream after that; until then it stays where it was: a kill leaves the gap
open and not forgotten.

Encrypted messages are not listed there. A gap in them is filled by the stream's backfill alone.
"""

from collections.abc import Sequence

import attrs
import msgspec

from unifyport.model.inbound import ProviderEvent
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.errors import RateLimited, Rejected, Transient
from unifyport.providers.contract.session import Session
from unifyport.providers.http import nothing_applied

from .calls import XApi, with_query
from .history import QUERY
from .parse import parse_page
from .shapes import Page

PATH = "/2/dm_events"
MARK = "mark"  # session record, by the id of the user
PAGE = 50  # events of every page after the first call
MAX_PAGES = 100


class _Id(msgspec.Struct):
    id: str = ""


@attrs.define
class _Progress:
    """Pages that were read: events newest first, and where the next page begins."""

    events: list[ProviderEvent] = attrs.field(factory=list)
    newest: int = 0
    token: str | None = None
    used: set[str] = attrs.field(factory=set)
    pages: int = 0


class CatchUp:
    """The mark of one account. `mark` None: nothing was read yet, and there is no gap to fill."""

    def __init__(self, api: XApi, session: Session, me: str) -> None:
        self._api = api
        self._session = session
        self._me = me
        self.mark: int | None = None
        self.complete = False  # since the stream was opened
        self._progress: _Progress | None = None

    async def load(self) -> None:
        stored = await self._session.get(MARK, self._me.encode())
        self.mark = int(stored) if stored is not None and stored.isdigit() else None

    def reopen(self) -> None:
        """There may be a gap from now on."""
        self.complete, self._progress = False, None

    def change(self, ids: Sequence[str]) -> list[SessionChange]:
        """The change that moves the mark over events of the stream; none while a gap is open."""
        numbers = [int(id_) for id_ in ids if id_.isdigit()]
        if not self.complete or not numbers or max(numbers) <= (self.mark or 0):
            return []
        self.mark = max(numbers)
        return [mark_at(self._me, self.mark)]

    async def fetch(self) -> tuple[list[ProviderEvent], list[SessionChange]]:
        """What happened after the mark, oldest first, and the change that moves it. Then there is no gap.

        Raises a failure class; after `RateLimited` the next call goes on where this one stopped.
        """
        progress = self._progress or _Progress()
        self._progress = progress
        while not await self._read_page(progress):
            pass
        self.complete, self._progress = True, None
        if self.mark is not None and progress.newest <= self.mark:
            return progress.events[::-1], []
        self.mark = progress.newest
        return progress.events[::-1], [mark_at(self._me, progress.newest)]

    async def _read_page(self, progress: _Progress) -> bool:
        """Read the next page into `progress`. True: the mark was reached, or there is nothing before."""
        # The first call asks for one event; the pages begin there again.
        query: dict[str, str | int] = {**QUERY, "max_results": PAGE if progress.pages else 1}
        if progress.token is not None:
            query["pagination_token"] = progress.token
        with nothing_applied():
            body = await self._api.ask("GET", with_query(PATH, query), family="dm_events")
        page = _decoded(body)
        ids = [_number(raw) for raw in page.data]
        progress.newest = max([progress.newest, *ids])
        progress.pages += 1
        if self.mark is None:
            return True  # what was before the first connection is history
        mark = self.mark
        if progress.pages == 1:
            return progress.newest <= mark and 0 not in ids
        events = zip(parse_page(page, self._me), ids, strict=True)
        progress.events += [event for event, id_ in events if id_ > mark or not id_]
        token = page.meta.next_token
        if not token or any(0 < id_ <= mark for id_ in ids):
            return True
        if token in progress.used or progress.pages >= MAX_PAGES:
            raise Transient("endless_list")
        progress.used.add(token)
        progress.token = token
        return False


async def first_mark(api: XApi, me: str) -> list[SessionChange]:
    """The mark of a login, so that what was before is not new; none where X does not answer."""
    try:
        body = await api.ask("GET", with_query(PATH, {"max_results": 1}))
        return [mark_at(me, max(map(_number, _decoded(body).data), default=0))]
    except (Transient, RateLimited, Rejected):
        return []


def mark_at(me: str, id_: int) -> SessionChange:
    return SessionChange(MARK, me.encode(), str(id_).encode())


def _decoded(body: bytes) -> Page:
    try:
        return msgspec.json.decode(body, type=Page)
    except msgspec.DecodeError:
        raise Transient("malformed_answer") from None


def _number(raw: msgspec.Raw) -> int:
    """The id of an event; 0 if it cannot be read: such an event is taken wherever it is."""
    try:
        id_ = msgspec.json.decode(raw, type=_Id).id
    except msgspec.DecodeError:
        return 0
    return int(id_) if id_.isascii() and id_.isdigit() and len(id_) <= 19 else 0
