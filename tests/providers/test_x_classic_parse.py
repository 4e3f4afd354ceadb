"""Entries of X's older messages in the web application: any JSON is read, one bad entry costs one entry."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.model.inbound import (
    ConversationRemoved,
    GroupChanged,
    Ignored,
    MessageReceived,
    PlatformEvent,
    ReactionChanged,
    Unparsed,
)
from unifyport.model.normalize import normalize
from unifyport.providers.x.session import classic_shapes as shapes
from unifyport.providers.x.session.classic_content import file_of
from unifyport.providers.x.session.classic_parse import read_marks, read_page

ME, ANN, NOW = "111", "222", 1_780_790_400_000
PAIR = f"{ME}-{ANN}"
KINDS = (
    "message message_edit message_delete reaction_create reaction_delete conversation_read participants_join"
    " participants_leave conversation_name_update remove_conversation trust_conversation other"
).split()
FIELDS = st.sampled_from(
    "id time conversation_id request_id sender_id message_data message_id emoji_reaction reaction_key"
    " last_read_event_id messages participants conversation_name by_user_id text entities urls url"
    " expanded_url attachment photo video animated_gif tweet card media_url_https type video_info variants"
    " reply_data edit_count conversation_key_version user_id trusted name".split()
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from([ME, ANN, PAIR, "1780790400000", "photo", "5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=8),
    max_leaves=30,
)
HEAD = {"id": "5", "time": str(NOW), "conversation_id": PAIR, "sender_id": ANN}


def page(*entries: Any, conversations: Any = None, users: Any = None) -> shapes.Page:
    body = {"entries": entries, "conversations": conversations or {}, "users": users or {}}
    return msgspec.json.decode(json.dumps(body), type=shapes.Page)


def event_of(kind: str, **fields: Any) -> Any:
    [item] = read_page(page({kind: {**HEAD, **fields}}), ME).items
    return item.event


def said(sender: str = ANN, **fields: Any) -> dict[str, Any]:
    return {"sender_id": sender, "text": "hello", "time": str(NOW), **fields}


@settings(max_examples=400, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    fields=st.dictionaries(FIELDS, VALUES, max_size=10),
    data=VALUES,
    places=st.dictionaries(st.sampled_from([PAIR, "7"]), VALUES, max_size=2),
    users=VALUES,
)
def test_any_entry_is_read(kind: str, fields: Any, data: Any, places: Any, users: Any) -> None:
    entry = {kind: {**HEAD, "message_data": data, **fields}}
    given = page(entry, {"message": {**HEAD, "message_data": said()}}, conversations=places, users=users)
    read = read_page(given, ME)
    again = read_page(given, ME)
    assert [item.event.key for item in read.items] == [item.event.key for item in again.items]
    assert any(isinstance(item.event, MessageReceived) for item in read.items)
    for item in read.items:
        normalize(item.event, NOW)
    read_marks(read, ME)


def test_kinds_of_entries() -> None:
    message = event_of("message", message_data=said())
    assert isinstance(message, MessageReceived)
    assert (message.conversation.id, message.conversation.aliases) == (ANN, [PAIR])
    own = event_of("message", message_data=said(ME))
    assert isinstance(own, PlatformEvent)
    assert (own.name, own.direction) == ("message_echo", "outbound")
    assert isinstance(event_of("message", message_data=said(conversation_key_version="3")), Ignored)
    reaction = event_of("reaction_create", message_id="4", emoji_reaction="👍")
    assert isinstance(reaction, ReactionChanged)
    assert (reaction.target_message_id, reaction.emoji) == ("4", "👍")
    assert event_of("reaction_delete", message_id="4", emoji_reaction="👍").emoji == ""
    left = event_of("participants_leave", participants=[{"user_id": "9"}])
    assert isinstance(left, GroupChanged)
    assert left.changes == [{"kind": "member_removed", "member_ids": ["9"]}]
    assert isinstance(event_of("remove_conversation"), ConversationRemoved)
    assert event_of("end_av_broadcast").name == "end_av_broadcast"
    changes: tuple[dict[str, Any], ...] = (
        {"time": "x"},
        {"id": "-1"},
        {"conversation_id": ""},
        {"message_data": []},
    )
    for broken in changes:
        assert isinstance(event_of("message", **{"message_data": said(), **broken}), Unparsed)


def test_files_and_what_is_no_file() -> None:
    photo = {
        "type": "photo",
        "id_str": "8",
        "url": "https://t.co/abc",
        "media_url_https": "https://ton.twitter.com/1.1/ton/data/dm/5/8/a.png",
    }
    links = {"urls": [{"url": "https://t.co/abc", "expanded_url": "https://x.com/messages/media/5"}]}
    data = said(text="look https://t.co/abc", entities=links, attachment={"photo": photo})
    content = event_of("message", message_data=data).content
    assert (content.text, content.type) == ("look", "image")
    found = file_of(content.attachments[0].handle)
    assert found is not None
    assert (found.path, found.url) == ("1.1/ton/data/dm/5/8/a.png", "")
    variants = [{"url": "https://video.twimg.com/dm_video/1.mp4", "content_type": "video/mp4", "bitrate": 1}]
    video = {"type": "video", "id_str": "9", "video_info": {"variants": variants}}
    [attached] = event_of("message", message_data=said(attachment={"video": video})).content.attachments
    found = file_of(attached.handle)
    assert found is not None
    assert (found.path, found.url) == ("", "https://video.twimg.com/dm_video/1.mp4")
    assert file_of(b"\x93\x00") is None
    assert file_of(b"classic:\xff") is None
    empty = event_of("message", message_data=said(text="", attachment={"tweet": {"id": "1"}})).content
    assert (empty.type, empty.kind, empty.text) == ("unknown", "tweet", "[unsupported: tweet]")


def test_entries_come_in_the_order_of_time_and_an_edit_after_its_message() -> None:
    later = {"message": {**HEAD, "id": "6", "time": str(NOW + 5), "message_data": said()}}
    edit = {"message_edit": {**HEAD, "message_data": said(text="better", edit_count=1)}}
    first = {"message": {**HEAD, "message_data": said()}}
    items = read_page(page(later, first, edit), ME).items
    assert [(item.id, type(item.event).__name__) for item in items] == [
        (5, "MessageReceived"),
        (5, "MessageEdited"),
        (6, "MessageReceived"),
    ]
    assert [item.id for item in read_page(page(edit, first), ME).items] == [5, 5]
    assert isinstance(read_page(page(edit, first), ME).items[0].event, MessageReceived)
