"""Reports of X that are broken, repeated or changed: parsing never raises, and keys tell facts apart."""

import copy
import json
import string
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.providers.documentation import X
from tests.providers.test_keys import changed, leaves
from tests.providers.test_provider_data import FIELDS, VALUES, minus
from tests.providers.test_x_kinds import AT, ME, MEI, raw, report
from unifyport.model.inbound import MessageReceived, PlatformEvent, StatusChanged, Unparsed
from unifyport.model.normalize import normalize
from unifyport.providers.x.api.items import REDACTIONS
from unifyport.providers.x.api.parse import parse_activity, parse_page
from unifyport.providers.x.api.shapes import Page

MESSAGE = X["payload"]["dm.received"]


def message_with(**data: Any) -> dict[str, Any]:
    payload = copy.deepcopy(MESSAGE)
    payload["direct_message_events"][0]["message_create"]["message_data"] |= data
    return payload


def found(payload: Any, event_type: str = "dm.received") -> Any:
    [addressed] = parse_activity(report(event_type, payload), ME)
    return addressed.event


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"{",
        b'{"data": null}',
        b'{"data": []}',
        b'{"data": {"event_type": 5}}',
        b'{"data": {"event_type": "dm.received"}}',
        b'{"data": {"event_type": "dm.received", "payload": []}}',
        b'{"data": {"event_type": "dm.received", "payload": {"direct_message_events": {}}}}',
        b'{"for_user_id": "1"}',
        b'{"for_user_id": "1", "direct_message_events": 7}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"data": ' * 20_000,
    ],
)
def test_garbage_is_quarantined(body: bytes) -> None:
    events = [addressed.event for addressed in parse_activity(body, ME)]
    assert events
    assert all(isinstance(event, Unparsed | PlatformEvent) for event in events)


def test_one_bad_item_costs_one_item() -> None:
    payload = copy.deepcopy(MESSAGE)
    [good] = payload["direct_message_events"]
    bad = copy.deepcopy(good) | {"id": "17"}
    bad["message_create"]["message_data"]["text"] = None
    payload["direct_message_events"] = [bad, good, {"type": "message_create"}, {"type": "hologram"}, 5]
    events = [addressed.event for addressed in parse_activity(report("dm.received", payload), ME)]
    assert [type(event) for event in events] == [
        Unparsed,
        MessageReceived,
        Unparsed,
        PlatformEvent,
        Unparsed,
    ]
    [first] = normalize(events[0], AT)  # who wrote it can be read, so it is a message all the same
    assert (first.type, first.data["message"]["id"], first.data["sender"]["id"]) == (
        "message.received",
        "17",
        MEI,
    )
    assert normalize(events[2], AT) == []


def test_a_message_of_a_kind_of_next_year() -> None:
    event = found(message_with(text="", hologram={"url": "https://x.example"}))
    assert (event.content.type, event.content.text) == ("unknown", "[unsupported: hologram]")
    assert event.content.unsupported
    attached = found(message_with(text="see", attachment={"type": "media", "media": {"type": "voice"}}))
    assert (attached.content.type, attached.content.kind, attached.content.text) == (
        "unknown",
        "voice",
        "see",
    )


def test_users_and_links_that_cannot_be_read_cost_only_themselves() -> None:
    payload = message_with(text="a https://t.co/x1 b", entities={"urls": [{"url": "https://t.co/x1"}]})
    payload["users"] = {MEI: 7, ME: {"data": {"name": "Shop"}}}
    event = found(payload)
    assert (event.sender.name, event.content.text) == ("", "a https://t.co/x1 b")
    payload["users"] = 7
    assert found(payload).sender.id == MEI


def test_half_of_a_character_costs_that_character_only() -> None:
    body = report("dm.received", message_with(text="cut")).replace(b'"cut"', b'"cut \\ud83d"')
    [addressed] = parse_activity(body, ME)
    assert addressed.event.content.text == "cut \ufffd"  # type: ignore[union-attr]


@pytest.mark.parametrize("stamp", ["", "soon", "0", "1e12", "-1780790400123", "9" * 30, None, True])
def test_times_that_are_none(stamp: Any) -> None:
    payload = copy.deepcopy(MESSAGE)
    payload["direct_message_events"][0]["created_timestamp"] = stamp
    assert isinstance(found(payload), Unparsed)


@pytest.mark.parametrize("id_", ["", "abc", "1" * 20, "12 ", "١٢", 12, None, "1/../2"])
def test_ids_that_are_none(id_: Any) -> None:
    payload = copy.deepcopy(MESSAGE)
    payload["direct_message_events"][0]["id"] = id_
    assert isinstance(found(payload), Unparsed)


def test_a_message_to_oneself() -> None:
    payload = copy.deepcopy(X["payload"]["dm.sent"])
    payload["direct_message_events"][0]["message_create"]["target"]["recipient_id"] = ME
    event = found(payload, "dm.sent")
    assert (event.name, event.conversation.id) == ("message_echo", ME)


def test_a_receipt_of_ourselves_is_no_receipt() -> None:
    payload = copy.deepcopy(X["payload"]["dm.read"])
    [receipt] = payload["direct_message_mark_read_events"]
    assert isinstance(found(payload, "dm.read"), StatusChanged)
    receipt["sender_id"], receipt["target"]["recipient_id"] = ME, MEI
    assert isinstance(found(payload, "dm.read"), PlatformEvent)


# -- keys ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event_type", X["payload"])
def test_distinct_facts_have_distinct_keys(event_type: str) -> None:
    """A message is told apart by its id and its conversation, everything else by all that it says."""
    payload = X["payload"][event_type]
    base = keys(event_type, payload)
    assert base == keys(event_type, payload)
    for path in leaves(payload):
        if path[0] == "users" or (event_type == "dm.read" and path[-1] == "recipient_id"):
            continue
        by_id = path[0] == "direct_message_events"
        told = not by_id or path[-1] in ("id", "conversation_id", "type")
        assert (keys(event_type, changed(payload, path)) != base) is told, path


def keys(event_type: str, payload: Any, me: str = ME) -> list[bytes]:
    return [
        each.event.key for each in parse_activity(report(event_type, payload, filter={"user_id": me}), me)
    ]


@pytest.mark.parametrize("event_type", X["payload"])
def test_what_two_accounts_are_told_are_two_facts(event_type: str) -> None:
    """Two of our accounts in one conversation get each message twice."""
    if event_type == "oauth.revoke":
        return  # it names its user itself
    assert set(keys(event_type, X["payload"][event_type], "5")).isdisjoint(
        keys(event_type, X["payload"][event_type])
    )


@pytest.mark.parametrize("kind", X["dm_event"])
def test_items_of_the_history_are_told_apart_by_their_id(kind: str) -> None:
    item = X["dm_event"][kind]

    def key(value: Any) -> bytes:
        [event] = parse_page(Page(data=[raw(value)]), ME)
        return event.key

    assert key(item) == key({**item, "text": "other"})
    assert key(item) != key({**item, "id": "5"})


# -- any JSON ------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from([*X["payload"], "post.create", ""]))
def test_any_payload_is_read(payload: Any, event_type: str) -> None:
    for addressed in parse_activity(report(event_type, payload), ME):
        normalize(addressed.event, AT)
    for body in (json.dumps(payload).encode(), json.dumps({"data": payload}).encode()):
        parse_activity(body, ME)
    parse_page(Page(data=[raw(payload)]), ME)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_change_of_an_example_is_read(data: st.DataObject) -> None:
    event_type = data.draw(st.sampled_from([*X["payload"]]))
    payload = copy.deepcopy(X["payload"][event_type])
    path = data.draw(st.sampled_from([*leaves(payload)]))
    inner = payload
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = data.draw(VALUES)
    for addressed in parse_activity(report(event_type, payload), ME):
        normalize(addressed.event, AT)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
def test_any_bytes_are_read(body: bytes) -> None:
    for addressed in parse_activity(body, ME):
        assert isinstance(addressed.event, Unparsed | PlatformEvent)


@settings(max_examples=200, deadline=None)
@given(FIELDS)
def test_the_item_is_what_came_in(fields: dict[str, Any]) -> None:
    payload = copy.deepcopy(MESSAGE)
    [item] = payload["direct_message_events"]
    payload["direct_message_events"] = [{**fields, **item}]
    [standard] = normalize(found(payload), AT)
    assert standard.provider_data is not None
    assert standard.provider_data.item == minus_everywhere({**fields, **item})


def minus_everywhere(value: Any) -> Any:
    """Written apart from the code that it checks."""
    anywhere = REDACTIONS["*"]
    value = minus(value, {name: fields for name, fields in REDACTIONS.items() if name != "*"})

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: without(inner) for name, inner in value.items() if name not in anywhere}
        return [without(inner) for inner in value] if isinstance(value, list) else value

    return without(value)


def test_a_page_that_is_no_page_is_no_event() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"data": 5}', type=Page)
