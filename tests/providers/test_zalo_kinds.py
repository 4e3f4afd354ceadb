"""Every event that the documentation of Zalo has, of bots and of Official Accounts.

`zalo_documentation.json` lists them, with the documentation's version and an example of each. What is missing
in a table of a parser, or in the tables here, fails.
"""

import copy
import json
from typing import Any

import pytest

from tests.providers.documentation import ZALO
from unifyport.model.event import EventType
from unifyport.model.inbound import Unparsed
from unifyport.model.normalize import normalize
from unifyport.providers.contract.ingress import Addressed
from unifyport.providers.zalo.bot import parse as bot
from unifyport.providers.zalo.official import kinds
from unifyport.providers.zalo.official import parse as official

OA, USER, GROUP, AT = "579745863508352884", "2512523625412515", "f414c8f76fa586fbdfb4", 1_780_790_400_000
BOT = "1459232241454765289"
UPDATES: dict[str, Any] = ZALO["bot"]["event"] | ZALO["bot"]["event_seen"]
EVENTS: dict[str, Any] = ZALO["official"]["event"]
CARD = "BEGIN:VCARD\nVERSION:3.0\nN:;Mai;;;\nFN:Mai\nTEL;TYPE=CELL:84900000001\nEND:VCARD"
# kind -> type, text, typed fields
OF_BOTS: dict[str, tuple[str, str, set[str]]] = {
    "text": ("text", "hello", set()),
    "image": ("image", "look", {"attachments"}),
    "sticker": ("sticker", "", {"attachments", "sticker_id"}),
    "voice": ("audio", "", {"attachments", "voice"}),
    "unsupported": ("unknown", "[unsupported: message]", set()),
    "link": ("text", "https://shop.example", set()),
}
OF_ACCOUNTS: dict[str, tuple[str, str, set[str]]] = {
    "text": ("text", "hello", set()),
    "image": ("image", "look", {"attachments"}),
    "gif": ("image", "", {"attachments", "animated"}),
    "link": ("text", "https://shop.example/?a=1\nShop", {"link"}),
    "audio": ("audio", "", {"attachments"}),
    "video": ("video", "", {"attachments"}),
    "sticker": ("sticker", "", {"attachments", "sticker_id"}),
    "location": ("location", "10.764617,106.687279", {"location"}),
    "business_card": ("contact", CARD, {"contacts"}),
    "file": ("document", "", {"attachments"}),
    "list": ("unknown", "menu", set()),
    "template": ("unknown", "offer", set()),
}
# event -> type of ours, name of a `provider.event` or what has changed
OTHERS: dict[str, tuple[str, str]] = {
    "user_received_message": ("message.delivered", ""),
    "user_seen_message": ("message.read", ""),
    "user_reacted_message": ("message.reaction", "❤️"),
    "oa_reacted_message": ("provider.event", "message_echo"),
    "follow": ("provider.event", "follow"),
    "unfollow": ("provider.event", "contact_blocked"),
    "user_join_group": ("group.updated", "member_added"),
    "user_out_group": ("group.updated", "member_removed"),
    "add_group_admin": ("group.updated", "promoted"),
    "remove_group_admin": ("group.updated", "demoted"),
    "delete_group": ("group.updated", "dissolved"),
    "user_request_join_group": ("group.join_request", USER),
}
FILES = {"image", "gif", "audio", "video", "sticker", "file", "template"}


def of_account(event: Any, identity: str = OA) -> Addressed:
    [addressed] = official.parse_webhook(json.dumps(event).encode(), identity)
    assert not isinstance(addressed.event, Unparsed), addressed.event.reason
    return addressed


def one(addressed: Addressed) -> Any:
    return normalize(addressed.event, AT)[0]


def kind_of(name: str) -> str:
    """What a name says was sent; empty if it is no message."""
    for start in ("user_send_group_", "oa_send_group_", "oa_send_anonymous_", "anonymous_send_"):
        if name.startswith(start):
            return name.removeprefix(start)
    for start in ("user_send_", "oa_send_"):
        if name.startswith(start) and name != "oa_send_consent":
            return name.removeprefix(start)
    return ""


def test_all_that_is_documented_is_in_the_tables() -> None:
    assert (ZALO["bot"]["version"], ZALO["official"]["version"]) == ("Stable v2.5.0", "OpenAPI v3.0")
    assert set(bot.KINDS) == set(OF_BOTS)
    assert {name.split(".")[1] for name in UPDATES} == set(OF_BOTS) | {"reaction"}
    assert set(kinds.KINDS) == set(OF_ACCOUNTS) == {kind_of(name) for name in EVENTS} - {""}
    assert set(OTHERS) <= set(EVENTS)


@pytest.mark.parametrize("name", UPDATES)
def test_updates_of_bots(name: str) -> None:
    raw = json.dumps(UPDATES[name]).encode()
    standard: Any = normalize(bot.parse_update(raw, BOT), AT)[0]
    kind = name.split(".")[1]
    assert standard.occurred_at == AT
    assert standard.data["conversation"]["id"] == "6ede9afa66b88fe6d6a9"
    if kind not in OF_BOTS:
        assert (standard.type, standard.data["event"]["name"]) == (EventType.PROVIDER_EVENT, name)
        return
    type_, text, fields = OF_BOTS[kind]
    found = standard.data["message"]
    assert (found["type"], found["kind"], found["text"]) == (type_, kind, text)
    assert set(found) - {"id", "type", "kind", "text", "direction", "sent_at"} == fields
    shown = json.dumps([standard.data, standard.provider_data.item])
    assert not any(host in shown for host in ("zdn.vn", "zadn.vn"))


def test_shapes_of_updates() -> None:
    """As webhooks wrap them, as polls return them, and as they were before."""
    update = UPDATES["message.image.received"]
    wrapped = {"ok": True, "result": update}
    keys = {bot.parse_update(json.dumps(each).encode(), BOT).key for each in (update, wrapped)}
    without_name = {"message": update["message"]}
    keys.add(bot.parse_update(json.dumps(without_name).encode(), BOT).key)
    assert len(keys) == 1
    old = copy.deepcopy(update)
    old["message"] |= {"photo": old["message"].pop("photo_url"), "date": 1_780_790_400}
    old["message"]["from"] = {"id": "6ede9afa66b88fe6d6a9", "name": "Mai"}
    standard = normalize(bot.parse_update(json.dumps(old).encode(), BOT), AT)[0]
    assert standard.occurred_at == AT
    assert standard.data["sender"]["name"] == "Mai"
    assert len(standard.data["message"]["attachments"]) == 1
    group = copy.deepcopy(update)
    group["message"]["chat"] = {"id": "zgr-1", "chat_type": "GROUP"}
    standard = normalize(bot.parse_update(json.dumps(group).encode(), BOT), AT)[0]
    assert (standard.data["conversation"]["id"], standard.data["conversation"]["type"]) == ("zgr-1", "group")
    echo = copy.deepcopy(update)
    echo["message"]["from"] = {"id": BOT, "is_bot": True}
    standard = normalize(bot.parse_update(json.dumps(echo).encode(), BOT), AT)[0]
    assert standard.data["event"]["name"] == "message_echo"


@pytest.mark.parametrize("name", [name for name in EVENTS if kind_of(name)])
def test_messages_of_accounts(name: str) -> None:
    addressed = of_account(EVENTS[name])
    assert (addressed.identity, addressed.at) == (OA, AT)
    kind, standard = kind_of(name), one(addressed)
    expected = GROUP if "_group_" in name else "anonymous:anon1:c-1" if "anonymous" in name else USER
    chat = standard.data["conversation"]
    assert (chat["id"], chat["type"]) == (expected, "group" if "_group_" in name else "user")
    by_account = name.startswith("oa_")
    if by_account and "admin_id" not in EVENTS[name]["sender"]:
        assert standard.type == EventType.MESSAGE_STATUS_UPDATED
        shown = standard.data["message"]
        assert (shown["id"], shown["status"]) == (EVENTS[name]["message"]["msg_id"], "sent")
        return
    type_, text, fields = OF_ACCOUNTS[kind]
    if "_group_text" in name:
        text, fields = "hello [@6434]", {"entities"}
    found = standard.data["message"]
    assert (found["type"], found["kind"], found["text"]) == (type_, kind, text)
    known = {"id", "type", "kind", "text", "direction", "sent_at"}
    assert set(found) - known == fields | ({"reply_to_message_id"} if name == "user_send_text" else set())
    if fields == {"entities"}:
        [entity] = found["entities"]
        assert text[entity["offset"] :][: entity["length"]] == "[@6434]"
        assert entity["user"] == {"id": "6434"}
    assert standard.type == (EventType.PROVIDER_EVENT if by_account else EventType.MESSAGE_RECEIVED)
    assert found["direction"] == ("outbound" if by_account else "inbound")
    assert standard.data["sender"]["id"] == (
        OA if by_account else "anon1" if name.startswith("anonymous") else USER
    )
    if kind in FILES - {"template"}:
        shown = json.dumps([standard.data, standard.provider_data.item])
        assert not any(host in shown for host in ("zdn.vn", "zadn.vn"))


@pytest.mark.parametrize("name", [name for name in EVENTS if not kind_of(name)])
def test_other_events_of_accounts(name: str) -> None:
    addressed = of_account(EVENTS[name])
    assert (addressed.identity, addressed.at) == (OA, AT)
    standard = one(addressed)
    type_, what = OTHERS.get(name, ("provider.event", name))
    assert (str(standard.type), standard.occurred_at) == (type_, AT)
    found = {
        "provider.event": lambda: standard.data["event"]["name"],
        "group.updated": lambda: standard.data["changes"][0]["kind"],
        "group.join_request": lambda: standard.data["requester"]["id"],
        "message.reaction": lambda: standard.data["event"]["reaction"],
    }.get(type_, lambda: "")()
    assert found == what
    assert standard.provider_data.item == EVENTS[name]
    if "group_id" in EVENTS[name]:
        assert standard.data["conversation"]["id"] == GROUP
    elif any(USER in json.dumps(value) for value in EVENTS[name].values()):
        assert standard.data["conversation"]["id"] == USER


@pytest.mark.parametrize("name", ["user_received_message", "user_seen_message"])
def test_receipts_are_told_both_ways(name: str) -> None:
    event = EVENTS[name]
    turned = {**event, "sender": event["recipient"], "recipient": event["sender"]}
    for each in (event, turned):
        addressed = of_account(each)
        assert (addressed.identity, one(addressed).data["conversation"]["id"]) == (OA, USER)
    assert one(of_account(event)).data["message"]["ids"] == (
        event["message"].get("msg_ids") or [event["message"]["msg_id"]]
    )


def test_a_receipt_of_a_template_is_no_receipt_of_a_conversation() -> None:
    event = copy.deepcopy(EVENTS["user_received_message"])
    event["recipient"]["id"] = "84900000001"
    event["message"] |= {"delivery_time": "1780790400000", "tracking_id": "x"}
    standard = one(of_account(event))
    assert standard.data == {"event": {"kind": "provider_event", "name": "user_received_message"}}


def test_whose_an_event_is() -> None:
    """Also where the account in the path is another one of the app."""
    for name, event in EVENTS.items():
        assert of_account(event, "1").identity == OA, name
    nobody = {"event_name": "of_next_year", "timestamp": str(AT)}
    assert of_account(nobody, "1").identity == "1"


def test_kinds_of_next_year_and_reactions_without_an_emoji() -> None:
    event = copy.deepcopy(EVENTS["user_send_text"])
    event["event_name"] = "user_send_hologram"
    del event["message"]["text"]
    found = one(of_account(event)).data["message"]
    assert (found["type"], found["kind"], found["text"]) == ("unknown", "hologram", "[unsupported: hologram]")
    reaction = copy.deepcopy(EVENTS["user_reacted_message"])
    for icon, emoji in (("/-remove", ""), ("/-new", "/-new")):
        reaction["message"]["react_icon"] = icon
        assert one(of_account(reaction)).data["event"]["reaction"] == emoji


def test_a_message_that_cannot_be_read_is_told_all_the_same() -> None:
    event = copy.deepcopy(EVENTS["user_send_image"])
    event["message"]["attachments"] = "none"
    [addressed] = official.parse_webhook(json.dumps(event).encode(), OA)
    standard = one(addressed)
    assert isinstance(addressed.event, Unparsed)
    assert standard.data["message"]["text"] == "[unreadable message]"
    update = copy.deepcopy(UPDATES["message.text.received"])
    update["message"]["text"] = {"a": 1}
    standard = normalize(bot.parse_update(json.dumps(update).encode(), BOT), AT)[0]
    assert standard.data["message"]["text"] == "[unreadable message]"


@pytest.mark.parametrize(
    "raw", [b"", b"null", b"[]", b"{}", b"not json", b'{"event_name": 5}', b"[" * 100_000]
)
def test_garbage(raw: bytes) -> None:
    for parse in (bot.parse_webhook, official.parse_webhook):
        [addressed] = parse(raw, OA)
        assert isinstance(addressed.event, Unparsed)
        assert (addressed.identity, addressed.raw) == (OA, raw)
