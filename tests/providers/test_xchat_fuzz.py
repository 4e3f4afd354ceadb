"""Any bytes as an event of XChat, and any values as what `chat_xdk` gives of one."""

import base64
import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.protocols.xchat import (
    MessageCreate,
    MessageEvent,
    MessageEventDetail,
    MessageEventSignature,
    encode_event,
)
from unifyport.providers.x.xchat import contents
from unifyport.providers.x.xchat.heads import Item, Unreadable, read_item

EVENT = encode_event(
    MessageEvent(
        "5",
        "an-id",
        "222",
        "111:222",
        "token",
        "1796089655437",
        MessageEventDetail(message_create=MessageCreate(b"sealed" * 20, "17")),
        signature=MessageEventSignature("c2ln", "1", "7"),
        previous_sequence_id="4",
    )
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(
        ["text", "entities", "attachments", "media", "url", "post", "start_index", "end_index", "content",
         "mention", "type", "media_hash_key", "replying_to_preview", "replying_to_message_id",
         "forwarded_message", "new_text"]
    ), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


def _read(encoded: str) -> None:
    with contextlib.suppress(Unreadable):
        item = read_item(encoded, "111")
        assert isinstance(item, Item)
        assert item.head.conversation == item.event.conversation_id
        assert "111" in item.head.conversation.split(":") or item.head.conversation.startswith("g")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=400).map(lambda data: base64.b64encode(data).decode()))
def test_any_bytes_are_read_as_an_event(encoded: str) -> None:
    _read(encoded)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_change_of_an_event_is_read(data: st.DataObject) -> None:
    raw = bytearray(base64.b64decode(EVENT))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    _read(base64.b64encode(bytes(raw)).decode())


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_any_content_is_read_or_refused(plain: Any) -> None:
    with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):
        found = contents.text_content("id", plain, "111:222", 5)
        assert all(entity["offset"] + entity["length"] <= len(found.text) for entity in found.entities)
