"""Cloud API webhooks -> provider events: every kind of item, and what cannot be read."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.model.inbound import (
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ReactionChanged,
    Status,
    StatusChanged,
    Unparsed,
)
from unifyport.providers.contract.ingress import Addressed
from unifyport.providers.whatsapp.cloud.kinds import hex_digest
from unifyport.providers.whatsapp.cloud.parse import parse_webhook

NUMBER, CUSTOMER, AT = "106540352242922", "6590000001", 1780790400
CONTACTS = [{"profile": {"name": "Mei"}, "wa_id": CUSTOMER, "user_id": "SG.123"}]


def webhook(**value: Any) -> bytes:
    value = {"metadata": {"phone_number_id": NUMBER}, "contacts": CONTACTS, **value}
    return json.dumps(
        {"object": "x", "entry": [{"changes": [{"field": "messages", "value": value}]}]}
    ).encode()


def item(**fields: Any) -> dict[str, Any]:
    return {"id": "wamid.1", "from": CUSTOMER, "timestamp": str(AT), **fields}


def one(**fields: Any) -> Any:
    [addressed] = parse_webhook(webhook(messages=[item(**fields)]), "path")
    assert addressed.identity == NUMBER
    return addressed.event


def file(**more: Any) -> dict[str, Any]:
    return {"id": "77", "mime_type": "image/jpeg", "sha256": "A" * 43 + "=", **more}


CONTENTS: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "text", "text": {"body": "hi"}}, "text", "hi"),
    ({"type": "image", "image": file(caption="look")}, "image", "look"),
    ({"type": "video", "video": file()}, "video", ""),
    ({"type": "audio", "audio": file(voice=True)}, "audio", ""),
    ({"type": "document", "document": file(filename="a.pdf")}, "document", ""),
    ({"type": "sticker", "sticker": file(animated=False)}, "sticker", ""),
    (
        {"type": "location", "location": {"latitude": 1.5, "longitude": 2, "name": "Home"}},
        "location",
        "Home\n1.500000,2.000000",
    ),
    (
        {
            "type": "contacts",
            "contacts": [
                {"name": {"formatted_name": "An B", "first_name": "An"}, "phones": [{"phone": "+1"}]}
            ],
        },
        "contact",
        "BEGIN:VCARD\nVERSION:3.0\nN:;An;;;\nFN:An B\nTEL:+1\nEND:VCARD",
    ),
    ({"type": "button", "button": {"text": "Yes", "payload": "y"}}, "text", "Yes"),
    ({"type": "button", "button": {"payload": "y"}}, "text", "y"),
    ({"type": "interactive", "interactive": {"button_reply": {"id": "b1"}}}, "text", "b1"),
    (
        {
            "type": "interactive",
            "interactive": {"type": "list_reply", "list_reply": {"id": "r1", "title": "Row"}},
        },
        "text",
        "Row",
    ),
    (
        {
            "type": "interactive",
            "interactive": {"type": "nfm_reply", "nfm_reply": {"response_json": '{"a":1}'}},
        },
        "text",
        '{"a":1}',
    ),
    ({"type": "order", "order": {"catalog_id": "1", "text": "two please"}}, "unknown", "two please"),
    ({"type": "unsupported", "errors": [{"code": 131051}]}, "unknown", "[unsupported: unsupported]"),
    (
        {"type": "something_of_next_year", "something_of_next_year": {}},
        "unknown",
        "[unsupported: something_of_next_year]",
    ),
]


@pytest.mark.parametrize(
    ("fields", "kind", "text"), CONTENTS, ids=[f"{r[1]}-{r[0]['type']}" for r in CONTENTS]
)
def test_contents(fields: dict[str, Any], kind: str, text: str) -> None:
    event = one(**fields)
    assert isinstance(event, MessageReceived)
    assert (event.content.id, event.content.type, event.content.text) == ("wamid.1", kind, text)
    assert (event.sender.id, event.sender.name, event.sender.phone) == (CUSTOMER, "Mei", f"+{CUSTOMER}")
    assert (event.conversation.id, event.conversation.type, event.sent_at) == (CUSTOMER, "user", AT * 1000)
    assert [a.file_id for a in event.content.attachments] == (
        ["77"] if fields["type"] in fields and "mime_type" in fields[fields["type"]] else []
    )


def test_what_a_message_refers_to() -> None:
    reply = one(type="text", text={"body": "a"}, context={"from": "x", "id": "wamid.0"})
    assert reply.content.reply_to_message_id == "wamid.0"
    pressed = one(type="button", button={"text": "Yes", "payload": "y"})
    assert (pressed.content.button.id, pressed.content.button.title) == ("y", "Yes")
    reaction = one(type="reaction", reaction={"message_id": "wamid.0", "emoji": "x"})
    assert isinstance(reaction, ReactionChanged)
    assert (reaction.target_message_id, reaction.emoji) == ("wamid.0", "x")
    assert one(type="reaction", reaction={"message_id": "wamid.0"}).emoji == ""
    deleted = one(type="revoke", revoke={"original_message_id": "wamid.0"})
    assert isinstance(deleted, MessageDeleted)
    assert deleted.message_id == "wamid.0"
    edited = one(
        type="edit",
        edit={"original_message_id": "wamid.0", "message": {"type": "text", "text": {"body": "new"}}},
    )
    assert isinstance(edited, MessageEdited)
    assert (edited.content.id, edited.content.text) == ("wamid.0", "new")
    assert isinstance(one(type="system", system={"type": "user_changed_number"}), PlatformEvent)


def test_groups_and_customers_who_hide_their_number() -> None:
    group = one(type="text", text={"body": "a"}, group_id="G1")
    assert (group.conversation.id, group.conversation.type, group.sender.id) == ("G1", "group", CUSTOMER)
    hidden = {
        "id": "wamid.2",
        "from_user_id": "SG.123",
        "timestamp": str(AT),
        "type": "text",
        "text": {"body": "a"},
    }
    [addressed] = parse_webhook(webhook(messages=[hidden]), "path")
    assert isinstance(addressed.event, MessageReceived)
    assert (addressed.event.sender.id, addressed.event.sender.name) == ("SG.123", "Mei")
    assert addressed.event.sender.phone == ""


@pytest.mark.parametrize("status", list(Status))
def test_statuses(status: Status) -> None:
    fields = {"id": "wamid.9", "status": str(status), "timestamp": str(AT), "recipient_id": CUSTOMER}
    if status is Status.FAILED:
        fields["errors"] = [{"code": 131026, "title": "no", "error_data": {"details": "why"}}]  # type: ignore[assignment]
    [addressed] = parse_webhook(webhook(statuses=[fields]), "path")
    event = addressed.event
    assert isinstance(event, StatusChanged)
    assert (event.status, event.message_ids, event.conversation.id, addressed.at) == (
        status,
        ["wamid.9"],
        CUSTOMER,
        AT * 1000,
    )
    expected = {"code": 131026, "title": "no", "details": "why"} if status is Status.FAILED else None
    assert event.error == expected


def test_keys_tell_events_apart_and_repeats_together() -> None:
    def keys(**value: Any) -> list[bytes]:
        return [addressed.event.key for addressed in parse_webhook(webhook(**value), "path")]

    base = {"id": "wamid.9", "status": "sent", "timestamp": "1", "recipient_id": "1"}
    variants = [base, {**base, "status": "read"}, {**base, "timestamp": "2"}, {**base, "recipient_id": "2"}]
    found = keys(statuses=variants) + keys(messages=[item(type="text", text={"body": "a"})])
    assert len(set(found)) == 5
    assert keys(statuses=variants) == found[:4]
    other = {"metadata": {"phone_number_id": "2"}, "statuses": [base]}
    assert keys(**other)[0] not in found


BROKEN: list[tuple[str, Any]] = [
    ("no id", {"from": CUSTOMER, "timestamp": str(AT), "type": "text", "text": {"body": "a"}}),
    ("no sender", {"id": "w", "timestamp": str(AT), "type": "text", "text": {"body": "a"}}),
    ("no time", {"id": "w", "from": CUSTOMER, "type": "text", "text": {"body": "a"}}),
    ("time is a word", item(type="text", text={"body": "a"}, timestamp="now")),
    ("text is a number", item(type="text", text={"body": 5})),
    ("not an object", 5),
]


@pytest.mark.parametrize(("name", "broken"), BROKEN, ids=[row[0] for row in BROKEN])
def test_a_broken_item_stops_nobody(name: str, broken: Any) -> None:
    good = item(type="text", text={"body": "good"}, id="wamid.good")
    first, second, third = parse_webhook(webhook(messages=[broken, good], statuses=[broken]), "path")
    assert isinstance(first.event, Unparsed)
    assert isinstance(second.event, MessageReceived)
    assert isinstance(third.event, Unparsed)
    assert json.loads(first.raw) == broken
    known = name == "text is a number"  # then at least who wrote is known
    assert (first.event.conversation is not None) is known


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"entry": 1}', b"\xff"])
def test_what_is_no_webhook_at_all(body: bytes) -> None:
    [addressed] = parse_webhook(body, "path")
    assert (addressed.identity, addressed.raw) == ("path", body)
    assert isinstance(addressed.event, Unparsed)


GOOD = item(type="text", text={"body": "good"})
VALUE = {"metadata": {"phone_number_id": NUMBER}, "contacts": CONTACTS, "messages": [GOOD]}
CHANGE = {"field": "messages", "value": VALUE}
ODD: list[tuple[str, dict[str, Any]]] = [
    ("entry null", {"entry": [None, {"changes": [CHANGE]}]}),
    ("entry a number", {"entry": [{"changes": [CHANGE]}, 5]}),
    ("changes null", {"entry": [{"changes": None}, {"changes": [CHANGE]}]}),
    ("changes absent", {"entry": [{}, {"changes": [CHANGE]}]}),
    ("change null", {"entry": [{"changes": [None, CHANGE]}]}),
    ("field absent", {"entry": [{"changes": [{"value": {}}, CHANGE]}]}),
    ("field null", {"entry": [{"changes": [{"field": None}, CHANGE]}]}),
    ("value null", {"entry": [{"changes": [{"field": "messages", "value": None}, CHANGE]}]}),
    ("statuses null", {"entry": [{"changes": [{**CHANGE, "value": {**VALUE, "statuses": None}}]}]}),
    ("statuses an object", {"entry": [{"changes": [{**CHANGE, "value": {**VALUE, "statuses": {}}}]}]}),
    ("contacts null", {"entry": [{"changes": [{**CHANGE, "value": {**VALUE, "contacts": None}}]}]}),
    ("contacts an object", {"entry": [{"changes": [{**CHANGE, "value": {**VALUE, "contacts": {}}}]}]}),
]


@pytest.mark.parametrize(("name", "body"), ODD, ids=[row[0] for row in ODD])
def test_an_odd_neighbour_discards_nothing(name: str, body: dict[str, Any]) -> None:
    found = [a.event for a in parse_webhook(json.dumps(body).encode(), "path")]
    assert [e.content.text for e in found if isinstance(e, MessageReceived)] == ["good"]
    assert all(isinstance(e, MessageReceived | Unparsed) for e in found)


def test_a_time_may_be_a_number() -> None:
    assert one(type="text", text={"body": "a"}, timestamp=AT).sent_at == AT * 1000


def test_errors_of_the_platform_and_changes_that_are_no_messages() -> None:
    body = json.dumps(
        {
            "entry": [
                {"changes": [{"field": "account_update", "value": {"event": "x"}}]},
                {
                    "changes": [
                        {
                            "field": "messages",
                            "value": {"metadata": {"phone_number_id": NUMBER}, "errors": [{"code": 130429}]},
                        }
                    ]
                },
            ]
        }
    ).encode()
    update, error = parse_webhook(body, "path")
    assert isinstance(update.event, PlatformEvent)
    assert isinstance(error.event, PlatformEvent)
    assert (error.identity, error.event.name) == (NUMBER, "errors")


def test_digests() -> None:
    assert hex_digest("AB" * 32) == "ab" * 32
    assert hex_digest("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=") == "ab" * 32
    assert hex_digest("") == hex_digest("<HASH>") == hex_digest("abcd") == ""


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "from",
                    "timestamp",
                    "type",
                    "text",
                    "body",
                    "entry",
                    "changes",
                    "field",
                    "value",
                    "messages",
                    "statuses",
                    "metadata",
                    "phone_number_id",
                    "status",
                    "recipient_id",
                    "errors",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300)
@given(json_values)
def test_nothing_makes_it_raise(value: Any) -> None:
    for body in (json.dumps(value).encode(), webhook(messages=[value], statuses=[value])):
        for addressed in parse_webhook(body, "path"):
            assert isinstance(addressed, Addressed)
            assert len(addressed.event.key) == 16


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80"])
def test_bytes_that_are_no_utf8_lose_nothing(bad: bytes) -> None:
    """In any text of a webhook: what stands beside it arrives, and so does the rest of the text."""
    errors = [{"code": 1, "title": "MARK"}]
    status = {
        "id": "wamid.2",
        "status": "failed",
        "timestamp": str(AT),
        "recipient_id": "6",
        "errors": errors,
    }
    contacts = [{"wa_id": CUSTOMER, "profile": {"name": "MARK"}}, {"MARK": 1}]
    form = {"name": "f", "body": "MARK", "response_json": '{"a": "MARK"}'}
    reply = {"type": "nfm_reply", "nfm_reply": form, "MARK": 1}
    parts: list[dict[str, Any]] = [
        {"contacts": contacts, "messages": [item(type="text", text={"body": "good"})]},
        {"messages": [item(type="text", text={"body": "good MARK"}, MARK="MARK")]},
        {"messages": [item(type="interactive", interactive=reply)]},
        {"messages": [item(type="MARK", MARK={"a": "MARK"})]},
        {"statuses": [status]},
        {"errors": [{"code": 1, "title": "MARK"}]},
        {"MARK": [{"a": "MARK"}]},
        {"messages": {"MARK": 1}, "statuses": [status]},
    ]
    for part in parts:
        found = [a.event for a in parse_webhook(webhook(**part).replace(b"MARK", bad), "path")]
        good = [each for each in found if not isinstance(each, Unparsed)]
        assert len(good) == 1, part
        if isinstance(good[0], MessageReceived):
            assert good[0].content.text.startswith(("good", "\ufffd", "{", "[unsupported"))
