"""What a first state of X's older messages leaves out: read back, or told as a gap."""

import json
from typing import Any

import msgspec
import pytest

from unifyport.providers.x.session import classic_shapes as shapes
from unifyport.providers.x.session.classic_gaps import MAX_PAGES, fill, missed_conversations
from unifyport.providers.x.session.classic_parse import Read, read_page

ME, PAIR = "111", "111-222"


def entry(id_: int, place: str = PAIR) -> dict[str, Any]:
    data = {"sender_id": "222", "text": str(id_)}
    head = {"id": str(id_), "time": str(1_780_790_400_000 + id_), "conversation_id": place}
    return {"message": {**head, "message_data": data}}


def page(*ids: int, status: str = "HAS_MORE", first: int = 1, more: str = "AT_END") -> shapes.Page:
    place = {"conversation_id": PAIR, "min_entry_id": str(first)}
    body = {"entries": [entry(each) for each in ids], "conversations": {PAIR: place}, "status": status}
    timelines = {"trusted": {"status": more}}
    return msgspec.json.decode(json.dumps({**body, "inbox_timelines": timelines}), type=shapes.Page)


def ids(read: Read) -> list[int]:
    return [item.id for item in read.items]


async def test_pages_are_read_back_to_what_is_known() -> None:
    asked = []

    async def pages(conversation: str, below: int) -> shapes.Page:
        asked.append((conversation, below))
        return page(below - 1, below - 2)

    read = read_page(page(9, 10), ME)
    assert await fill(read, 5, ME, pages) == []
    assert ids(read) == [6, 7, 8, 9, 10]
    assert asked == [(PAIR, 9), (PAIR, 7)]


@pytest.mark.parametrize("answer", [(), (2000,), "endless"])
async def test_pages_that_do_not_move_on_end_in_a_gap(answer: Any) -> None:
    asked = []

    async def pages(conversation: str, below: int) -> shapes.Page:
        asked.append(below)
        return page(below - 1) if answer == "endless" else page(*answer)

    read = read_page(page(1000), ME)
    [gap] = await fill(read, 5, ME, pages)
    assert (gap.name, gap.details) == ("gap", {"after": "5"})  # type: ignore[union-attr]
    assert len(asked) == (MAX_PAGES if answer == "endless" else 1)


async def test_a_conversation_that_is_shown_whole_is_not_asked_for() -> None:
    async def pages(conversation: str, below: int) -> shapes.Page:
        raise AssertionError(conversation)

    assert await fill(read_page(page(9, first=9), ME), 5, ME, pages) == []


def test_conversations_that_are_left_out_are_a_gap_if_all_that_are_shown_are_new() -> None:
    for more, newest, gaps in (("HAS_MORE", 5, 1), ("HAS_MORE", 9, 0), ("AT_END", 5, 0)):
        state = page(9, more=more)
        assert len(missed_conversations(state, read_page(state, ME), newest, ME)) == gaps
