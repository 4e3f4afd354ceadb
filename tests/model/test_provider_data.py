"""The platform's item in events: what is taken out, what is too large, and the flat form."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from unifyport.model.entities import in_code_points
from unifyport.model.event import BodyForm, EventType, encode_body, in_form
from unifyport.model.fitting import MAX_BODY, Fitted, fit
from unifyport.model.flat import flat_of
from unifyport.model.provider_data import ANYWHERE, MAX_ITEM, ProviderData, provider_data

REDACTIONS = {ANYWHERE: frozenset({"secret"}), "image": frozenset({"url"})}


def encode(data: dict[str, Any]) -> bytes:
    return msgspec.json.encode(data)


def fitted(data: dict[str, Any], item: Any) -> Fitted:
    raw = msgspec.json.encode(item)
    return fit(data, ProviderData(item, raw), encode)


def test_redacted_paths_are_named_and_all_else_stays() -> None:
    item = {
        "secret": 1,
        "url": "https://stays.example",
        "image": {"url": "https://cdn", "id": "7"},
        "list": [{"secret": 2}, {"image": [{"url": "x", "caption": "c"}]}],
    }
    found = provider_data(item, msgspec.json.encode(item), REDACTIONS)
    assert found.item == {
        "url": "https://stays.example",
        "image": {"id": "7"},
        "list": [{}, {"image": [{"caption": "c"}]}],
    }
    assert found.redacted == ["secret", "image.url", "list[0].secret", "list[1].image[0].url"]
    assert item["secret"] == 1


def test_limits() -> None:
    small = fitted({"message": {"id": "1"}}, {"x": "y" * 100})
    assert msgspec.json.decode(small.body)["provider_data"] == {"x": "y" * 100}
    assert small.original is None
    large = fitted({"message": {"id": "1"}}, {"x": "y" * MAX_ITEM})
    assert msgspec.json.decode(large.body) == {"message": {"id": "1"}, "provider_data_omitted": "too_large"}
    assert large.original == msgspec.json.encode({"x": "y" * MAX_ITEM})
    text = "t" * (MAX_BODY - 50_000)
    both = fitted({"message": {"text": text}}, {"x": "y" * 60_000})
    assert msgspec.json.decode(both.body) == {"message": {"text": text}, "provider_data_omitted": "too_large"}


@given(st.integers(0, 400_000), st.sampled_from(["t", "\x01", "\U0001f600"]), st.integers(0, 3_000))
def test_no_event_is_given_up_for_its_size(length: int, character: str, items: int) -> None:
    data = {
        "conversation": {"id": "c", "title": character * length},
        "message": {"id": "m", "type": "text", "text": character * length, "entities": [{"x": 1}] * items},
    }
    found = fitted(data, data)
    body = msgspec.json.decode(found.body)
    assert len(found.body) <= MAX_BODY
    assert (body["message"]["id"], body["conversation"]["id"]) == ("m", "c")
    assert (found.original is None) == ("provider_data" in body)
    if found.original is not None:
        assert msgspec.json.decode(found.original) == data


def test_the_flat_form_says_what_the_standard_form_says() -> None:
    data = {
        "conversation": {"id": "c", "type": "user", "title": "Mei"},
        "sender": {"id": "s", "name": "Mei", "identities": []},
        "message": {
            "id": "m",
            "type": "unknown",
            "kind": "poll",
            "text": "?",
            "poll": {"q": 1},
            "ids": ["m"],
        },
        "account": {"display_name": "Shop"},
        "event": {"kind": "message_received", "reaction": "x"},
        "provider_data": {"a": 1},
        "auth_payload": {"qr_code": "q"},
    }
    assert flat_of(data) == {
        "conversation_id": "c",
        "conversation_type": "user",
        "conversation_title": "Mei",
        "sender_id": "s",
        "sender_name": "Mei",
        "sender_identities": [],
        "message_id": "m",
        "message_type": "unknown",
        "message_kind": "poll",
        "text": "?",
        "poll": {"q": 1},
        "message_ids": ["m"],
        "display_name": "Shop",
        "event_kind": "message_received",
        "reaction": "x",
        "provider_data": {"a": 1},
        "auth_payload": {"qr_code": "q"},
    }
    body = encode_body(
        "evt_1",
        EventType.MESSAGE_RECEIVED,
        provider="p",
        account_id="a",
        occurred_at=0,
        data=data,
        sender="7",
    )
    combined = msgspec.json.decode(body)
    assert combined["message_kind"] == "poll"
    assert "auth_payload" not in combined
    assert "provider_data" not in combined
    flat = msgspec.json.decode(in_form(body, BodyForm.FLAT))
    assert flat == {
        "event_id": "evt_1",
        "event": "message.received",
        "provider": "p",
        "account_id": "a",
        "timestamp": 0,
        "from": "7",
        **flat_of(data),
    }
    assert set(msgspec.json.decode(in_form(body, BodyForm.ENVELOPE))) == {
        *("id", "type", "provider", "account_id", "occurred_at", "data")
    }


def test_an_endpoint_may_have_bodies_without_the_item() -> None:
    data = {"message": {"id": "m"}, "provider_data": {"a": 1}, "provider_data_redacted": ["b"]}

    def read(event_type: EventType, form: BodyForm) -> Any:
        body = encode_body("e", event_type, provider="p", account_id="a", occurred_at=0, data=data)
        return msgspec.json.decode(in_form(body, form, provider_data=False))

    for form in BodyForm:
        assert b"provider_data" not in msgspec.json.encode(read(EventType.MESSAGE_RECEIVED, form))
        assert b'"provider_data":{"a":1}' in msgspec.json.encode(read(EventType.PROVIDER_EVENT, form))


def test_entities_count_in_code_points() -> None:
    text = "\U0001f600\U0001f600 see here"
    [entity] = in_code_points(text, [{"type": "text_link", "offset": 9, "length": 4, "url": "u"}])
    assert text[entity["offset"] : entity["offset"] + entity["length"]] == "here"
    assert entity["url"] == "u"
    assert in_code_points("abc", [{"offset": 2, "length": 5}, {"offset": -1, "length": 1}]) == []


@given(st.text(), st.integers(0, 20), st.integers(0, 20))
def test_an_entity_is_the_same_part_of_the_text(text: str, offset: int, length: int) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    try:
        part = units[2 * offset : 2 * (offset + length)].decode("utf-16-le")
    except UnicodeDecodeError:  # it begins or ends within a character
        return
    found = in_code_points(text, [{"offset": offset, "length": length}])
    if 2 * (offset + length) > len(units):
        assert found == []
    else:
        assert text[found[0]["offset"] : found[0]["offset"] + found[0]["length"]] == part
