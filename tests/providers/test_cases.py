"""Inputs that people really met: `tests/cases/*.json`. Nothing that they must keep is lost."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unifyport.model.event import EventType
from unifyport.model.inbound import ProviderEvent, Unparsed
from unifyport.model.normalize import Standard, normalize
from unifyport.providers.telegram.bot.parse import parse_update
from unifyport.providers.whatsapp.cloud.parse import parse_webhook

CASES = sorted((Path(__file__).parent.parent / "cases").glob("*.json"))
NOW = 1_780_790_400


def telegram(feed: dict[str, Any]) -> Iterator[ProviderEvent]:
    """Each update, with the ids, dates and chats that it leaves open."""
    head = {
        "date": NOW,
        "chat": {"id": 7, "type": "private", "first_name": "Mei"},
        "from": {"id": 7, "is_bot": False, "first_name": "Mei"},
    }
    updates = [
        *feed.get("telegram_updates", []),
        *({"message": fields} for fields in feed.get("telegram_message_fields", {}).values()),
    ]
    for number, update in enumerate(updates, 900):
        [(kind, fields)] = update.items()
        whole = {"update_id": number, kind: {"message_id": number, **head, **fields}}
        yield parse_update(json.dumps(whole).encode(), "42")[0]


def whatsapp(feed: dict[str, Any]) -> Iterator[ProviderEvent]:
    """Each value of a webhook, with the ids, times and numbers that it leaves open."""
    values = [
        *feed.get("whatsapp_values", []),
        *({"messages": [message]} for message in feed.get("whatsapp_messages", [])),
    ]
    numbers = itertools.count(1)
    for value in values:
        whole = {"metadata": {"phone_number_id": "106540352242922"}, **value}
        for name in ("messages", "statuses"):
            head = {"timestamp": str(NOW), **({} if "contacts" in value else {"from": "6590000001"})}
            items = [{"id": f"wamid.{next(numbers)}", **head, **item} for item in value.get(name, [])]
            whole[name] = items
        body = json.dumps({"entry": [{"id": "1", "changes": [{"field": "messages", "value": whole}]}]})
        yield from (addressed.event for addressed in parse_webhook(body.encode(), "path"))


def events(case: dict[str, Any]) -> list[Standard]:
    found = [*telegram(case["feed"]), *whatsapp(case["feed"])]
    assert not [event for event in found if isinstance(event, Unparsed)]
    return [standard for event in found for standard in normalize(event, NOW * 1000)]


def said(standard: Standard) -> str:
    """What an event says without the platform's item."""
    return json.dumps(standard.data, ensure_ascii=False)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_cases(path: Path) -> None:
    case = json.loads(path.read_text())
    found = events(case)
    for text in case["must_keep"]:
        assert any(text in said(standard) for standard in found), text
    for name, values in case.get("must_not", {}).items():
        for standard in found:
            assert standard.data.get("message", {}).get(name) not in values
    assert all(standard.provider_data is not None for standard in found)


def test_no_service_message_is_a_message_of_a_customer() -> None:
    case = json.loads((CASES[0].parent / "telegram-service-messages.json").read_text())
    found = events(case)
    assert len(found) == len(case["feed"]["telegram_message_fields"])
    assert {standard.type for standard in found} == {EventType.PROVIDER_EVENT}
    names = {standard.data["event"]["name"] for standard in found}
    assert names == {name for fields in case["feed"]["telegram_message_fields"].values() for name in fields}
