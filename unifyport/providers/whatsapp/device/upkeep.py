"""What is removed from the session after a while, and messages that are given up."""

from collections.abc import Awaitable, Callable

import msgspec

from unifyport.model.inbound import ProviderEvent
from unifyport.protocols.binary_node import Jid

from .memory import KEPT_SECONDS, MESSAGE, Remembered
from .outgoing import SENT, Kept
from .records import Draft, Records, scan_all
from .recovery import RETRY, WAIT_SECONDS, Asked
from .stanzas import Head

PERIOD_SECONDS = 60.0
DAY_SECONDS = 86_400
SENT_SECONDS = 3 * DAY_SECONDS
_PAGE = 500
SWEEP_EVERY = 60  # periods
MOST_AT_ONCE = 100  # events of one unit; the others follow in the next period


GivenUp = Callable[[Draft, Head, str], Awaitable[ProviderEvent]]


async def give_up_old(records: Records, draft: Draft, given_up: GivenUp, *, now: int) -> list[ProviderEvent]:
    """Events of messages whose senders never answered. `now`: unix seconds. To be called under the lock."""
    events: list[ProviderEvent] = []
    for key, value in await scan_all(records.session, RETRY):
        asked = msgspec.msgpack.decode(value, type=Asked)
        if asked.at + WAIT_SECONDS > now:
            continue
        head = Head(
            key[16:].decode("utf-8", "replace"),
            Jid.parse(asked.chat),
            Jid.parse(asked.sender),
            asked.from_me,
            asked.sent_at,
            asked.name,
        )
        draft.put(RETRY, key, None)
        events.append(await given_up(draft, head, asked.reason))
        if len(events) >= MOST_AT_ONCE:
            break
    return events


async def sweep(records: Records, *, now: int) -> None:
    """Remove what was remembered of old messages, and what was sent days ago. `now`: unix seconds."""
    for name, shape, life in ((MESSAGE, Remembered, KEPT_SECONDS), (SENT, Kept, SENT_SECONDS)):
        after: bytes | None = None
        while True:
            page = await records.session.scan(name, after=after, limit=_PAGE)
            old = [key for key, value in page if _read(value, shape).at + life < now]
            if old:
                async with records.lock:
                    draft = Draft(records)
                    for key in old:
                        draft.put(name, key, None)
                    await records.commit(draft.changes)
            if len(page) < _PAGE:
                break
            after = page[-1][0]


def _read(value: bytes, shape: type[Remembered] | type[Kept]) -> Remembered | Kept:
    found: Remembered | Kept = msgspec.msgpack.decode(value, type=shape)
    return found
