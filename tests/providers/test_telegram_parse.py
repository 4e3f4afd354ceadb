"""Bot API updates: every type, and everything that is not one."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unifyport.model.inbound import (
    GroupChanged,
    MessageEdited,
    MessageReceived,
    ReactionChanged,
    Unparsed,
)
from unifyport.model.message import OutboundText
from unifyport.model.normalize import normalize
from unifyport.providers.contract.errors import Conflict, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.telegram.bot.errors import failure
from unifyport.providers.telegram.bot.parse import parse_update
from unifyport.providers.telegram.bot.polled import parse_updates
from unifyport.providers.telegram.bot.render import render

USER = {"id": 7, "is_bot": False, "first_name": "Mei", "last_name": "L", "username": "mei"}
CHAT = {"id": 7, "type": "private", "first_name": "Mei"}
GROUP = {"id": -100, "type": "supergroup", "title": "Ops"}
FILE = {"file_id": "F", "file_unique_id": "U", "file_size": 10}


def message(**fields: Any) -> dict[str, Any]:
    return {"message_id": 5, "date": 1_780_790_400, "chat": CHAT, "from": USER, **fields}


def parse(update: Any) -> Any:
    return parse_update(msgspec.json.encode(update), "42")[0]


def received(**fields: Any) -> MessageReceived:
    event = parse({"update_id": 1, "message": message(**fields)})
    assert isinstance(event, MessageReceived), event
    return event


TYPES = [
    ({"text": "hi"}, "text", "hi", None),
    ({"photo": [FILE, {**FILE, "file_id": "L", "file_size": 99}], "caption": "look"}, "image", "look", "L"),
    ({"video": {**FILE, "duration": 4}}, "video", "", "F"),
    ({"animation": FILE, "document": FILE}, "video", "", "F"),
    ({"video_note": FILE}, "video", "", "F"),
    ({"audio": {**FILE, "title": "Song"}}, "audio", "", "F"),
    ({"voice": FILE}, "audio", "", "F"),
    ({"document": {**FILE, "file_name": "a.pdf", "mime_type": "application/pdf"}}, "document", "", "F"),
    ({"sticker": {**FILE, "emoji": "👍"}}, "sticker", "👍", "F"),
    ({"location": {"latitude": 1.5, "longitude": 103.25}}, "location", "1.500000,103.250000", None),
    (
        {
            "venue": {"location": {"latitude": 1, "longitude": 2}, "title": "Shop", "address": "Road 1"},
            "location": {"latitude": 1, "longitude": 2},
        },
        "location",
        "Shop\nRoad 1\n1.000000,2.000000",
        None,
    ),
    ({"dice": {"emoji": "🎲", "value": 3}}, "unknown", "🎲 3", None),
]


@pytest.mark.parametrize(
    ("fields", "kind", "text", "file_id"), TYPES, ids=[row[1] + str(n) for n, row in enumerate(TYPES)]
)
def test_types(fields: dict[str, Any], kind: str, text: str, file_id: str | None) -> None:
    event = received(**fields)
    assert (event.content.type, event.content.text) == (kind, text)
    assert [a.file_id for a in event.content.attachments] == ([file_id] if file_id else [])
    [standard] = normalize(event)
    assert "http" not in str(standard.data)
    assert standard.data["message"]["type"] == kind


def test_fields() -> None:
    event = received(text="hi", reply_to_message={"message_id": 3, "date": 1, "chat": CHAT})
    assert (event.conversation.id, event.conversation.type, event.conversation.title) == ("7", "user", "Mei")
    assert (event.sender.id, event.sender.name, event.sender.username) == ("7", "Mei L", "mei")
    assert event.sent_at == 1_780_790_400_000
    assert event.content.reply_to_message_id == "3"
    contact = received(contact={"phone_number": "+65900", "first_name": "Mei"})
    assert contact.content.text.startswith("BEGIN:VCARD")
    group = received(text="x", chat=GROUP)
    assert (group.conversation.id, group.conversation.type) == ("-100", "group")
    video = received(video={**FILE, "duration": 4})
    assert video.content.attachments[0].duration_ms == 4000


def test_other_updates() -> None:
    edited = parse({"update_id": 2, "edited_message": message(text="new", edit_date=1_780_790_500)})
    assert isinstance(edited, MessageEdited)
    assert (edited.edited_at, edited.number) == (1_780_790_500_000, 2)
    post = parse(
        {
            "update_id": 3,
            "channel_post": {
                **message(text="x"),
                "chat": {"id": -5, "type": "channel", "title": "News"},
                "from": None,
            },
        }
    )
    assert isinstance(post, MessageReceived)
    assert (post.conversation.type, post.sender.type, post.sender.id) == ("channel", "channel", "-5")
    change = {
        "chat": GROUP,
        "message_id": 9,
        "date": 1,
        "user": USER,
        "old_reaction": [],
        "new_reaction": [{"type": "emoji", "emoji": "👍"}],
    }
    reaction = parse({"update_id": 4, "message_reaction": change})
    assert isinstance(reaction, ReactionChanged)
    assert (reaction.emoji, reaction.target_message_id) == ("👍", "9")
    gone = parse({"update_id": 4, "message_reaction": {**change, "new_reaction": []}})
    assert gone.emoji == ""
    assert isinstance(parse({"update_id": 5, "message": message(new_chat_title="x")}), GroupChanged)


POISON = [
    {"update_id": 1, "message": "text"},
    {"update_id": 1, "message": message(text=5)},
    {"update_id": 1, "message": message(chat={"id": "x", "type": "private"})},
    {"update_id": 1, "message": message(photo={"file_id": "x"})},
    {"update_id": 1, "message": {}},
    {"update_id": 1, "callback_query": {"id": "1"}},
    {"update_id": 1, "never_seen": {}},
    {"update_id": 1},
    {"update_id": 1, "message": message(), "poll": {}},
    {"update_id": "1", "message": message(text="x")},
    {"message": message(text="x")},
    [1, 2],
    "update",
    None,
]


@pytest.mark.parametrize("update", POISON, ids=range(len(POISON)))
def test_poison_is_unparsed_and_keeps_its_bytes(update: Any) -> None:
    event = parse(update)
    assert isinstance(event, Unparsed)
    assert msgspec.json.decode(event.raw) == update
    assert event.reason


def test_poison_with_a_readable_sender_becomes_an_unknown_message() -> None:
    event = parse({"update_id": 1, "message": message(text=5)})
    [standard] = normalize(event)
    assert standard.data["message"]["type"] == "unknown"
    assert standard.data["conversation"]["id"] == "7"
    assert normalize(parse({"update_id": 1, "message": {}})) == []


async def test_a_batch_keeps_its_order_and_its_highest_id() -> None:
    raw = [
        msgspec.Raw(msgspec.json.encode(u))
        for u in ({"update_id": 5, "x": 1}, {"update_id": 7, "message": message(text="a")}, None)
    ]
    events, highest = await parse_updates(raw, "42")
    assert [type(event) for event in events] == [Unparsed, MessageReceived, Unparsed]
    assert highest == 7
    assert (await parse_updates([msgspec.Raw(b"null")], "42"))[1] is None


def test_keys_name_the_bot_and_the_update() -> None:
    update = msgspec.json.encode({"update_id": 5, "message": message(text="a")})
    assert parse_update(update, "42")[0].key == parse_update(update, "42")[0].key
    assert parse_update(update, "42")[0].key != parse_update(update, "43")[0].key


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["message", "update_id", "chat", "id", "from", "text", "date", "message_id", "type"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_nothing_raises(update: Any) -> None:
    event, _ = parse_update(msgspec.json.encode(update), "42")
    assert len(event.key) == 16
    normalize(event)


@pytest.mark.parametrize(
    ("code", "description", "login", "kind"),
    [
        (401, "Unauthorized", False, LoggedOut),
        (404, "Not Found", True, LoggedOut),
        (404, "Not Found", False, Transient),
        (409, "Conflict: terminated by other getUpdates request", False, Conflict),
        (429, "Too Many Requests", False, RateLimited),
        (400, "Bad Request: chat not found", False, Rejected),
        (403, "Forbidden: bot was blocked by the user", False, Rejected),
        (502, "Bad Gateway", False, Transient),
    ],
)
def test_failures(code: int, description: str, login: bool, kind: type) -> None:
    error = failure(code, description, 7.0, login=login)
    assert type(error) is kind
    assert error.maybe_applied is (code == 502)
    if isinstance(error, RateLimited):
        assert error.retry_after == 7.0
    if isinstance(error, Rejected):
        assert error.reason == ("blocked_by_recipient" if code == 403 else "conversation_not_found")
        assert (error.detail, error.code) == (description, str(code))


@pytest.mark.parametrize(
    ("description", "reason"),
    [
        ("Forbidden: bot was blocked by the user", "blocked_by_recipient"),
        ("Forbidden: bot was kicked from the group chat", "not_a_member"),
        ("Forbidden: bot was kicked from the supergroup chat", "not_a_member"),
        ("Forbidden: bot is not a member of the channel chat", "not_a_member"),
        ("Forbidden: user is deactivated", "forbidden"),
        ("Forbidden: bot can't send messages to bots", "forbidden"),
    ],
)
def test_why_a_bot_may_not_write(description: str, reason: str) -> None:
    error = failure(403, description, None)
    assert isinstance(error, Rejected)
    assert (error.reason, error.code) == (reason, "403")


def test_render() -> None:
    assert render(OutboundText("7", "user", "hi")).fields == {"chat_id": 7, "text": "hi"}
    assert render(OutboundText("-100", "group", "hi", "markdownv2")).fields == {
        "chat_id": -100,
        "text": "hi",
        "parse_mode": "MarkdownV2",
    }
    assert render(OutboundText("@news", "channel", "hi")).fields["chat_id"] == "@news"
    assert render(OutboundText("business:BC_1-x:7", "user", "hi")).fields == {
        "chat_id": 7,
        "business_connection_id": "BC_1-x",
        "text": "hi",
    }
    for wrong in (
        OutboundText("7", "user", ""),
        OutboundText("7", "user", "x" * 4097),
        OutboundText("7", "user", "x", "bb"),
    ):
        with pytest.raises(Rejected):
            render(wrong)


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80"])
def test_bytes_that_are_no_utf8_lose_nothing(bad: bytes) -> None:
    for fields in (
        {"text": "good MARK"},
        {"text": "good", "MARK": {"MARK": 1}},
        {"caption": "good", "photo": [FILE]},
    ):
        update = {"update_id": 1, "message": message(**fields, author_signature="MARK")}
        raw = msgspec.json.encode(update).replace(b"MARK", bad)
        event = parse_update(raw, "42")[0]
        assert isinstance(event, MessageReceived), event
        assert event.content.text.startswith("good")
