"""The normalizer and the store: originals of events that do not hold them, unknown kinds, missing times."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from actors.normalizer import Normalizer
from actors.writer import Writer
from supervisors import Slices
from unifyport.fleet.leases import LocalFleet
from unifyport.model.account import Account
from unifyport.model.event import ALL_MASK, EventType
from unifyport.model.ids import EventIds
from unifyport.model.inbound import (
    Content,
    Conversation,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    Sender,
    dedupe_key,
    message_key,
)
from unifyport.model.provider_data import ProviderData
from unifyport.model.unit import Unit
from unifyport.process.clock import Clock
from unifyport.storage.contract import Committed, Duplicate, Purge, PutAccount
from unifyport.storage.sealing import KeyRing
from unifyport.storage.sqlite.store import SqliteStore

NOW = 1_780_790_400_000
CHAT = Conversation("c", "user")


class Road:
    def __init__(self, store: SqliteStore, epoch: int, directory: Path) -> None:
        self.store = store
        self.directory = directory
        self.epoch = epoch
        self.now = NOW
        ids = EventIds(lambda: self.now)
        self.normalizer = Normalizer(
            Writer(store), ids, b"key", lambda *_: "", clock=Clock.without_steps(lambda: self.now)
        )

    async def commit(self, *events: ProviderEvent) -> Unit:
        unit = Unit(1, "acct_1", "telegram", self.epoch, 1, provider_events=list(events))
        await self.normalizer.fill(unit, Slices())
        [result] = await self.store.commit([unit])
        assert isinstance(result, Committed), result
        return unit

    async def repeat(self, *events: ProviderEvent) -> None:
        unit = Unit(1, "acct_1", "telegram", self.epoch, 1, provider_events=list(events))
        await self.normalizer.fill(unit, Slices())
        [result] = await self.store.commit([unit])
        assert isinstance(result, Duplicate), result

    async def bodies(self) -> list[Any]:
        events = await self.store.events(0, 100, mask=ALL_MASK | 1 << EventType.PROVIDER_EVENT.number)
        return [msgspec.json.decode(event.body) for event in events]


@pytest.fixture
async def road(tmp_path: Path) -> AsyncIterator[Road]:
    store = SqliteStore(tmp_path / "test.db", KeyRing.parse(KeyRing.new_key()), lambda: NOW)
    store.open()
    await store.commit([PutAccount(Account("acct_1", "a", "telegram", "telegram", "global", "token"))])
    [lease] = await LocalFleet(store, "test").claim(["account:acct_1"])
    yield Road(store, lease.epoch, tmp_path)
    store.close()


def received(message_id: str, text: str = "hi", item: Any = None, **content: Any) -> MessageReceived:
    data = None if item is None else ProviderData(item, msgspec.json.encode(item))
    said = Content(message_id, "text", text, **content)
    return MessageReceived(dedupe_key("test", message_id), CHAT, Sender("s"), said, NOW, provider_data=data)


async def test_an_item_that_is_too_large_is_kept_sealed_until_its_message_is_deleted(road: Road) -> None:
    large, small = {"x": "y" * 70_000}, {"x": "y"}
    unit = await road.commit(received("1", item=large), received("2", item=small), received("3", item=large))
    first, second, third = await road.bodies()
    assert first["data"]["provider_data_omitted"] == third["data"]["provider_data_omitted"] == "too_large"
    assert second["data"]["provider_data"] == small
    assert await road.store.original(second["id"]) is None
    assert await road.store.original(first["id"]) == msgspec.json.encode(large)
    assert [item.quarantined for item in unit.items] == [None] * 3
    assert all(b"y" * 100 not in path.read_bytes() for path in road.directory.iterdir())
    await road.commit(MessageDeleted(dedupe_key("gone"), CHAT, "1", NOW))
    assert await road.store.original(first["id"]) is None
    assert await road.store.original(third["id"]) == msgspec.json.encode(large)
    await road.store.commit([Purge(NOW, NOW + 1, 0, 0, 0)])
    assert await road.bodies() == []
    assert await road.store.original(third["id"]) is None


async def test_a_message_that_comes_after_its_deletion_keeps_no_original(road: Road) -> None:
    await road.commit(MessageDeleted(dedupe_key("gone"), CHAT, "1", NOW))
    await road.commit(received("1", item={"x": "y" * 70_000}))
    [_, body] = await road.bodies()
    assert body["type"] == "message.received"
    assert await road.store.original(body["id"]) is None


def edited(text: str, at: int, number: int = 0, message_id: str = "1", **more: Any) -> MessageEdited:
    key = dedupe_key("edit", message_id, text)
    return MessageEdited(key, CHAT, Sender("s"), Content(message_id, "text", text), at, number, **more)


async def test_an_older_edit_that_comes_after_a_newer_one_is_recorded_and_not_emitted(road: Road) -> None:
    await road.commit(edited("second", 2000, 7))
    await road.commit(edited("first", 1000, 9), edited("third", 3000, 5), edited("other", 1, 1, "2"))
    await road.commit(edited("same time, before", 3000, 4), edited("same time, after", 3000, 6))
    shown = ["second", "third", "other", "same time, after"]
    assert [body["text"] for body in await road.bodies()] == shown
    late = edited("first", 1000, 9)
    assert await road.store.seen(1, [late.key]) == {late.key}
    await road.repeat(late)
    assert len(await road.bodies()) == len(shown)


async def test_edits_without_a_number_of_the_same_time_are_all_emitted(road: Road) -> None:
    await road.commit(edited("one", 2000), edited("two", 2000))
    assert [body["text"] for body in await road.bodies()] == ["one", "two"]


async def test_an_older_edit_leaves_no_original(road: Road) -> None:
    large = {"x": "y" * 70_000}
    data = ProviderData(large, msgspec.json.encode(large))
    await road.commit(edited("new", 2000, provider_data=data))
    unit = await road.commit(edited("old", 1000, provider_data=data))
    [left_out] = unit.items[0].events
    assert await road.store.event(left_out.id) is None
    assert await road.store.original(left_out.id) is None


async def test_edits_by_the_owner_are_in_order_too(road: Road) -> None:
    def echo(text: str, at: int, change: str = "edited") -> PlatformEvent:
        key, said = dedupe_key("echo", text), Content("1", "text", text)
        details = {"change": change}
        return PlatformEvent(key, "message_echo", at, CHAT, Sender("o"), said, "outbound", details=details)

    await road.commit(echo("sent", 1, "sent"), echo("new", 3000), echo("old", 2000))
    assert [body["data"]["message"]["text"] for body in await road.bodies()] == ["sent", "new"]


async def test_what_became_of_a_message_is_forgotten(road: Road) -> None:
    gone = MessageDeleted(dedupe_key("gone"), CHAT, "1", NOW)
    await road.commit(gone, edited("new", 2000, message_id="2"))
    [erased] = await road.store.erased("acct_1", [message_key("c", "1"), message_key("c", "2")])
    assert erased == message_key("c", "1")
    assert not await road.store.erased("acct_2", [erased])
    day = 86_400_000
    await road.store.commit([Purge(NOW, 0, 0, 0, 0, messages_before=NOW)])
    assert await road.store.erased("acct_1", [erased])
    await road.store.commit([Purge(NOW, 0, 0, 0, 0, messages_before=NOW + day)])
    assert not await road.store.erased("acct_1", [erased])
    await road.commit(edited("old", 1000, message_id="2"))
    assert (await road.bodies())[-1]["text"] == "old"


async def test_no_size_quarantines_an_event(road: Road) -> None:
    text = "\x01" * 3_000_000
    await road.commit(received("1", text, item={"text": text}))
    [body] = await road.bodies()
    assert body["data"]["truncated"] is True
    assert set(body["text"]) == {"\x01"}
    assert await road.store.quarantine(10) == []
    assert await road.store.original(body["id"]) == msgspec.json.encode({"text": text})


async def test_a_message_without_a_time_has_that_of_its_arrival(road: Road) -> None:
    event = received("1")
    event.sent_at = None
    await road.commit(event)
    [body] = await road.bodies()
    assert body["occurred_at"] == body["data"]["message"]["sent_at"] == "2026-06-07T00:00:00Z"


async def test_unknown_kinds_are_counted_and_logged_once(
    road: Road, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    await road.commit(*(received(str(n), kind="hologram", unsupported=True) for n in range(3)))
    assert road.normalizer.unsupported == {("telegram", "hologram"): 3}
    assert [r.getMessage() for r in caplog.records] == [
        "telegram: messages of an unknown kind arrive: 'hologram'"
    ]
    for number in range(1_000):
        await road.commit(received(f"k{number}", kind=f"kind-{number}", unsupported=True))
    assert len(road.normalizer.unsupported) <= 257
