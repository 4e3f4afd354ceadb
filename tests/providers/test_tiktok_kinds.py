"""Every event and every type of message that the documentation of the Business Messaging API has.

`tiktok_documentation.json` lists them, with the documentation's version and an example of each. What is
missing in a table of the parser, or in the tables here, fails.
"""

import json
from typing import Any

import pytest

from tests.providers.documentation import TIKTOK
from unifyport.model.event import EventType
from unifyport.model.inbound import MessageReceived, Unparsed
from unifyport.model.normalize import normalize
from unifyport.providers.contract.ingress import Addressed
from unifyport.providers.tiktok.business.events import READERS
from unifyport.providers.tiktok.business.handles import Handle, read_handle
from unifyport.providers.tiktok.business.kinds import KINDS
from unifyport.providers.tiktok.business.parse import parse_webhook

HEAD, MESSAGES, EVENTS = (TIKTOK[name] for name in ("head", "message", "event"))
BUSINESS, CUSTOMER, CHAT, AT = "business-000001", "customer-1", "conv+abc/1==", 1_780_790_400
# kind -> type, text, typed fields
CONTENT: dict[str, tuple[str, str, set[str]]] = {
    "text": ("text", "hello", set()),
    "image": ("image", "", {"attachments"}),
    "video": ("video", "", {"attachments"}),
    "share_post": ("unknown", "https://www.tiktok.com/player/v1/7301", {"share_post"}),
    "sticker": ("sticker", "", {"attachments"}),
    "emoji": ("sticker", "", {"attachments"}),
    "template": ("text", "Which size?\n- Small\n- Large", set()),
}
# event -> the type of its event, and the fields of `data.event` beside kind and name
EVENT_TYPES: dict[str, tuple[str, dict[str, Any]]] = {
    "im_receive_msg": ("message.received", {}),
    "im_send_msg": ("message_echo", {"change": "sent", "source": "APP"}),
    "im_receive_msg_eu": ("im_receive_msg_eu", {"content_withheld": True}),
    "im_referral_msg": ("im_referral_msg", {"referral": EVENTS["im_referral_msg"]["referral"]}),
    "im_mark_read_msg": ("im_mark_read_msg", {"read_until": "2026-06-06T23:59:59Z"}),
    "im_receive_high_intent_comment": (
        "im_receive_high_intent_comment",
        {"comment_id": "7240000000000000001", "comment_text": "How much is it?"},
    ),
}


def webhook(event: str, content: Any, *, as_it_is: bool = False, **envelope: Any) -> bytes:
    """`as_it_is`: the content is not made a string."""
    whole = {
        "client_key": "app-1",
        "event": event,
        "create_time": AT,
        "user_openid": BUSINESS,
        "content": content if as_it_is else json.dumps(content),
        **envelope,
    }
    return json.dumps(whole).encode()


def parsed(event: str, content: Any, **envelope: Any) -> list[Addressed]:
    found = parse_webhook(webhook(event, content, **envelope), "path")
    assert not [each for each in found if isinstance(each.event, Unparsed)]
    assert {each.identity for each in found} == {BUSINESS}
    return found


def standards(found: list[Addressed]) -> list[Any]:
    return [standard for addressed in found for standard in normalize(addressed.event, AT * 1000)]


def one(kind: str, **fields: Any) -> Any:
    [standard] = standards(
        parsed("im_receive_msg", {**HEAD, "type": kind, **MESSAGES.get(kind, {}), **fields})
    )
    return standard


def sent(kind: str, **fields: Any) -> Any:
    content = {**EVENTS["im_send_msg"], "type": kind, **MESSAGES.get(kind, {}), **fields}
    return standards(parsed("im_send_msg", content))


def test_all_that_is_documented_is_in_the_tables() -> None:
    assert TIKTOK["version"] == "v1.3"
    assert set(CONTENT) == set(KINDS) == set(MESSAGES) - {"reaction"}
    assert set(EVENT_TYPES) == set(READERS) <= set(EVENTS)


@pytest.mark.parametrize("kind", CONTENT)
def test_kinds_of_content(kind: str) -> None:
    type_, text, fields = CONTENT[kind]
    standard = one(kind)
    found = standard.data["message"]
    assert standard.type == EventType.MESSAGE_RECEIVED
    assert (found["type"], found["kind"], found["text"]) == (type_, kind, text)
    assert set(found) - {"id", "type", "kind", "text", "direction", "sent_at"} == fields
    assert (standard.conversation_id, standard.data["sender"]["id"]) == (CHAT, CUSTOMER)
    assert standard.occurred_at == HEAD["timestamp"]
    assert "tiktokcdn" not in json.dumps([standard.data, standard.provider_data.item])
    redacted = [f"content.{kind}.url"] if kind in ("sticker", "emoji") else []
    assert standard.provider_data.redacted == redacted


@pytest.mark.parametrize("event", EVENTS)
def test_events(event: str) -> None:
    name, details = EVENT_TYPES.get(event, (event, {}))
    [standard] = standards(parsed(event, EVENTS[event]))
    found = standard.data["event"]
    if standard.type != EventType.PROVIDER_EVENT:
        assert standard.type == name
        return
    assert {key: value for key, value in found.items() if key != "kind"} == {"name": name, **details}
    assert standard.provider_data.item["content"] == EVENTS[event]
    expected = EVENTS[event].get("timestamp") if event in READERS else AT * 1000
    assert standard.occurred_at == expected


def test_where_the_files_are() -> None:
    def handle(kind: str) -> Handle:
        [addressed] = parsed("im_receive_msg", {**HEAD, "type": kind, **MESSAGES[kind]})
        assert isinstance(addressed.event, MessageReceived)
        [file] = addressed.event.content.attachments
        assert file.file_id == {"image": "media-1", "video": "media-2"}.get(kind, "msg-1")
        return read_handle(file.handle)

    assert handle("image") == Handle("", CHAT, "msg-1", "media-1", "IMAGE")
    assert handle("video") == Handle("", CHAT, "msg-1", "media-2", "VIDEO")
    assert handle("sticker") == Handle(MESSAGES["sticker"]["sticker"]["url"])
    assert handle("emoji") == Handle(MESSAGES["emoji"]["emoji"]["url"])


def test_quotes_and_pressed_buttons() -> None:
    found = one("text", **{name: TIKTOK["beside"][name] for name in TIKTOK["beside"]}).data["message"]
    assert found["reply_to_message_id"] == "msg-0"
    assert found["button"] == {"id": "l", "title": "hello"}


def test_reactions() -> None:
    [example] = MESSAGES["reaction"]["reaction"]
    standard = one("reaction")
    assert (standard.type, standard.data["event"]["reaction"]) == ("message.reaction", "👍")
    assert standard.data["message"]["target_message_id"] == "msg-0"
    removed = one("reaction", reaction=[{**example, "operation": "REMOVE"}])
    assert removed.data["event"]["reaction"] == ""
    picture = {**example, "type": "AI_EMOJI", "ai_emoji_url": "https://x.tiktokcdn.com/1?secret"}
    del picture["emoji"]
    shown = one("reaction", reaction=[picture])
    assert shown.data["event"]["reaction"] == "[ai_emoji]"
    assert "secret" not in json.dumps([shown.data, shown.provider_data.item])
    both = parsed("im_receive_msg", {**HEAD, "type": "reaction", "reaction": [example, picture]})
    assert len({each.event.key for each in both}) == 2
    [by_owner] = sent("reaction")
    assert by_owner.data["event"]["name"] == "message_echo"
    assert by_owner.data["event"]["change"] == "reaction"


@pytest.mark.parametrize("source", TIKTOK["source_of_sent"])
def test_what_the_business_sends(source: str) -> None:
    [standard] = sent("text", message_tag={"source": source})
    assert standard.conversation_id == CHAT
    if source == "API":
        assert standard.type == "message.status.updated"
        assert standard.data["message"] == {"id": "msg-2", "status": "sent"}
        assert standard.provider_data.item["content"]["text"] == {"body": "hello"}
        return
    assert standard.data["event"]["name"] == "message_echo"
    assert standard.data["message"]["direction"] == "outbound"
    assert (standard.data["message"]["text"], standard.data["sender"]["id"]) == ("hello", BUSINESS)


def test_who_wrote_is_decided_by_the_ids() -> None:
    """An event of received messages whose sender is the business is no message of a customer."""
    [standard] = standards(parsed("im_receive_msg", EVENTS["im_send_msg"]))
    assert standard.data["event"]["name"] == "message_echo"


def test_a_kind_and_an_event_of_next_year() -> None:
    found = one("hologram", hologram={"x": 1}).data["message"]
    assert (found["type"], found["kind"], found["text"]) == ("unknown", "hologram", "[unsupported: hologram]")
    [standard] = standards(parsed("im_new_event", {"x": 1}))
    assert standard.data["event"] == {"kind": "provider_event", "name": "im_new_event"}
    assert standard.provider_data.item["content"] == {"x": 1}


def test_ids_that_are_numbers_keep_all_digits() -> None:
    content = {**HEAD, "message_id": 7247303576418566913, "conversation_id": 9007199254740993}
    [standard] = standards(parsed("im_receive_msg", {**content, "type": "text", **MESSAGES["text"]}))
    assert standard.data["message"]["id"] == "7247303576418566913"
    assert standard.conversation_id == "9007199254740993"


@pytest.mark.parametrize(
    "content", [{}, None, "", [], "no json", {"message_id": "m"}, {**HEAD, "message_id": ""}]
)
def test_a_message_that_cannot_be_read_is_set_aside(content: Any) -> None:
    raw = webhook("im_receive_msg", content, as_it_is=isinstance(content, str))
    [addressed] = parse_webhook(raw, "path")
    assert isinstance(addressed.event, Unparsed)
    assert addressed.event.conversation is None


@pytest.mark.parametrize(
    "wrong",
    [{"text": {"body": 5}}, {"type": "image"}, {"type": "reaction", "reaction": []}, {"scene": 1, "text": 7}],
)
def test_a_message_whose_content_cannot_be_read_is_not_lost(wrong: dict[str, Any]) -> None:
    [addressed] = parse_webhook(webhook("im_receive_msg", {**HEAD, "type": "text", **wrong}), "path")
    assert isinstance(addressed.event, Unparsed)
    [standard] = normalize(addressed.event, AT * 1000)
    assert (standard.type, standard.conversation_id) == ("message.received", CHAT)
    assert standard.data["message"]["id"] == "msg-1"
    good = parsed("im_receive_msg", {**HEAD, "type": "text", **MESSAGES["text"]})[0].event
    assert isinstance(good, MessageReceived)
    assert addressed.event.key == good.key


def test_content_may_be_an_object() -> None:
    raw = webhook("im_receive_msg", {**HEAD, "type": "text", **MESSAGES["text"]}, as_it_is=True)
    [addressed] = parse_webhook(raw, "path")
    assert isinstance(addressed.event, MessageReceived)


def test_depth_is_counted_inside_of_the_string_too() -> None:
    deep = "[" * 5000 + "]" * 5000
    text = json.dumps({**HEAD, "type": "text", "text": {"body": "x"}})[:-1] + f', "x": {deep}}}'
    [addressed] = parse_webhook(webhook("im_receive_msg", text, as_it_is=True), "path")
    assert isinstance(addressed.event, Unparsed)


def test_half_of_a_character_costs_that_character_only() -> None:
    content = json.dumps({**HEAD, "type": "text", "text": {"body": "cut XX"}}).replace("XX", "\\ud83d")
    [addressed] = parse_webhook(webhook("im_receive_msg", content, as_it_is=True), "path")
    assert isinstance(addressed.event, MessageReceived)
    assert addressed.event.content.text == "cut \ufffd"
