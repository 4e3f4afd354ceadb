"""For any JSON that has a message's shape, the event holds what came in, minus what is redacted."""

import functools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unifyport.model.event import encode_body
from unifyport.model.fitting import MAX_BODY, fit
from unifyport.model.inbound import MessageReceived, ProviderEvent, Reported
from unifyport.model.json_text import without_lone_surrogates
from unifyport.model.normalize import normalize
from unifyport.model.provider_data import MAX_ITEM, Redactions
from unifyport.providers.line.messaging import items as line
from unifyport.providers.line.messaging.parse import parse_webhook as parse_line
from unifyport.providers.telegram.bot import parse as telegram
from unifyport.providers.tiktok.business import items as tiktok
from unifyport.providers.tiktok.business import parse as tiktok_parse
from unifyport.providers.whatsapp.cloud import items as whatsapp
from unifyport.providers.whatsapp.cloud.parse import parse_webhook

AT = 1_780_790_400
NAMES = st.sampled_from(
    "text type image url referral image_url profile picture caption poll id errors context video body x"
    " entities photo sticker message_thread_id business_connection_id order contacts location".split()
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=25,
)
FIELDS = st.dictionaries(NAMES, VALUES, max_size=6)


def minus(value: Any, redactions: Redactions, under: str = "") -> Any:
    """Written apart from the code that it checks."""
    if isinstance(value, dict):
        hidden = set(redactions.get(under, ()))
        return {name: minus(inner, redactions, name) for name, inner in value.items() if name not in hidden}
    if isinstance(value, list):
        return [minus(inner, redactions, under) for inner in value]
    return value


def of_telegram(fields: dict[str, Any]) -> tuple[dict[str, Any], ProviderEvent, Redactions]:
    head = {"message_id": 5, "date": AT, "chat": {"id": 7, "type": "private"}}
    item = {**fields, **head}
    event, _ = telegram.parse_update(json.dumps({"update_id": 1, "message": item}).encode(), "42")
    return item, event, telegram.REDACTIONS


def of_whatsapp(fields: dict[str, Any]) -> tuple[dict[str, Any], ProviderEvent, Redactions]:
    item = {**fields, "id": "wamid.1", "from": "6590000001", "timestamp": str(AT)}
    value = {"metadata": {"phone_number_id": "1"}, "messages": [item]}
    body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]})
    [addressed] = parse_webhook(body.encode(), "1")
    return item, addressed.event, whatsapp.REDACTIONS


def of_tiktok(fields: dict[str, Any]) -> tuple[dict[str, Any], ProviderEvent, Redactions]:
    head = {"message_id": "m1", "conversation_id": "c1", "from_user": {"id": "u1"}, "timestamp": AT * 1000}
    item = {"event": "im_receive_msg", "user_openid": "b1", "content": {**fields, **head}}
    body = json.dumps({**item, "content": json.dumps(item["content"])})
    [addressed] = tiktok_parse.parse_webhook(body.encode(), "b1")
    return item, addressed.event, tiktok.REDACTIONS


def of_line(fields: dict[str, Any]) -> tuple[dict[str, Any], ProviderEvent, Redactions]:
    head = {"type": "message", "timestamp": AT * 1000, "webhookEventId": "E1", "mode": "active"}
    source, message = {"type": "user", "userId": "U1"}, {"id": "1", "type": "text", "text": "hi"}
    message = {**fields, **message, "markAsReadToken": "secret"}
    item = {**head, "source": source, "message": message, "replyToken": "secret"}
    body = json.dumps({"destination": "U2", "events": [item]})
    [addressed] = parse_line(body.encode(), "1")
    return item, addressed.event, line.REDACTIONS


CHANNELS = {"telegram": of_telegram, "whatsapp": of_whatsapp, "line": of_line, "tiktok": of_tiktok}


@pytest.mark.parametrize("channel", CHANNELS)
@settings(max_examples=300)
@given(fields=FIELDS)
def test_the_item_is_what_came_in(channel: str, fields: dict[str, Any]) -> None:
    item, event, redactions = CHANNELS[channel](fields)
    assert isinstance(event, Reported)
    standards = normalize(event, AT * 1000)
    assert standards
    for standard in standards:
        assert standard.provider_data is not None
        assert standard.provider_data.item == minus(item, redactions)
        encode = functools.partial(encoded, standard.type)
        found = msgspec.json.decode(fit(standard.data, standard.provider_data, encode).body)["data"]
        assert found["provider_data"] == minus(item, redactions)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("size", [MAX_ITEM - 2_000, MAX_ITEM + 1, 3_000_000])
def test_an_item_beyond_the_limits_is_left_out_and_kept(channel: str, size: int) -> None:
    fields: dict[str, Any] = {"type": "text", "x": "y" * size}
    fields["text"] = "hi" if channel in ("telegram", "line") else {"body": "hi"}
    item, event, redactions = CHANNELS[channel](fields)
    assert isinstance(event, MessageReceived)
    [standard] = normalize(event)
    fitted = fit(standard.data, standard.provider_data, lambda data: encoded(standard.type, data))
    found = msgspec.json.decode(fitted.body)["data"]
    assert found["message"]["text"] == "hi"
    assert len(fitted.body) <= MAX_BODY
    if size < MAX_ITEM:
        assert fitted.original is None
        assert found["provider_data"] == minus(item, redactions)
        return
    assert "provider_data" not in found
    assert found["provider_data_omitted"] == "too_large"
    assert fitted.original is not None
    original = json.loads(fitted.original)
    if channel == "tiktok":
        original["content"] = json.loads(original["content"])
    assert (original["message"] if channel == "telegram" else original) == item


def encoded(event_type: Any, data: dict[str, Any]) -> bytes:
    return encode_body("evt_1", event_type, provider="p", account_id="a", occurred_at=AT, data=data)


def test_half_of_a_character_costs_that_character_only() -> None:
    """Texts that were cut in the middle of an emoji."""
    text = b'"Mei \\ud83d and \\ud83d\\ude00 \\\\ud83d \\ude00"'
    assert json.loads(without_lone_surrogates(text)) == "Mei \ufffd and \U0001f600 \\ud83d \ufffd"
    update = b'{"update_id": 1, "message": {"message_id": 5, "date": 1, "chat": {"id": 7, "type": "private",'
    event, _ = telegram.parse_update(update + b' "first_name": "M\\ud83d"}, "text": "hi"}}', "42")
    assert isinstance(event, MessageReceived)
    assert (event.content.text, event.conversation.title) == ("hi", "M\ufffd")
    messages = [
        {
            "id": f"wamid.{n}",
            "from": "6590000001",
            "timestamp": str(AT),
            "type": "text",
            "text": {"body": body},
        }
        for n, body in enumerate(["hi", "cut \ud83d"])
    ]
    value = {"metadata": {"phone_number_id": "1"}, "messages": messages}
    body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]})
    found = [addressed.event for addressed in parse_webhook(body.encode(), "1")]
    assert [e.content.text for e in found if isinstance(e, MessageReceived)] == ["hi", "cut \ufffd"]


@given(st.text(st.characters()))
def test_other_texts_stay_as_they_are(text: str) -> None:
    whole = json.dumps(text.encode("utf-8", "replace").decode()).encode()
    assert json.loads(without_lone_surrogates(whole)) == json.loads(whole)
