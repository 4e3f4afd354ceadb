"""Items of polled answers that nest 100,000 deep: set aside with all that they say, and not polled again."""

import json
from typing import Any

import msgspec

from unifyport.model.inbound import MessageReceived, Unparsed
from unifyport.model.json_text import decode_text
from unifyport.providers.telegram.bot.polled import parse_updates
from unifyport.providers.x.api import shapes
from unifyport.providers.x.api.parse import parse_page
from unifyport.providers.zalo.bot.parse import parse_update

DEEP = "[" * 100_000 + "]" * 100_000
HEAD = {"message_id": 7, "date": 1_700_000_000, "chat": {"id": 5, "type": "private"}, "text": "hello"}


def with_deep(item: dict[str, Any]) -> str:
    return json.dumps(item)[:-1] + f', "deep": {DEEP}}}'


async def test_telegram_goes_on_behind_it() -> None:
    deep = f'{{"update_id": 11, "message": {with_deep(HEAD)}}}'
    well = json.dumps({"update_id": 12, "message": HEAD})
    answer = decode_text(f'{{"ok": true, "result": [{deep}, {well}]}}'.encode(), msgspec.json.Decoder(Answer))
    [first, second], highest = await parse_updates(answer.result, "1")
    assert isinstance(first, Unparsed)
    assert (first.reason, first.message_id is not None, highest) == ("too_deep", True, 12)
    assert first.raw.count(b"[") == 100_000
    assert isinstance(second, MessageReceived)


def test_zalo_and_x_set_it_aside() -> None:
    text = f'{{"ok": true, "result": {with_deep({"event_name": "message.text.received"})}}}'
    one = decode_text(text.encode(), msgspec.json.Decoder(One))
    [zalo] = [parse_update(bytes(one.result), "1")]
    page = decode_text(f'{{"data": [{with_deep({"id": "1"})}]}}'.encode(), msgspec.json.Decoder(shapes.Page))
    [x] = parse_page(page, "1")
    for event in (zalo, x):
        assert isinstance(event, Unparsed)
        assert event.raw.count(b"[") == 100_000


class Answer(msgspec.Struct):
    result: list[msgspec.Raw]


class One(msgspec.Struct):
    result: msgspec.Raw
