"""Every number of what platforms say, set to another: an event is read or set aside, and nothing breaks.

The numbers are those of the documented examples, also where they are written as text.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from actors.normalizer import Normalizer
from actors.writer import Writer
from supervisors import Slices
from tests.providers.documentation import LINE, TELEGRAM, TIKTOK, WHATSAPP, ZALO, X
from unifyport.fleet.leases import LocalFleet
from unifyport.model.account import Account
from unifyport.model.event import ALL_MASK
from unifyport.model.ids import EventIds
from unifyport.model.inbound import ProviderEvent
from unifyport.model.times import rfc3339
from unifyport.model.unit import Unit
from unifyport.process.clock import Clock
from unifyport.providers.line.messaging.parse import parse_webhook as parse_line
from unifyport.providers.telegram.bot.parse import parse_update
from unifyport.providers.tiktok.business.parse import parse_webhook as parse_tiktok
from unifyport.providers.whatsapp.cloud.parse import parse_webhook as parse_whatsapp
from unifyport.providers.x.api.parse import parse_activity
from unifyport.providers.zalo.bot.parse import parse_webhook as parse_zalo_bot
from unifyport.providers.zalo.official.parse import parse_webhook as parse_zalo
from unifyport.storage.contract import Committed, Duplicate, PutAccount
from unifyport.storage.sealing import KeyRing
from unifyport.storage.sqlite.store import SqliteStore

NOW = 1_780_790_400_000
NUMBERS = ["-1", "0", "1e15", "1000000000000000", "1e308", "NaN", '"soon"']
MARK = "the number is here"
NUMBER = "106540352242922"


def telegram() -> Iterator[Any]:
    fields, updates = TELEGRAM["message"], TELEGRAM["update"]
    head = {name: updates["message"][name] for name in ("message_id", "date", "chat", "from")}
    yield from ({"update_id": 7, "message": {**head, kind: value}} for kind, value in fields.items())
    yield from ({"update_id": 7, name: update} for name, update in updates.items())


def whatsapp() -> Iterator[Any]:
    for kind, fields in WHATSAPP["message"].items():
        content = fields if kind != "interactive" else {"interactive": fields}
        message = {"from": "6590000001", "id": "wamid.1", "timestamp": "1780790400", "type": kind, **content}
        yield of_cloud({"messages": [message]})
    for name in WHATSAPP["status"]:
        status = {"id": "wamid.1", "status": name, "timestamp": "1780790400", "recipient_id": "6590000001"}
        yield of_cloud({"statuses": [status]})
    details = {"details": "Message failed to send because of the number's rate limit"}
    yield of_cloud({"errors": [{"code": 130429, "title": "Rate limit hit", "error_data": details}]})


def of_cloud(value: Any) -> Any:
    value = {"metadata": {"phone_number_id": NUMBER}, **value}
    return {"entry": [{"id": "1", "time": 1, "changes": [{"field": "messages", "value": value}]}]}


def line() -> Iterator[Any]:
    events = [*LINE["event"].values()]
    for message in (*LINE["message"].values(), *LINE["variant"].values()):
        events.append({**LINE["event"]["message"], "message": message})
    yield from ({"destination": "U1", "events": [event]} for event in events)


def tiktok() -> Iterator[Any]:
    contents = [*TIKTOK["event"].items()]
    contents += [
        ("im_receive_msg", {**TIKTOK["head"], "type": kind, **fields})
        for kind, fields in TIKTOK["message"].items()
    ]
    for event, content in contents:
        yield {"event": event, "create_time": 1, "user_openid": "b1", "content": content}


def x() -> Iterator[Any]:
    for event_type, payload in X["payload"].items():
        head = {"event_uuid": "-68", "filter": {"user_id": "1"}, "event_type": event_type}
        yield {"data": {**head, "payload": payload}}


def with_content_as_text(body: str) -> str:
    """TikTok's `content` is JSON in a string."""
    start = body.index('"content": ') + len('"content": ')
    return body[:start] + json.dumps(body[start:-1]) + "}"


PLATFORMS: dict[str, tuple[list[Any], Any]] = {
    "telegram": ([*telegram()], lambda raw: [parse_update(raw, "4242")[0]]),
    "whatsapp": ([*whatsapp()], lambda raw: [each.event for each in parse_whatsapp(raw, NUMBER)]),
    "line": ([*line()], lambda raw: [each.event for each in parse_line(raw, "1")]),
    "tiktok": ([*tiktok()], lambda raw: [each.event for each in parse_tiktok(raw, "b1")]),
    "zalo bot": (
        [*ZALO["bot"]["event"].values(), *ZALO["bot"]["event_seen"].values()],
        lambda raw: [each.event for each in parse_zalo_bot(raw, "1")],
    ),
    "zalo official": (
        [*ZALO["official"]["event"].values()],
        lambda raw: [each.event for each in parse_zalo(raw, "1")],
    ),
    "x": ([*x()], lambda raw: [each.event for each in parse_activity(raw, "1")]),
}


def with_number(value: Any) -> Iterator[Any]:
    """The value with each of its numbers replaced by the mark, one at a time."""
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            for inner in with_number(value[key]):
                made = value.copy()
                made[key] = inner
                yield made
    elif (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, str) and value.isdigit()
    ):
        yield MARK


class Road:
    """The way of provider events into a database of its own."""

    def __init__(self, store: SqliteStore, epoch: int) -> None:
        self.store, self.epoch = store, epoch
        clock = Clock.without_steps(lambda: NOW)
        self.normalizer = Normalizer(Writer(store), EventIds(lambda: NOW), b"key", lambda *_: "", clock=clock)

    async def commit(self, provider: str, events: list[ProviderEvent]) -> Unit:
        unit = Unit(1, "acct_1", provider, self.epoch, 1, provider_events=events)
        await self.normalizer.fill(unit, Slices())
        [result] = await self.store.commit([unit])
        assert isinstance(result, Committed | Duplicate), result
        return unit


@pytest.mark.parametrize("number", NUMBERS, ids=[number[:8] for number in NUMBERS])
@pytest.mark.parametrize("name", PLATFORMS)
async def test_no_number_of_an_event_breaks_anything(tmp_path: Path, name: str, number: str) -> None:
    store = SqliteStore(tmp_path / "test.db", KeyRing.parse(KeyRing.new_key()), lambda: NOW)
    store.open()
    provider, (examples, parse) = name.partition(" ")[0], PLATFORMS[name]
    await store.commit([PutAccount(Account("acct_1", "a", provider, provider, "global", "token"))])
    [lease] = await LocalFleet(store, "test").claim(["account:acct_1"])
    road = Road(store, lease.epoch)
    events, tried = [], 0
    for example in examples:
        for changed in with_number(example):
            body = json.dumps(changed).replace(f'"{MARK}"', number)
            body = with_content_as_text(body) if name == "tiktok" else body
            events += parse(body.encode())
            tried += 1
    assert tried >= 5
    unit = await road.commit(provider, events)
    broken = [item.quarantined.reason for item in unit.items if item.quarantined is not None]
    assert not [reason for reason in broken if reason.startswith("normalizer")]
    for item in unit.items:
        for event in item.events:
            assert rfc3339(event.occurred_at)
            json.loads(event.body, parse_constant=pytest.fail)
    assert await store.events(0, 10_000, mask=ALL_MASK) is not None
    store.close()
