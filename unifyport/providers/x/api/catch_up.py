"""What the stream or the webhook did not bring, from `GET /2/dm_events`.

X lists events newest first, for 30 days, up to 100 a page, answers 15 calls in 15 minutes, and bills each
event that it lists (https://docs.x.com/x-api/getting-started/pricing). So the first call asks for one event:
if it is at the *mark*, below which everything is committed, nothing is missing.

The mark moves when all above it was read: at each opening, and every hour, as messages of groups of the
older kind come no other way. Where the operator does not want to pay for that (`read_history_hourly`),
openings alone read, and the mark moves with the events of the stream as well, `SETTLE_SECONDS` after them, as
they come in no certain order. A kill leaves what is missing above the mark.

Encrypted messages are not listed there (`chat_receiving.py`).
"""

import math
from collections import deque
from collections.abc import Sequence

import attrs
import msgspec
import trio

from unifyport.model.inbound import ProviderEvent
from unifyport.model.json_text import UNREADABLE, decode_text
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.errors import RateLimited, Rejected, Transient
from unifyport.providers.contract.session import Session
from unifyport.providers.http import LONG, nothing_applied

from .calls import XApi, with_query
from .history import QUERY
from .parse import parse_page
from .shapes import Page

PATH = "/2/dm_events"
MARK = "mark"  # session record, by the id of the user
PAGE = 50  # events of every page after the first call
HOUR = 3600.0
SETTLE_SECONDS = 60.0
MAX_PAGES = 100
_LARGEST_PAGE = 1000  # ten times what X gives


_PAGE = msgspec.json.Decoder(Page)


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
    """The mark of one account; None: nothing was read yet. `hourly`: see above. Times are trio's.

    `due`: when the next `fetch` is to be. `settles`: when `settled` has a change.
    """

    def __init__(self, api: XApi, session: Session, me: str, *, hourly: bool) -> None:
        self._api = api
        self._session = session
        self._me = me
        self._hourly = hourly
        self.mark: int | None = None
        self.due = -math.inf
        self._complete = False  # since the stream was opened
        self._progress: _Progress | None = None
        self._recent: deque[tuple[float, int]] = deque()  # when an event of the stream came, and its id

    async def load(self) -> None:
        stored = await self._session.get(MARK, self._me.encode())
        self.mark = int(stored) if stored is not None and stored.isdigit() else None

    @property
    def complete(self) -> bool:
        """Whether all that happened before the opening is committed."""
        return self._complete

    def reopen(self) -> None:
        """Something may be missing from now on."""
        self._complete, self._progress, self.due = False, None, -math.inf
        self._recent.clear()

    def note(self, ids: Sequence[str]) -> None:
        """Events of the stream are committed."""
        if self._hourly or not self._complete:
            return
        now = trio.current_time()
        self._recent.extend((now, int(id_)) for id_ in ids if id_.isdigit())

    @property
    def settles(self) -> float:
        return self._recent[0][0] + SETTLE_SECONDS if self._recent else math.inf

    def settled(self) -> list[SessionChange]:
        """The change that moves the mark over events that came long enough ago."""
        newest, until = self.mark or 0, trio.current_time() - SETTLE_SECONDS
        while self._recent and self._recent[0][0] <= until:
            newest = max(newest, self._recent.popleft()[1])
        if newest <= (self.mark or 0):
            return []
        self.mark = newest
        return [mark_at(self._me, newest)]

    async def fetch(self) -> tuple[list[ProviderEvent], list[SessionChange]]:
        """What happened after the mark, oldest first, and the change that moves it. Then there is no gap.

        Raises a failure class; after `RateLimited` the next call goes on where this one stopped.
        """
        progress = self._progress or _Progress()
        self._progress = progress
        try:
            while not await self._read_page(progress):
                pass
        except RateLimited as limited:
            self.due = trio.current_time() + limited.retry_after
            raise
        self._complete, self._progress = True, None
        self.due = trio.current_time() + HOUR if self._hourly else math.inf
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
        page = await trio.to_thread.run_sync(read_page, body) if len(body) > LONG else read_page(body)
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
        return [mark_at(me, max(map(_number, read_page(body).data), default=0))]
    except (Transient, RateLimited, Rejected):
        return []


def mark_at(me: str, id_: int) -> SessionChange:
    return SessionChange(MARK, me.encode(), str(id_).encode())


def read_page(body: bytes) -> Page:
    """An answer of `GET /2/dm_events`. Raises `Transient`."""
    try:
        page = decode_text(body, _PAGE)
    except UNREADABLE:
        raise Transient("malformed_answer") from None
    if len(page.data) > _LARGEST_PAGE:
        raise Transient("malformed_answer")
    return page


def _number(raw: msgspec.Raw) -> int:
    """The id of an event; 0 if it cannot be read: such an event is taken wherever it is."""
    try:
        id_ = msgspec.json.decode(raw, type=_Id).id
    except UNREADABLE:
        return 0
    return int(id_) if id_.isascii() and id_.isdigit() and len(id_) <= 19 else 0
