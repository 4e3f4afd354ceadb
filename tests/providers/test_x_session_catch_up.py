"""The inbox of a session of X while it changes, page by page."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from unifyport.protocols.xchat import (
    KeyChange,
    MessageCreate,
    MessageEvent,
    MessageEventDetail,
    encode_event,
)
from unifyport.providers.contract.errors import Transient
from unifyport.providers.x.session import queries
from unifyport.providers.x.session.catch_up import CatchUp, Fetched, sequences
from unifyport.providers.x.session.client import WebClient
from unifyport.providers.x.session.transport import WebTransport

A, B = "111:222", "111:333"


def event(conversation: str, sequence: int, *, is_key: bool = False) -> str:
    created, changed = MessageCreate(b"x"), KeyChange("1")
    detail = MessageEventDetail(key_change=changed) if is_key else MessageEventDetail(message_create=created)
    text = str(sequence)
    return encode_event(
        MessageEvent(
            sequence_id=text, message_id=text, sender_id="222", conversation_id=conversation, detail=detail
        )
    )


def item(conversation: str, *events: str, has_more: bool = False) -> dict[str, Any]:
    detail = {"conversation_id": conversation}
    return {"latest_message_events": events, "has_more": has_more, "conversation_detail": detail}


class Answers:
    """What X answers to queries, by name, one after the other; an exception is raised."""

    me = "111"

    def __init__(self, **answers: Any) -> None:
        self._answers = answers

    async def query(self, name: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._answers[name]
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def first(*items: Any, finished: bool = True, **more: Any) -> dict[str, Any]:
    cursor = {"cursor_id": "1", "graph_snapshot_id": "1", "pull_finished": finished}
    return {"get_initial_chat_page": {"items": items, "inboxCursor": cursor, **more}}


async def since(mark: int, **answers: Any) -> list[Fetched]:
    client = cast(WebClient, Answers(**answers))
    handed: list[Fetched] = []

    async def deliver(fetched: Fetched) -> None:
        handed.append(fetched)

    try:
        await CatchUp(client, WebTransport(client, _silent)).since(mark, deliver)
    except Transient:
        handed.append(Fetched(mark=-1))
    return handed


async def _silent(data: bytes) -> None:
    raise Transient("connection_lost")


def read(handed: list[Fetched]) -> list[int]:
    found = (sequences(each) for fetched in handed for each in fetched.events)
    return [at[0] for at in found if at is not None]


async def test_the_mark_is_of_the_first_page_as_conversations_read_before_may_go_on() -> None:
    second = {"get_inbox_page": {"items": [item(B, event(B, 120))], "inboxCursor": {"pull_finished": True}}}
    begun = first(item(A, event(A, 105)), finished=False, max_user_sequence_id=str(2**63 - 1))
    handed = await since(100, **{queries.INITIAL_PAGE: begun, queries.INBOX_PAGE: second})
    assert read(handed) == [105, 120]
    assert [fetched.mark for fetched in handed] == [0, 0, 105]


@pytest.mark.parametrize("late", ["keys", "events"])
async def test_history_that_is_read_later_does_not_move_the_mark(late: str) -> None:
    history = {
        "encoded_message_events": [event(A, 101), event(A, 102)],
        "missing_conversation_key_change_events": [event(A, 120, is_key=True)] if late == "keys" else [],
    }
    if late == "events":
        history["encoded_message_events"].append(event(A, 120))
    page = {"get_conversation_page": history}
    begun = first(item(A, event(A, 105), has_more=True))
    handed = await since(100, **{queries.INITIAL_PAGE: begun, queries.CONVERSATION_PAGE: page})
    assert read(handed) == [101, 102, 105]
    assert handed[-1].mark == 105


async def test_what_was_read_is_handed_over_before_a_later_page_fails() -> None:
    begun = first(item(A, event(A, 105)), item(B, event(B, 106)), finished=False)
    failure = Transient("connection_lost")
    handed = await since(100, **{queries.INITIAL_PAGE: begun, queries.INBOX_PAGE: failure})
    assert read(handed) == [105, 106]
    assert [fetched.mark for fetched in handed] == [0, 0, -1]


async def test_more_conversations_than_are_read_are_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unifyport.providers.x.session.catch_up.MOST_ITEMS", 1)
    begun = first(item(A, event(A, 105)), item(B, event(B, 104)))
    handed = await since(100, **{queries.INITIAL_PAGE: begun})
    assert not handed[-1].complete
