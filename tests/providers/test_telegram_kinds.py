"""Every field of a message and every kind of update that the Bot API's documentation has.

`telegram_documentation.json` lists them, with the documentation's version and an example of each; the
interop test compares the list with the models of `aiogram`. What is missing in a table of the parser, or in
the tables here, fails.
"""

import json
from typing import Any

import pytest

from tests.providers.documentation import TELEGRAM
from unifyport.model.event import EventType
from unifyport.model.normalize import normalize
from unifyport.providers.telegram.bot.content import ACCOMPANYING, BESIDE
from unifyport.providers.telegram.bot.kinds import KINDS
from unifyport.providers.telegram.bot.parse import parse_update
from unifyport.providers.telegram.bot.services import SERVICES
from unifyport.providers.telegram.bot.updates import ALLOWED_UPDATES, UPDATES

FIELDS, KINDS_OF_UPDATES = TELEGRAM["message"], TELEGRAM["update"]
HEAD = {
    "message_id": 5,
    "date": 1_780_790_400,
    "chat": {"id": 7, "type": "private", "first_name": "Mei"},
    "from": {"id": 7, "is_bot": False, "first_name": "Mei"},
}
RICH = "Order 4711\nplease send two printers to this shop\n1. black\n2. white\nsize | A4\nthe old one"
CARD = "BEGIN:VCARD\nVERSION:3.0\nN:Tan;Mei;;;\nFN:Mei Tan\nTEL:+6590000001\nEND:VCARD"
# kind -> type, text, typed fields, ids of the attachments
CONTENT: dict[str, tuple[str, str, set[str], list[str]]] = {
    "text": ("text", "Read the article", set(), []),
    "rich_message": ("text", RICH, {"entities"}, ["RP1"]),
    "animation": ("video", "", set(), ["F1"]),
    "audio": ("audio", "", set(), ["F1"]),
    "checklist": ("unknown", "Move out\n[ ] return keys\n[x] pay rent", {"checklist"}, []),
    "contact": ("contact", CARD, {"contacts"}, []),
    "dice": ("unknown", "🎲 3", {"dice"}, []),
    "document": ("document", "", set(), ["F1"]),
    "game": ("unknown", "Chess\na board game", set(), ["F1"]),
    "giveaway": ("unknown", "[giveaway: 3 winners]\na printer", {"giveaway"}, []),
    "giveaway_winners": (
        "unknown",
        "[giveaway ended: 1 winners]\n100 stars\nKim",
        {"giveaway_winners"},
        [],
    ),
    "invoice": ("unknown", "Order 7\ntwo printers\n123.45 EUR", {"invoice"}, []),
    "live_photo": ("image", "", set(), ["P1", "F1"]),
    "location": ("location", "1.500000,103.250000", {"location"}, []),
    "paid_media": ("unknown", "[paid media: 5 stars]", set(), ["F1"]),
    "photo": ("image", "", set(), ["F2"]),
    "poll": ("unknown", "Lunch at 12?\n- Yes\n- Noon-ish", {"poll"}, []),
    "sticker": ("sticker", "👍", set(), ["F1"]),
    "story": ("unknown", "[story of News]", {"story"}, []),
    "venue": ("location", "Shop\nRoad 1\n1.500000,103.250000", {"location"}, []),
    "video": ("video", "", set(), ["F1"]),
    "video_note": ("video", "", set(), ["F1"]),
    "voice": ("audio", "", set(), ["F1"]),
    "web_app_data": ("unknown", '{"size": 42}', {"web_app_data"}, []),
}
# service message -> `kind` of the change, or the reason of the move; all others are `provider.event`
GROUP_CHANGES = {
    "new_chat_members": "member_added",
    "left_chat_member": "member_removed",
    "new_chat_title": "renamed",
}
MOVES = {
    "migrate_to_chat_id": ("-1001700000010", "7"),
    "migrate_from_chat_id": ("7", "-17"),
}
# field beside the content -> what the message in the event has by it
FIELDS_BESIDE: dict[str, dict[str, Any]] = {
    "author_signature": {"author_signature": "author_signature"},
    "business_connection_id": {"business_connection_id": "business_connection_id"},
    "direct_messages_topic": {"direct_messages_topic_id": "1"},
    "ephemeral_message_id": {"ephemeral_message_id": "1"},
    "external_reply": {"external_reply": {"origin": {"type": "user", "id": "9", "name": "Kim"}}},
    "forward_origin": {
        "forwarded": True,
        "forward_origin": {"type": "channel", "id": "-1001700000005", "name": "News", "message_id": "9"},
    },
    "guest_query_id": {"guest_query_id": "guest_query_id"},
    "media_group_id": {"media_group_id": "media_group_id"},
    "message_thread_id": {"thread_id": "1"},
    "quote": {"quote": {"text": "only this part", "is_manual": True}},
    "reply_to_checklist_task_id": {"reply_to_checklist_task_id": "1"},
    "reply_to_message": {"reply_to_message_id": "1"},
    "reply_to_poll_option_id": {"reply_to_poll_option_id": "reply_to_poll_option_id"},
    "reply_to_story": {"reply_to_story_id": "1"},
    "via_bot": {"via_bot": {"id": "9", "username": "helper_bot"}},
}
# kind of update -> the events that its example gives, or the name of the `provider.event`
OTHER_UPDATES: dict[str, list[str]] = {
    "message": ["message.received"],
    "edited_message": ["message.updated"],
    "channel_post": ["message.received"],
    "edited_channel_post": ["message.updated"],
    "business_message": ["message.received"],
    "edited_business_message": ["message_echo"],
    "deleted_business_messages": ["message.deleted", "message.deleted"],
    "guest_message": ["message.received"],
    "message_reaction": ["message.reaction"],
    "callback_query": ["message.received"],
    "poll_answer": ["poll_vote"],
    "my_chat_member": ["contact_blocked"],
    "chat_member": ["group.updated"],
    "chat_join_request": ["group.join_request"],
}


def parse(update: dict[str, Any], update_id: int = 1) -> list[Any]:
    raw = json.dumps({"update_id": update_id, **update}).encode()
    event, _ = parse_update(raw, "42")
    return normalize(event, 1_780_790_400_000)


def message(**fields: Any) -> Any:
    [standard] = parse({"message": {**HEAD, **fields}})
    return standard


def test_the_documented_fields_are_on_exactly_one_list() -> None:
    assert TELEGRAM["version"] == "10.3"
    lists = [set(KINDS), set(SERVICES), set(ACCOMPANYING)]
    assert set().union(*lists) == set(FIELDS)
    assert sum(map(len, lists)) == len(FIELDS)
    assert set(UPDATES) == set(KINDS_OF_UPDATES)
    assert set(ALLOWED_UPDATES) == set(UPDATES) - {"inline_query", "chosen_inline_result"}
    assert set(CONTENT) == set(KINDS)
    assert set(FIELDS_BESIDE) - {"reply_to_message"} == set(BESIDE)


@pytest.mark.parametrize("kind", CONTENT)
def test_kinds_of_content(kind: str) -> None:
    type_, text, fields, files = CONTENT[kind]
    standard = message(**{kind: FIELDS[kind]})
    found = standard.data["message"]
    assert standard.type == EventType.MESSAGE_RECEIVED
    assert (found["type"], found["kind"], found["text"]) == (type_, kind, text)
    assert [a["metadata"]["provider_file_id"] for a in found.get("attachments", [])] == files
    known = {"id", "type", "kind", "text", "attachments", "direction", "sent_at"}
    assert set(found) - known == fields
    assert standard.provider_data.item == {**HEAD, kind: FIELDS[kind]}


@pytest.mark.parametrize("kind", SERVICES)
def test_service_messages_are_not_messages_of_a_customer(kind: str) -> None:
    standard = message(**{kind: FIELDS[kind]})
    assert standard.provider_data.item[kind] == FIELDS[kind]
    if kind in GROUP_CHANGES:
        assert standard.type == EventType.GROUP_UPDATED
        assert [change["kind"] for change in standard.data["changes"]] == [GROUP_CHANGES[kind]]
    elif kind in MOVES:
        assert standard.type == EventType.CONVERSATION_UPDATED
        assert (standard.data["conversation"]["id"], standard.data["previous_id"]) == MOVES[kind]
        assert standard.data["event"]["reason"] == "migrated"
    else:
        assert standard.type == EventType.PROVIDER_EVENT
        assert standard.data["event"] == {"kind": "provider_event", "name": kind, "message_id": "5"}
        assert standard.data["conversation"]["id"] == "7"


@pytest.mark.parametrize("field", FIELDS_BESIDE)
def test_fields_beside_the_content(field: str) -> None:
    found = message(text="hi", **{field: FIELDS[field]})
    for name, value in FIELDS_BESIDE[field].items():
        assert found.data["message"][name] == value
    wrong = message(text="hi", **{field: [[]]})
    assert wrong.data["message"]["text"] == "hi"


@pytest.mark.parametrize("kind", UPDATES)
def test_kinds_of_updates(kind: str) -> None:
    example = KINDS_OF_UPDATES[kind]
    found = parse({kind: example})
    names = [s.data["event"]["name"] if s.type == EventType.PROVIDER_EVENT else str(s.type) for s in found]
    assert names == OTHER_UPDATES.get(kind, [kind])
    for standard in found:
        assert standard.provider_data.item == example
        assert standard.occurred_at


def test_a_pressed_button_is_a_message_with_the_querys_id() -> None:
    [pressed] = parse({"callback_query": KINDS_OF_UPDATES["callback_query"]})
    found = pressed.data["message"]
    assert (found["id"], found["reply_to_message_id"], found["text"]) == ("Q1", "5", "Yes")
    assert found["button"] == {"id": "yes-1", "title": "Yes"}
    assert (pressed.conversation_id, pressed.data["sender"]["id"]) == ("7", "7")
    query = {k: v for k, v in KINDS_OF_UPDATES["callback_query"].items() if k != "message"}
    [elsewhere] = parse({"callback_query": {**query, "inline_message_id": "I1"}})
    assert elsewhere.type == EventType.PROVIDER_EVENT
    assert elsewhere.data["message"]["text"] == "yes-1"
    assert elsewhere.data["sender"]["id"] == "7"


GAME: dict[str, Any] = {"text": "Play", "callback_game": {}}
KEYBOARDS: list[tuple[Any, dict[str, str], str]] = [
    ([[{"text": "No", "callback_data": "n"}, {"text": "Yes", "callback_data": "y"}]], {"data": "y"}, "Yes"),
    ([[{"text": "Other", "callback_data": "o"}]], {"data": "y"}, "y"),
    (
        [["old", {"text": 5, "callback_data": "y"}, {"text": "Yes", "callback_data": "y"}]],
        {"data": "y"},
        "Yes",
    ),
    ([[{"text": "See", "url": "https://a.example"}, GAME]], {"game_short_name": "chess"}, "Play"),
    ([[GAME, {"text": "Yes", "callback_data": "y"}]], {"data": "y"}, "Yes"),
    ({}, {"data": "y"}, "y"),
    (None, {"game_short_name": "chess"}, "chess"),
    (None, {}, "[callback_query]"),
]


@pytest.mark.parametrize(("keyboard", "chosen", "text"), KEYBOARDS)
def test_the_text_of_a_pressed_button(keyboard: Any, chosen: dict[str, str], text: str) -> None:
    query = {k: v for k, v in KINDS_OF_UPDATES["callback_query"].items() if k != "data"}
    below = {**query["message"], "reply_markup": {"inline_keyboard": keyboard}}
    [pressed] = parse({"callback_query": {**query, **chosen, "message": below}})
    assert pressed.data["message"]["text"] == text


def test_what_the_owner_writes_is_an_echo_and_what_the_bot_wrote_is_not() -> None:
    business = {
        **KINDS_OF_UPDATES["business_message"],
        "from": {"id": 8, "is_bot": False, "first_name": "Owner"},
    }
    [echo] = parse({"business_message": business})
    [customer] = parse({"business_message": KINDS_OF_UPDATES["business_message"]})
    assert echo.data["event"] == {"kind": "provider_event", "name": "message_echo", "change": "sent"}
    assert echo.data["message"]["direction"] == "outbound"
    assert echo.conversation_id == customer.conversation_id == "business:BC1:7"
    own = {**business, "sender_business_bot": {"id": 42, "is_bot": True, "first_name": "Bot"}}
    assert parse({"business_message": own}) == []
    [other] = parse({"business_message": {**own, "sender_business_bot": {**own["from"], "id": 43}}})
    assert other.data["event"]["name"] == "message_echo"


def test_the_bots_place_in_a_group() -> None:
    member = KINDS_OF_UPDATES["chat_member"]

    def change(old: dict[str, Any], new: dict[str, Any]) -> Any:
        bot = {"id": 42, "is_bot": True, "first_name": "Bot"}
        update = {**member, "old_chat_member": {"user": bot, **old}, "new_chat_member": {"user": bot, **new}}
        [standard] = parse({"my_chat_member": update})
        return standard.data.get("changes", standard.data["event"])

    assert change({"status": "member"}, {"status": "kicked"}) == [
        {"kind": "member_removed", "member_ids": ["42"]}
    ]
    assert change({"status": "left"}, {"status": "restricted", "is_member": True}) == [
        {"kind": "member_added", "member_ids": ["42"]}
    ]
    assert change({"status": "member"}, {"status": "administrator"}) == [
        {"kind": "promoted", "member_ids": ["42"]}
    ]
    assert change({"status": "administrator"}, {"status": "member"}) == [
        {"kind": "demoted", "member_ids": ["42"]}
    ]
    assert (
        change({"status": "member"}, {"status": "restricted", "is_member": True})["name"] == "my_chat_member"
    )


def test_a_member_who_comes_is_reported_once() -> None:
    """By an update, which only administrators get, and by a service message, which a group may hide."""
    update = KINDS_OF_UPDATES["chat_member"]
    chat, user = update["chat"], update["from"]
    service = {**HEAD, "chat": chat, "date": update["date"], "from": user, "new_chat_members": [user]}
    keys = set()
    for number, fields in enumerate(({"chat_member": update}, {"message": service})):
        event, _ = parse_update(json.dumps({"update_id": number, **fields}).encode(), "42")
        keys.add(event.key)
    assert len(keys) == 1


def test_a_field_that_no_table_has_is_a_message() -> None:
    found = message(hologram={"url": "x"})
    assert found.type == EventType.MESSAGE_RECEIVED
    assert (found.data["message"]["type"], found.data["message"]["kind"]) == ("unknown", "hologram")
    assert found.data["message"]["text"] == "[unsupported: hologram]"
    assert found.provider_data.item["hologram"] == {"url": "x"}
    [update] = parse({"hologram_message": {**HEAD, "text": "hi"}})
    assert update.data["message"]["text"] == "hi"
    assert message(text="hi", new_flag=True).data["message"]["kind"] == "text"


def test_messages_without_a_number_have_distinct_ids() -> None:
    ephemeral = {**HEAD, "message_id": 0, "ephemeral_message_id": 3, "text": "hi"}
    first, second = (parse({"message": ephemeral}, number)[0].data["message"]["id"] for number in (1, 2))
    assert (first, second) == ("ephemeral:3:1", "ephemeral:3:2")
    [scheduled] = parse({"message": {**HEAD, "message_id": 0, "text": "hi"}}, 4)
    assert scheduled.data["message"]["id"] == "update:4"


def test_a_message_in_a_topic_is_no_reply_to_its_first_message() -> None:
    root = {"message_id": 42, "date": 1, "chat": HEAD["chat"], "forum_topic_created": {}}
    topic = message(text="hi", message_thread_id=42, is_topic_message=True, reply_to_message=root)
    assert "reply_to_message_id" not in topic.data["message"]
    assert topic.data["message"]["thread_id"] == "42"
    reply = message(
        text="hi", message_thread_id=42, is_topic_message=True, reply_to_message={**root, "message_id": 43}
    )
    assert reply.data["message"]["reply_to_message_id"] == "43"


def test_entities_of_texts_captions_and_edits() -> None:
    link = {"type": "text_link", "offset": 3, "length": 4, "url": "https://shop.example"}
    text = "\U0001f600 here"
    expected = [{**link, "offset": 2}]
    assert message(text=text, entities=[link]).data["message"]["entities"] == expected
    captioned = message(photo=FIELDS["photo"], caption=text, caption_entities=[link])
    assert captioned.data["message"]["entities"] == expected
    [edited] = parse({"edited_message": {**HEAD, "text": text, "entities": [link], "edit_date": 2}})
    assert edited.data["message"]["entities"] == expected
    rich = message(rich_message=FIELDS["rich_message"]).data["message"]
    marked = [rich["text"][e["offset"] : e["offset"] + e["length"]] for e in rich["entities"]]
    assert marked == ["two printers", "this shop"]
    assert [e.get("url") for e in rich["entities"]] == [None, "https://shop.example/b"]
    assert message(text="x", entities="wrong").data["message"]["text"] == "x"
