"""What is remembered of messages, for how long, and the ids of one message."""

import attrs
import pytest

from actors.account.memory_session import MemorySession
from unifyport.model.inbound import MessageDeleted, ReactionChanged, Sender, Status, StatusChanged
from unifyport.providers.records import Draft, Records
from unifyport.providers.zalo.personal import people, references
from unifyport.providers.zalo.personal.messages import Reference
from unifyport.providers.zalo.personal.records import FIRST, MESSAGE, SENT
from unifyport.providers.zalo.personal.references import KEPT_DAYS, References, change_of, sweep

NOW = 1_800_000_000_000
DAY = 86_400_000
MAI = "9007199254740995"


def message(id_: str, chat: str = "g77", client: str = "1000", at: int = NOW) -> Reference:
    return Reference(chat, id_, client, MAI, "77", "webchat", at, "hello")


async def keep(records: Records, *some: Reference) -> list[bool]:
    draft, found = Draft(records), References(records)
    fresh = [await found.remember(draft, each) for each in some]
    await records.commit(draft.changes)
    return fresh


async def test_a_message_of_a_group_under_three_ids_is_known_by_the_first() -> None:
    records = Records(MemorySession({}))
    assert await keep(records, message("1"), message("2")) == [True, False]
    assert await keep(records, message("3"), message("4", client="1001")) == [False, True]
    found = References(records)
    for id_ in ("1", "2", "3"):
        known = await found.of("g77", id_)
        assert known is not None
        assert known.message_id == "1"
    other = await found.of("g77", "4")
    assert other == message("4", client="1001")
    assert await found.of("g77", "5") is None
    assert await found.of("g78", "1") is None


async def test_between_two_people_every_id_is_a_message() -> None:
    records = Records(MemorySession({}))
    assert await keep(records, message("1", MAI), message("2", MAI)) == [True, True]
    known = await References(records).of(MAI, "2")
    assert known is not None
    assert known.message_id == "2"


async def test_events_about_another_id_are_told_of_the_first() -> None:
    records = Records(MemorySession({}))
    await keep(records, message("1"), message("2"))
    chat, found, draft = people.group("77"), References(records), Draft(records)
    deleted = MessageDeleted(b"k", chat, "2", NOW)
    reaction = ReactionChanged(b"k", chat, Sender(MAI), "r", "2", "👍", NOW)
    read = StatusChanged(b"k", chat, ["2", "1", "9"], Status.READ, NOW)
    for event in (deleted, reaction, read):
        await found.translate(draft, event)
    assert (deleted.message_id, reaction.target_message_id, read.message_ids) == ("1", "1", ["1", "9"])


async def test_what_is_old_is_forgotten() -> None:
    old = NOW - KEPT_DAYS * DAY - 1
    session = MemorySession({(SENT, b"7"): str(old).encode(), (SENT, b"8"): str(NOW).encode()})
    records = Records(session)
    await keep(records, message("1", at=old), message("2", client="1001"))
    await sweep(records, NOW)
    assert set(session.records) == {
        (SENT, b"8"),
        (MESSAGE, b"g77\x002"),
        (FIRST, f"g77\0{MAI}\x001001".encode()),
    }


async def test_the_oldest_are_forgotten_beyond_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "MOST_KEPT", 2)
    some = [message(str(number), MAI, at=NOW - number) for number in range(4)]
    session = MemorySession({change_of(each)[:2]: change_of(each)[2] for each in some})
    await sweep(Records(session), NOW)
    assert {key for _, key in session.records} == {f"{MAI}\x000".encode(), f"{MAI}\x001".encode()}


async def test_a_reference_is_kept_as_it_was() -> None:
    records = Records(MemorySession({}))
    told = attrs.evolve(message("1"), text="x" * 1024)
    await keep(records, told)
    assert await References(Records(records.session)).of("g77", "1") == told
