"""What is removed from the session after a while, and messages that are given up."""

from collections import Counter
from collections.abc import Awaitable, Callable

import msgspec

from unifyport.model.inbound import ProviderEvent
from unifyport.protocols.binary_node import Jid
from unifyport.providers.records import scan_pages

from .memory import KEPT_SECONDS, MESSAGE, Remembered
from .outgoing import SENT, Kept
from .records import Draft, Records, scan_all
from .recovery import RETRY, WAIT_SECONDS, Asked
from .stanzas import Head

PERIOD_SECONDS = 60.0
DAY_SECONDS = 86_400
SENT_SECONDS = 3 * DAY_SECONDS
MOST_SENT_BYTES = 16 * 1024 * 1024  # of what was sent, for one account
SWEEP_EVERY = 60  # periods
MOST_AT_ONCE = 100  # events of one unit; the others follow in the next period


GivenUp = Callable[[Draft, Head, str], Awaitable[ProviderEvent]]


async def give_up_old(records: Records, draft: Draft, given_up: GivenUp, *, now: int) -> list[ProviderEvent]:
    """Events of messages whose senders never answered. `now`: seconds of the steady clock. To be called under
    the lock.
    """
    events: list[ProviderEvent] = []
    for key, value in await scan_all(records.session, RETRY):
        asked = msgspec.msgpack.decode(value, type=Asked)
        if now - WAIT_SECONDS < asked.at <= now:
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
    """Remove what was remembered of old messages, and what was sent days ago or is too much to be kept.
    `now`: unix seconds.
    """
    await _remove(records, MESSAGE, Remembered, before=now - KEPT_SECONDS)
    oldest = await _oldest_to_keep(records, now)
    await _remove(records, SENT, Kept, before=max(now - SENT_SECONDS, oldest))


async def _remove(records: Records, name: str, shape: type[Remembered] | type[Kept], *, before: int) -> None:
    """Remove the records that are older than `before`, in unix seconds."""
    async for page in scan_pages(records.session, name):
        old = [key for key, value in page if _read(value, shape).at < before]
        if old:
            async with records.lock:
                draft = Draft(records)
                for key in old:
                    draft.put(name, key, None)
                await records.commit(draft.changes)


async def _oldest_to_keep(records: Records, now: int) -> int:
    """The time, in unix seconds, from which on all that was sent fits into `MOST_SENT_BYTES`.

    It is found by the minute, so that no list of messages is held; the newest minute is always kept.
    """
    sizes: Counter[int] = Counter()
    async for page in scan_pages(records.session, SENT):
        for key, value in page:
            sizes[min(_read(value, Kept).at, now) // 60] += len(key) + len(value)
    oldest, total = min(sizes, default=0), 0
    for minute in sorted(sizes, reverse=True):
        total += sizes[minute]
        if total > MOST_SENT_BYTES and minute < max(sizes):
            return oldest * 60
        oldest = minute
    return 0


def _read(value: bytes, shape: type[Remembered] | type[Kept]) -> Remembered | Kept:
    found: Remembered | Kept = msgspec.msgpack.decode(value, type=shape)
    return found
