"""Every type of message, reply, notice and webhook field that the Cloud API's documentation has.

`whatsapp_documentation.json` lists them, with the documentation's version and an example of each. What is
missing in a table of the parser, or in the tables here, fails.
"""

import json
from typing import Any

import pytest

from tests.providers.altered import altered
from tests.providers.documentation import WHATSAPP
from unifyport.model.event import EventType
from unifyport.model.inbound import Unparsed
from unifyport.model.normalize import normalize
from unifyport.providers.contract.ingress import Addressed
from unifyport.providers.whatsapp.cloud.content import BARE
from unifyport.providers.whatsapp.cloud.fields import OF_NUMBERS
from unifyport.providers.whatsapp.cloud.kinds import INTERACTIVE, KINDS
from unifyport.providers.whatsapp.cloud.parse import parse_webhook

MESSAGES, REPLIES, NOTICES = (WHATSAPP[name] for name in ("message", "interactive", "system"))
FIELDS = WHATSAPP["field"]
NUMBER, CUSTOMER, BUSINESS, AT = "106540352242922", "6590000001", "102290129340398", 1_780_790_400
ITEM = {"id": "wamid.1", "from": CUSTOMER, "timestamp": str(AT)}
CARD = (
    "BEGIN:VCARD\nVERSION:3.0\nN:Tan;Mei;;;\nFN:Mei Tan\nORG:Acme;Sales\nTITLE:Owner\n"
    "TEL;TYPE=CELL:+65 9000 0001\nEMAIL;TYPE=WORK:mei@shop.example\n"
    "URL;TYPE=WORK:https://shop.example/?a=1;b\\,2\nADR;TYPE=WORK:;;Road 1;Singapore;;018989;Singapore\n"
    "BDAY:1990-01-02\nEND:VCARD"
)
# kind -> type, text, typed fields
CONTENT: dict[str, tuple[str, str, set[str]]] = {
    "text": ("text", "hello", set()),
    "image": ("image", "look", {"attachments"}),
    "video": ("video", "", {"attachments"}),
    "audio": ("audio", "", {"attachments", "voice"}),
    "document": ("document", "the bill", {"attachments"}),
    "sticker": ("sticker", "", {"attachments", "animated"}),
    "location": ("location", "Shop\nRoad 1\n1.500000,103.250000", {"location"}),
    "contacts": ("contact", CARD, {"contacts"}),
    "button": ("text", "Yes", {"button", "reply_to_message_id"}),
    "interactive": ("text", "Seven", {"button", "reply_to_message_id", "interactive_type"}),
    "order": ("unknown", "quickly\n2 x SKU-1 (9.5 USD)\n1 x SKU-2 (3 USD)", {"order"}),
    "request_welcome": ("unknown", "[the customer opened the chat]", set()),
    "unsupported": (
        "unknown",
        "[unsupported: poll_creation] Message type is currently not supported.",
        {"errors", "unsupported_type"},
    ),
}
INTERACTIVE_CONTENT: dict[str, tuple[str, str, set[str]]] = {
    "button_reply": ("text", "Yes", {"button"}),
    "list_reply": ("text", "Seven", {"button"}),
    "nfm_reply": ("text", '{"size": "L"}', {"form"}),
    "call_permission_reply": ("unknown", "[call permission: accept]", {"call_permission"}),
    "product": ("unknown", "[product SKU-1]", {"product"}),
}
OTHER_MESSAGES = {
    "reaction": "message.reaction",
    "revoke": "message.deleted",
    "edit": "message.updated",
    "system": "conversation.updated",
}
NOTICE_EVENTS = {
    "user_changed_number": "conversation.updated",
    "user_changed_user_id": "conversation.updated",
    "customer_identity_changed": "provider.event",
}
# webhook field -> the events of its example: types, or names of `provider.event`
FIELD_EVENTS: dict[str, list[str]] = {
    "messages": ["message.received"],
    "smb_message_echoes": ["message_echo"],
    "message_echoes": ["message_echo"],
    "standby": ["standby", "message_echo", "standby"],
    "group_participants_update": ["group.updated"],
    "group_settings_update": ["group.updated"],
}
OF_THE_BUSINESS = {name for name, value in FIELDS.items() if "metadata" not in value}


def webhook(field: str, value: Any) -> list[Addressed]:
    entry = {"id": BUSINESS, "time": AT, "changes": [{"field": field, "value": value}]}
    found = list(parse_webhook(json.dumps({"object": "x", "entry": [entry]}).encode(), "path"))
    assert not [addressed for addressed in found if isinstance(addressed.event, Unparsed)]
    return found


def standards(found: list[Addressed]) -> list[Any]:
    return [standard for addressed in found for standard in normalize(addressed.event, AT * 1000)]


def one(**fields: Any) -> Any:
    contacts = [{"wa_id": CUSTOMER, "user_id": "SG.1", "profile": {"name": "Mei", "username": "mei"}}]
    value = {"metadata": {"phone_number_id": NUMBER}, "contacts": contacts, "messages": [{**ITEM, **fields}]}
    [standard] = standards(webhook("messages", value))
    return standard


def test_all_that_is_documented_is_in_the_tables() -> None:
    assert WHATSAPP["version"] == "v25.0"
    assert set(CONTENT) | set(OTHER_MESSAGES) == set(MESSAGES)
    assert set(KINDS) | set(BARE) | {"unsupported"} == set(CONTENT) | {"media_placeholder"}
    assert set(INTERACTIVE) == set(INTERACTIVE_CONTENT) == set(REPLIES)
    assert set(NOTICE_EVENTS) == set(NOTICES)
    assert set(OF_NUMBERS) <= set(FIELDS)


@pytest.mark.parametrize("kind", CONTENT)
def test_kinds_of_content(kind: str) -> None:
    type_, text, fields = CONTENT[kind]
    standard = one(type=kind, **MESSAGES[kind])
    found = standard.data["message"]
    assert standard.type == EventType.MESSAGE_RECEIVED
    assert (found["type"], found["kind"], found["text"]) == (type_, kind, text)
    assert set(found) - {"id", "type", "kind", "text", "direction", "sent_at"} == fields
    assert "lookaside" not in json.dumps([standard.data, standard.provider_data.item])
    assert standard.provider_data.redacted == ([f"{kind}.url"] if "attachments" in fields else [])


@pytest.mark.parametrize("kind", INTERACTIVE_CONTENT)
def test_replies(kind: str) -> None:
    type_, text, fields = INTERACTIVE_CONTENT[kind]
    found = one(type="interactive", interactive=REPLIES[kind]).data["message"]
    assert (found["type"], found["kind"], found["text"]) == (type_, "interactive", text)
    assert found["interactive_type"] == kind
    assert fields <= set(found)
    if kind == "list_reply":
        assert found["button"] == {"id": "row-7", "title": "Seven", "description": "the seventh"}
    if kind == "nfm_reply":
        assert found["form"] == {"name": "flow", "body": "Sent", "answers": {"size": "L"}}


@pytest.mark.parametrize("kind", OTHER_MESSAGES)
def test_messages_that_change_something(kind: str) -> None:
    assert one(type=kind, **MESSAGES[kind]).type == OTHER_MESSAGES[kind]


@pytest.mark.parametrize("kind", NOTICES)
def test_notices_have_no_contacts(kind: str) -> None:
    fields = {"metadata": {"phone_number_id": NUMBER}}
    message = {**ITEM, "from_user_id": "SG.1", "type": "system", "system": NOTICES[kind]}
    [standard] = standards(webhook("messages", {**fields, "messages": [message]}))
    assert standard.type == NOTICE_EVENTS[kind]
    if kind == "user_changed_number":
        assert standard.data["previous_id"] == CUSTOMER
        assert standard.data["conversation"]["id"] == "6590000002"
        assert standard.data["reason"] == "number_changed"
    if kind == "user_changed_user_id":
        assert (standard.data["previous_id"], standard.data["conversation"]["id"]) == ("SG.1", "SG.2")


@pytest.mark.parametrize("field", FIELDS)
def test_webhook_fields(field: str) -> None:
    found = webhook(field, FIELDS[field])
    names = [
        s.data["event"]["name"] if s.type == EventType.PROVIDER_EVENT else str(s.type)
        for s in standards(found)
    ]
    assert names == FIELD_EVENTS.get(field, [field])
    for addressed in found:
        of_the_business = field in OF_THE_BUSINESS
        assert addressed.group == (BUSINESS if of_the_business else "")
        assert addressed.identity == ("path" if of_the_business else NUMBER)
    if field in OF_THE_BUSINESS:
        [standard] = standards(found)
        assert standard.provider_data.item == FIELDS[field]
        assert standard.occurred_at == AT * 1000


def test_what_the_owner_writes_on_the_phone() -> None:
    [echo] = standards(webhook("smb_message_echoes", FIELDS["smb_message_echoes"]))
    assert echo.data["message"]["text"] == "from my phone"
    assert echo.data["message"]["direction"] == "outbound"
    assert echo.conversation_id == CUSTOMER
    assert echo.data["sender"]["id"] == "15550783881"
    [item] = FIELDS["smb_message_echoes"]["message_echoes"]
    head = {name: item[name] for name in ("from", "to", "id", "timestamp")}

    def changed(kind: str) -> Any:
        fields = {
            **FIELDS["smb_message_echoes"],
            "message_echoes": [{**head, "type": kind, **MESSAGES[kind]}],
        }
        [standard] = standards(webhook("smb_message_echoes", fields))
        return standard.data

    assert changed("edit")["event"]["change"] == "edited"
    assert (changed("edit")["message"]["id"], changed("edit")["message"]["text"]) == ("wamid.q", "new")
    assert changed("revoke")["event"]["target_message_id"] == "wamid.q"
    assert changed("reaction")["event"]["reaction"] == "👍"


def test_what_brought_the_customer_and_what_a_message_refers_to() -> None:
    referral = {
        "source_url": "https://fb.me/x",
        "source_type": "ad",
        "image_url": "https://cdn",
        "ctwa_clid": "C",
    }
    found = one(type="text", text={"body": "hi"}, referral=referral)
    assert found.data["message"]["referral"] == {k: v for k, v in referral.items() if k != "image_url"}
    assert found.provider_data.redacted == ["referral.image_url"]
    product = {"catalog_id": "C1", "product_retailer_id": "SKU-9"}
    context = {"id": "wamid.q", "from": "1", "referred_product": product, "frequently_forwarded": True}
    message = one(type="text", text={"body": "hi"}, context=context).data["message"]
    assert message["referred_product"] == product
    assert message["forwarded"] is message["frequently_forwarded"] is True
    assert message["reply_to_message_id"] == "wamid.q"


def test_what_no_table_has_is_a_message_or_reported() -> None:
    found = one(type="hologram", hologram={"id": "1"})
    assert found.data["message"]["text"] == "[unsupported: hologram]"
    assert found.provider_data.item["hologram"] == {"id": "1"}
    value = {"metadata": {"phone_number_id": NUMBER}, "holograms": [{"id": "1"}], "messages": []}
    for field in ("messages", "holograms"):
        [standard] = standards(webhook(field, value))
        assert standard.data["event"] == {"kind": "provider_event", "name": field, "part": "holograms"}
        assert standard.provider_data.item == {"holograms": [{"id": "1"}]}


def test_a_message_whose_content_was_not_handed_on() -> None:
    errors = [{"code": 131052, "title": "Media download error", "error_data": {"details": "expired"}}]
    found = one(type="image", errors=errors).data["message"]
    assert (found["type"], found["kind"], found["text"]) == (
        "unknown",
        "image",
        "[unsupported: image] expired",
    )
    assert found["errors"] == [{"code": 131052, "title": "Media download error", "details": "expired"}]


@pytest.mark.parametrize("field", [name for name in FIELDS if name != "messages"])
def test_a_report_of_a_shape_that_is_not_documented_is_reported_as_it_came(field: str) -> None:
    for value in altered(FIELDS[field]):
        for addressed in webhook(field, value):  # none is only quarantined
            [standard, *_] = standards([addressed])
            assert standard.provider_data is not None


@pytest.mark.parametrize(
    "name", ["errors", "type", "biz_opaque_callback_data", "recipient_user_id", "recipient_participant_id"]
)
@pytest.mark.parametrize("odd", [None, [], {}, 5, [1], [None], [{"code": "131026"}]])
def test_what_stands_beside_a_status_does_not_hide_it(name: str, odd: Any) -> None:
    status = {"id": "wamid.o", "status": "failed", "timestamp": str(AT), "recipient_id": CUSTOMER, name: odd}
    [standard] = standards(webhook("messages", {"metadata": METADATA, "statuses": [status]}))
    assert (standard.type, standard.data["message"]) == (
        "message.status.updated",
        {"id": "wamid.o", "status": "failed"},
    )


ERROR = {
    "code": 131056,
    "title": "Pair rate limit hit",
    "message": "Pair rate limit hit",
    "error_data": {"details": "Too many messages"},
    "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
}
METADATA = {"phone_number_id": NUMBER, "display_phone_number": "6590000009"}


@pytest.mark.parametrize("field", ["messages", "standby"])
def test_errors_of_a_number_are_reported_with_the_words_of_the_platform(field: str) -> None:
    value = {"messaging_product": "whatsapp", "metadata": METADATA, "errors": [ERROR]}
    [addressed] = webhook(field, value)
    assert addressed.identity == NUMBER
    [standard] = standards([addressed])
    assert standard.type == "provider.event"
    assert standard.occurred_at == AT * 1000
    assert standard.data["event"] == {
        "kind": "provider_event",
        "name": "errors",
        "error": {"code": 131056, "title": "Pair rate limit hit", "details": "Too many messages"},
    }
    assert standard.provider_data.item == ERROR


@pytest.mark.parametrize("errors", [{"code": 1}, "down", [1], [None], ["down"], [{"code": "x"}], [[]], [{}]])
def test_errors_of_a_shape_that_is_not_documented_are_reported_whole(errors: Any) -> None:
    [standard] = standards(webhook("messages", {"metadata": METADATA, "errors": errors}))
    assert standard.type == "provider.event"
    assert "error" not in standard.data["event"]
    assert standard.provider_data.item == (errors[0] if isinstance(errors, list) else {"errors": errors})


def test_errors_beside_messages_and_statuses_take_nothing_from_them() -> None:
    status = {"id": "wamid.o", "status": "sent", "timestamp": str(AT), "recipient_id": CUSTOMER}
    message = {**ITEM, "type": "text", "text": {"body": "hi"}}
    value = {"metadata": METADATA, "errors": [ERROR], "messages": [message], "statuses": [status]}
    assert [str(standard.type) for standard in standards(webhook("messages", value))] == [
        "provider.event",
        "message.received",
        "message.status.updated",
    ]


def test_errors_without_a_number_are_those_of_the_business_account() -> None:
    [addressed] = webhook("messages", {"messaging_product": "whatsapp", "errors": [ERROR]})
    assert addressed.group == BUSINESS
    assert addressed.event.name == "errors"  # type: ignore[union-attr]


def test_the_same_error_at_another_time_is_another_fact() -> None:
    keys = set()
    for at in (AT, AT, AT + 60):
        change = {"field": "messages", "value": {"metadata": METADATA, "errors": [ERROR]}}
        body = json.dumps({"entry": [{"id": BUSINESS, "time": at, "changes": [change]}]}).encode()
        keys |= {found.event.key for found in parse_webhook(body, "path")}
    assert len(keys) == 2


def test_two_unknown_parts_with_equal_contents_are_two_facts() -> None:
    found = webhook("messages", {"metadata": METADATA, "holograms": [1], "smells": [1]})
    assert len({addressed.event.key for addressed in found}) == 2


def test_a_notice_without_a_customer() -> None:
    notice = {"id": "wamid.1", "timestamp": str(AT), "type": "system", "system": {"type": "of_next_year"}}
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": [notice]}
    [standard] = standards(webhook("messages", value))
    assert standard.data == {"event": {"kind": "provider_event", "name": "of_next_year"}}


def test_a_long_history_is_split() -> None:
    messages = [{**ITEM, "id": f"wamid.{n}", "type": "text", "text": {"body": "x" * 900}} for n in range(120)]
    chunk = {"metadata": {"phase": 0}, "threads": [{"id": CUSTOMER, "messages": messages}, {"id": "6"}]}
    value = {"metadata": {"phone_number_id": NUMBER}, "history": [chunk]}
    found = standards(webhook("history", value))
    assert [s.conversation_id for s in found] == [CUSTOMER] * 3 + ["6"]
    sizes = [len(s.provider_data.item["threads"][0].get("messages", [])) for s in found]
    assert sizes == [50, 50, 20, 0]
    keys = {addressed.event.key for addressed in webhook("history", value)}
    assert len(keys) == 4


def test_group_reports() -> None:
    def changes(field: str, **report: Any) -> Any:
        report = {"group_id": "G1", "timestamp": str(AT), **report}
        value = {"metadata": {"phone_number_id": NUMBER}, "groups": [report]}
        [standard] = standards(webhook(field, value))
        return standard

    removed = changes("group_participants_update", removed_participants=[{"wa_id": CUSTOMER}])
    assert removed.data["changes"] == [{"kind": "member_removed", "member_ids": [CUSTOMER]}]
    asked = changes("group_participants_update", type="group_join_request_created", wa_id=CUSTOMER)
    assert (asked.type, asked.data["requester"]) == ("group.join_request", {"id": CUSTOMER})
    gone = changes("group_lifecycle_update", type="group_delete")
    assert gone.data["changes"] == [{"kind": "dissolved"}]
    failed = changes("group_lifecycle_update", type="group_delete", errors=[{"code": 1}])
    assert failed.type == EventType.PROVIDER_EVENT
    subject = {"text": "Ops", "update_successful": False}
    assert changes("group_settings_update", group_subject=subject).type == EventType.PROVIDER_EVENT


STATUS = {
    "id": "wamid.9",
    "status": "delivered",
    "timestamp": str(AT),
    "recipient_id": "G1",
    "recipient_type": "group",
    "recipient_participant_id": CUSTOMER,
    "recipient_participant_user_id": "SG.1",
}


def status(**fields: Any) -> list[Any]:
    value = {"metadata": {"phone_number_id": NUMBER}, "statuses": [{**STATUS, **fields}]}
    return webhook("messages", value)


def test_receipts_of_a_group_say_who() -> None:
    found = standards(status())
    assert [standard.type for standard in found] == ["message.delivered", "message.status.updated"]
    for standard in found:
        assert standard.data["conversation"]["id"] == "G1"
        assert standard.data["participant"]["id"] == CUSTOMER


@pytest.mark.parametrize("name", WHATSAPP["status"])
def test_statuses(name: str) -> None:
    found = standards(status(status=name))
    last = found[-1]
    if name in ("sent", "delivered", "read", "failed"):
        assert (last.type, last.data["message"]["status"]) == ("message.status.updated", name)
    else:
        assert last.data["event"] == {"kind": "provider_event", "name": name, "message_id": "wamid.9"}


@pytest.mark.parametrize("field", [*STATUS, "recipient_user_id", "errors"])
def test_two_statuses_that_differ_in_one_field_have_two_keys(field: str) -> None:
    others: dict[str, Any] = {"timestamp": str(AT + 1), "recipient_type": "individual", "status": "read"}
    others["errors"] = [{"code": 131026}]
    [first], [second] = status(), status(**{field: others.get(field, "other")})
    same_fact = field == "recipient_type"
    assert (first.event.key == second.event.key) is same_fact
    [again] = status()
    assert again.event.key == first.event.key


def test_messages_without_a_usable_id_do_not_collide() -> None:
    messages = [{**ITEM, "id": "", "type": "text", "text": {"body": text}} for text in ("a", "b")]
    value = {"metadata": {"phone_number_id": NUMBER}, "messages": messages}
    found = webhook("messages", value)
    assert len({addressed.event.key for addressed in found}) == 2
    assert len({standard.data["message"]["id"] for standard in standards(found)}) == 2
    assert [standard.data["message"]["text"] for standard in standards(found)] == ["a", "b"]
    long = {**value, "messages": [{**ITEM, "id": "w" * 1000, "type": "text", "text": {"body": "x"}}]}
    [addressed] = parse_webhook(
        json.dumps({"entry": [{"changes": [{"field": "messages", "value": long}]}]}).encode(), "path"
    )
    assert isinstance(addressed.event, Unparsed)


def test_one_message_is_not_its_echo_nor_what_another_app_got() -> None:
    keys = set()
    for field, part in (
        ("messages", "messages"),
        ("smb_message_echoes", "message_echoes"),
        ("standby", "messages"),
        ("history", "messages"),
    ):
        item = {**ITEM, "to": CUSTOMER, "type": "text", "text": {"body": "x"}}
        [addressed] = webhook(field, {"metadata": {"phone_number_id": NUMBER}, part: [item]})
        keys.add(addressed.event.key)
    assert len(keys) == 4


def test_reports_of_a_business_at_different_times_are_different() -> None:
    def key(time: int) -> bytes:
        entry = {
            "id": BUSINESS,
            "time": time,
            "changes": [{"field": "account_update", "value": {"event": "X"}}],
        }
        [addressed] = parse_webhook(json.dumps({"entry": [entry]}).encode(), "path")
        return addressed.event.key

    assert key(1) == key(1) != key(2)
