"""Every event and every kind of message that X documents, with the event that it becomes.

`x_documentation.json` lists them, with the version of the documentation; the interop test compares the list
of event types with the models of X's own SDK.
"""

import json
from typing import Any

import pytest

from tests.providers.documentation import X
from unifyport.model.event import EventType
from unifyport.model.inbound import Unparsed
from unifyport.model.normalize import normalize
from unifyport.providers.x.api.chat_items import sealed_in
from unifyport.providers.x.api.events import EVENTS, SUBSCRIBED
from unifyport.providers.x.api.kinds import KINDS
from unifyport.providers.x.api.parse import parse_activity, parse_page
from unifyport.providers.x.api.shapes import Page

ME, MEI = "1111111111111111111", "2222222222222222222"
AT = 1_780_790_400_123
PHOTO = {"dm": "2080765901528535096", "media": "2080765901528535001", "resource": "a1B2c3.jpg"}
VIDEO = {"url": "https://video.twimg.com/dm_video/2080765901528535001/vid/avc1/640x360/a1B2c3.mp4"}
GIF = {"url": "https://video.twimg.com/dm_gif/2080765901528535001/a1B2c3.mp4"}
GROUP = "g3333333333333333333"

# type of event -> the events that its example gives, or the name of the `provider.event`
TYPES: dict[str, list[str]] = {
    "dm.received": ["message.received"],
    "dm.sent": ["message_echo"],
    "dm.read": ["message.read", "message.status.updated"],
    "dm.indicate_typing": [],
    "chat.received": ["message.received"],
    "chat.sent": ["message_echo"],
}
# kind of content -> type, kind, text, names of the typed fields, handles of the files
CONTENT: dict[str, tuple[str, str, str, set[str], list[dict[str, str]]]] = {
    "text": ("text", "text", "hello!", set(), []),
    "link": ("text", "text", "R&D: https://shop.example/a?b=1&c=2 <3", {"entities"}, []),
    "mention": ("text", "text", "ask @Shop_x about #printers $PRN", {"entities"}, []),
    "photo": ("image", "photo", "look", set(), [PHOTO]),
    "animated_gif": ("video", "animated_gif", "", set(), [GIF]),
    "video": ("video", "video", "see", set(), [VIDEO]),
    "quick_reply": ("text", "text", "Blue Bird", {"button"}, []),
    "ctas": ("text", "text", "Your flight", set(), []),
    "location": ("unknown", "location", "[unsupported: location]", set(), []),
}
# item of GET /2/dm_events -> event, type, kind, text, names of the typed fields
DM_EVENTS: dict[str, tuple[str, str, str, str, set[str]]] = {
    "MessageCreate": ("message.received", "text", "text", "hello!", set()),
    "photo": ("message.received", "image", "photo", "look", set()),
    "post": (
        "message.received",
        "text",
        "text",
        "this one https://x.com/XDevelopers/status/1580559079470145536",
        {"entities", "referenced_post_ids"},
    ),
    "group": ("message.received", "text", "text", "Hi everyone.", set()),
    "ParticipantsJoin": ("group.updated", "", "", "", set()),
    "ParticipantsLeave": ("group.updated", "", "", "", set()),
}


def report(event_type: str, payload: Any, **more: Any) -> bytes:
    data = {
        "event_uuid": "-6850472171600526495",
        "filter": {"user_id": ME},
        "event_type": event_type,
        "tag": "a tag",
        "payload": payload,
        **more,
    }
    return json.dumps({"data": data}).encode()


def events_of(raw: bytes) -> list[Any]:
    return [standard for each in parse_activity(raw, ME) for standard in normalize(each.event, AT)]


def received(content: str) -> Any:
    item = json.loads(json.dumps(X["payload"]["dm.received"]))
    item["direct_message_events"][0]["message_create"]["message_data"] = X["content"][content]
    [standard] = events_of(report("dm.received", item))
    return standard


def test_the_documented_kinds_are_in_the_tables() -> None:
    assert X["version"] == "2.167"
    assert {*EVENTS, "oauth.revoke"} <= {*X["event_types"]}
    assert {*SUBSCRIBED} <= {*EVENTS}
    assert {*X["content"]} == {*CONTENT}
    assert {*KINDS} <= {*CONTENT}
    assert {*X["dm_event"]} == {*DM_EVENTS}


@pytest.mark.parametrize("event_type", X["event_types"])
def test_each_type_of_event(event_type: str) -> None:
    """What has no row is a `provider.event` under X's word, with X's object."""
    payload = X["payload"].get(event_type, {"id": "1"})
    standards = events_of(report(event_type, payload))
    names = [
        s.data["event"]["name"] if s.type == EventType.PROVIDER_EVENT else str(s.type) for s in standards
    ]
    if event_type in ("chat.received", "chat.sent"):  # opened once the account's keys are at hand
        [found] = parse_activity(report(event_type, payload), ME)
        sealed = sealed_in(found.event)
        assert sealed is not None
        assert (names, sealed.encoded) == ([], payload["encoded_event"])
        return
    assert names == TYPES.get(event_type, [event_type])
    for standard in standards:
        assert standard.provider_data is not None


@pytest.mark.parametrize("kind", CONTENT)
def test_kinds_of_content(kind: str) -> None:
    type_, word, text, fields, handles = CONTENT[kind]
    standard = received(kind)
    message = standard.data["message"]
    assert (message["type"], message["kind"], message["text"]) == (type_, word, text)
    known = {"id", "type", "kind", "text", "attachments", "direction", "sent_at"}
    assert set(message) - known == fields
    [found] = parse_activity(report("dm.received", payload_with(kind)), ME)
    files = found.event.content.attachments  # type: ignore[union-attr]
    assert [json.loads(file.handle) for file in files] == handles
    assert standard.data["conversation"]["id"] == MEI
    assert standard.data["sender"]["username"] == "mei_x"
    assert standard.occurred_at == AT


def payload_with(kind: str) -> Any:
    item = json.loads(json.dumps(X["payload"]["dm.received"]))
    item["direct_message_events"][0]["message_create"]["message_data"] = X["content"][kind]
    return item


def test_what_a_text_refers_to() -> None:
    link, mention = received("link").data["message"], received("mention").data["message"]
    [url] = link["entities"]
    assert link["text"][url["offset"] : url["offset"] + url["length"]] == "https://shop.example/a?b=1&c=2"
    kinds = {entity["type"]: entity for entity in mention["entities"]}
    assert set(kinds) == {"mention", "hashtag", "cashtag"}
    assert kinds["mention"] == {"type": "mention", "offset": 4, "length": 7, "user_id": ME}
    assert received("quick_reply").data["message"]["button"]["id"] == "external_id_2"


def test_no_address_of_a_file_leaves() -> None:
    for kind in ("photo", "video", "animated_gif"):
        standard = received(kind)
        shown = json.dumps(standard.provider_data.item) + json.dumps(standard.data)
        assert "ton.x.com" not in shown
        assert "twimg.com" not in shown
        assert any(path.endswith("media_url_https") for path in standard.provider_data.redacted)


def test_a_change_of_an_encrypted_conversation() -> None:
    [changed] = events_of(report("chat.conversation_join", X["payload"]["chat.conversation_join"]))
    assert (changed.data["conversation"]["id"], changed.data["conversation"]["type"]) == (GROUP, "group")


def test_an_encrypted_message_without_its_event_is_quarantined() -> None:
    payload = {**X["payload"]["chat.received"], "encoded_event": ""}
    [found] = parse_activity(report("chat.received", payload), ME)
    assert isinstance(found.event, Unparsed)


@pytest.mark.parametrize("kind", DM_EVENTS)
def test_items_of_the_history(kind: str) -> None:
    name, type_, word, text, fields = DM_EVENTS[kind]
    page = Page(data=[raw(X["dm_event"][kind])])
    page.includes.users = [raw(each) for each in X["includes"]["users"]]
    page.includes.media = [raw(each) for each in X["includes"]["media"]]
    [event] = parse_page(page, ME)
    [standard] = normalize(event, AT)
    assert standard.type == name
    assert standard.provider_data is not None
    assert standard.provider_data.item == X["dm_event"][kind]
    if name == "group.updated":
        change = "member_added" if kind == "ParticipantsJoin" else "member_removed"
        assert standard.data["changes"] == [{"kind": change, "member_ids": ["944480690"]}]
        return
    message = standard.data["message"]
    assert (message["type"], message["kind"], message["text"]) == (type_, word, text)
    known = {"id", "type", "kind", "text", "attachments", "direction", "sent_at"}
    assert set(message) - known == fields
    assert standard.data["sender"]["name"] == "Mei"
    group = ("1578398451921985538", "group")
    conversation = standard.data["conversation"]
    assert (conversation["id"], conversation["type"]) == (group if kind == "group" else (MEI, "user"))


def raw(value: Any) -> Any:
    import msgspec

    return msgspec.Raw(json.dumps(value).encode())


def test_a_message_has_one_key_whichever_way_it_comes() -> None:
    [live] = parse_activity(report("dm.received", X["payload"]["dm.received"]), ME)
    [fetched] = parse_page(Page(data=[raw(X["dm_event"]["MessageCreate"])]), ME)
    assert live.event.key == fetched.key


def test_the_form_of_the_account_activity_api() -> None:
    [standard] = events_of(json.dumps(X["older"]).encode())
    assert standard.type == EventType.MESSAGE_RECEIVED
    assert (standard.data["message"]["text"], standard.data["sender"]["username"]) == ("hello!", "mei_x")
    other = {"for_user_id": ME, "follow_events": [{"type": "follow"}]}
    [report_] = events_of(json.dumps(other).encode())
    assert report_.data["event"]["name"] == "follow_events"


def test_a_revocation_names_its_user() -> None:
    payload = {**X["payload"]["oauth.revoke"], "user_id": "7"}
    [found] = parse_activity(report("oauth.revoke", payload, filter={}), ME)
    assert found.identity == "7"
