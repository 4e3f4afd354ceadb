"""What a linked device removes from its session, and when it gives a message up."""

import time

import msgspec
import pytest

from actors.account.memory_session import MemorySession
from unifyport.model.inbound import Ignored, ProviderEvent
from unifyport.protocols.binary_node import Jid
from unifyport.providers.whatsapp.device import upkeep
from unifyport.providers.whatsapp.device.memory import KEPT_SECONDS, MESSAGE, Remembered, set_timer, timer_of
from unifyport.providers.whatsapp.device.outgoing import SENT, Kept
from unifyport.providers.whatsapp.device.records import Draft, Records
from unifyport.providers.whatsapp.device.recovery import RETRY, WAIT_SECONDS, Asked
from unifyport.providers.whatsapp.device.stanzas import Head

NOW = 1_790_000_000
CHAT = Jid.parse("6581000001@s.whatsapp.net")


async def test_only_what_is_old_is_removed() -> None:
    session = MemorySession({})
    for number in range(1200):
        key, age = number.to_bytes(2), KEPT_SECONDS + 1 if number % 3 else KEPT_SECONDS - 1
        session.records[MESSAGE, key] = msgspec.msgpack.encode(Remembered("", NOW - age))
        age = upkeep.SENT_SECONDS + 1 if number % 3 else upkeep.SENT_SECONDS - 1
        session.records[SENT, key] = msgspec.msgpack.encode(Kept(str(CHAT), NOW - age, b""))
    session.records["signal", b"x"] = b"a session"
    await upkeep.sweep(Records(session), now=NOW)
    left = sorted(int.from_bytes(key) for name, key in session.records if name == MESSAGE)
    assert left == list(range(0, 1200, 3))
    assert sorted(int.from_bytes(key) for name, key in session.records if name == SENT) == left
    assert session.records["signal", b"x"] == b"a session"


async def test_every_message_that_nobody_sent_again_is_told_once() -> None:
    session = MemorySession({})
    for number in range(700):
        at = NOW - WAIT_SECONDS - 1 if number >= 550 else NOW - WAIT_SECONDS + 1
        asked = Asked(1, at, str(CHAT), str(CHAT), 0, "Anna", False, "BadMac")
        session.records[RETRY, bytes(16) + f"{number:04}".encode()] = msgspec.msgpack.encode(asked)

    async def given_up(draft: Draft, head: Head, reason: str) -> ProviderEvent:
        assert (head.chat, head.name, reason) == (CHAT, "Anna", "BadMac")
        return Ignored(head.id.encode())

    told: list[bytes] = []
    records = Records(session)
    for _ in range(3):
        draft = Draft(records)
        told += [event.key for event in await upkeep.give_up_old(records, draft, given_up, now=NOW)]
        await records.commit(draft.changes)
    assert told == [f"{number:04}".encode() for number in range(550, 700)]
    assert len(session.records) == 550


async def test_a_message_that_was_asked_for_by_a_clock_ahead_is_given_up_too() -> None:
    """As a version wrote it that took the wall clock for this."""
    session = MemorySession({})
    asked = Asked(1, NOW + 400 * 86_400, str(CHAT), str(CHAT), 0, "Anna", False, "BadMac")
    session.records[RETRY, bytes(16) + b"ahead"] = msgspec.msgpack.encode(asked)

    async def given_up(draft: Draft, head: Head, reason: str) -> ProviderEvent:
        return Ignored(head.id.encode())

    records = Records(session)
    [event] = await upkeep.give_up_old(records, Draft(records), given_up, now=NOW)
    assert event.key == b"ahead"


async def test_what_was_sent_is_bounded_in_bytes_and_the_oldest_goes_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upkeep, "MOST_SENT_BYTES", 100_000)
    session = MemorySession({})
    for number in range(1000):  # one a minute
        kept = Kept(str(CHAT), NOW - 60 * number, bytes(1000))
        session.records[SENT, f"{number * 7919 % 1000:04}".encode()] = msgspec.msgpack.encode(kept)
    await upkeep.sweep(Records(session), now=NOW)
    left = [msgspec.msgpack.decode(value, type=Kept).at for _, value in session.records.items()]
    assert 90 <= len(left) < 100
    assert sorted(left, reverse=True) == [NOW - 60 * number for number in range(len(left))]


async def test_the_newest_minute_is_kept_whatever_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "MOST_SENT_BYTES", 1000)
    session = MemorySession({})
    for number, at in enumerate((NOW, NOW, NOW - 60)):
        session.records[SENT, bytes([number])] = msgspec.msgpack.encode(Kept(str(CHAT), at, bytes(900)))
    await upkeep.sweep(Records(session), now=NOW)
    assert sorted(key for _, key in session.records) == [b"\0", b"\1"]


async def test_a_member_cannot_set_a_timer_for_good() -> None:
    draft, now = Draft(Records(MemorySession({}))), int(time.time())
    await set_timer(draft, CHAT, 86_400, 2**62)
    assert now <= (await timer_of(draft, CHAT)).set_at <= now + 10
    await set_timer(draft, CHAT, 0, 2**62)
    assert (await timer_of(draft, CHAT)).seconds == 0
