"""Two ids of one conversation: the normalizer, the store and the parsers together."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio

from actors.conversation_ids import ConversationIds
from actors.normalizer import Normalizer
from actors.writer import Writer
from supervisors import Slices
from unifyport.fleet.leases import LocalFleet
from unifyport.model.account import Account
from unifyport.model.event import mask_of
from unifyport.model.ids import EventIds
from unifyport.model.inbound import ProviderEvent
from unifyport.model.unit import Unit
from unifyport.process.clock import Clock
from unifyport.providers.telegram.bot.parse import parse_update
from unifyport.providers.whatsapp.cloud.parse import parse_webhook
from unifyport.storage.contract import Committed, Duplicate, PutAccount, StoreUnavailable
from unifyport.storage.sealing import KeyRing
from unifyport.storage.sqlite.store import SqliteStore

NOW = 1_780_790_400_000
PHONE, USER = "6590000020", "SG.13491208655302741918"
BOTH = {"wa_id": PHONE, "user_id": USER, "profile": {"name": "Mei"}}
HIDDEN = {"user_id": USER, "profile": {"name": "Mei", "username": "mei.shop"}}
ALL = mask_of(["*", "provider.event"])


class World:
    """One account and the road of its events; a restart reads only what is on the disk."""

    def __init__(self, store: SqliteStore, epoch: int) -> None:
        self.store, self.epoch, self.now = store, epoch, NOW
        self.ids = EventIds(lambda: self.now)
        self.number = 0
        self.restart()

    def restart(self) -> None:
        self.normalizer = Normalizer(
            Writer(self.store), self.ids, b"key", lambda *_: "", clock=Clock.without_steps(lambda: self.now)
        )

    async def commit(self, *events: ProviderEvent, generation: int = 1) -> list[Any]:
        """Commit the events in one unit; returns the bodies that come out."""
        before = await self.store.newest_position()
        self.now += 1000
        unit = Unit(1, "acct_1", "whatsapp", self.epoch, generation, provider_events=list(events))
        await self.normalizer.conversations.load([unit])
        await self.normalizer.fill(unit, Slices())
        [result] = await self.store.commit([unit])
        assert isinstance(result, Committed | Duplicate), result
        logged = await self.store.events(before, 100, mask=ALL)
        self.lanes = [event.lane for item in unit.items for event in item.events]
        return [msgspec.json.decode(event.body) for event in logged]

    def message(self, contact: dict[str, Any] | None = None, **fields: Any) -> ProviderEvent:
        """A message of a customer, with the ids that `contact` has."""
        self.number += 1
        item: dict[str, Any] = {"id": f"wamid.{self.number}", "timestamp": "1780790400", "type": "text"}
        item["text"] = {"body": "hi"}
        if contact and "wa_id" in contact:
            item["from"] = contact["wa_id"]
        if contact and "user_id" in contact:
            item["from_user_id"] = contact["user_id"]
        return self.of({"messages": [{**item, **fields}]}, contact)

    def of(self, value: dict[str, Any], contact: dict[str, Any] | None) -> ProviderEvent:
        whole = {"metadata": {"phone_number_id": "1"}, "contacts": [contact] if contact else [], **value}
        body = json.dumps({"entry": [{"changes": [{"field": "messages", "value": whole}]}]}).encode()
        [addressed] = parse_webhook(body, "1")
        return addressed.event

    def notice(self, **system: Any) -> ProviderEvent:
        fields = {"type": "system", "system": {"body": "changed", **system}, "from": PHONE}
        return self.message(None, **fields)

    async def chat(self, event: ProviderEvent) -> str:
        """The conversation's id in the one event that comes out."""
        [body] = await self.commit(event)
        found: str = body["data"]["conversation"]["id"]
        return found


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = SqliteStore(tmp_path / "test.db", KeyRing.parse(KeyRing.new_key()), lambda: NOW)
    store.open()
    await store.commit([PutAccount(Account("acct_1", "a", "whatsapp", "whatsapp", "global", "token"))])
    [lease] = await LocalFleet(store, "test").claim(["account:acct_1"])
    yield World(store, lease.epoch)
    store.close()


@pytest.mark.parametrize("restart", [False, True])
async def test_the_first_id_stays_when_the_number_is_hidden_later(world: World, restart: bool) -> None:
    [first] = await world.commit(world.message(BOTH))
    lane = world.lanes
    if restart:
        world.restart()
    [second] = await world.commit(world.message(HIDDEN))
    assert first["data"]["conversation"]["id"] == second["data"]["conversation"]["id"] == PHONE
    assert world.lanes == lane
    identities = second["data"]["conversation"]["identities"]
    for kind, value in (("phone", f"+{PHONE}"), ("user_id", USER), ("username", "mei.shop")):
        assert {"type": kind, "id": value} in identities
    if restart:
        world.restart()
    status = {"id": "w", "status": "delivered", "timestamp": "1780790400", "recipient_user_id": USER}
    delivered, _ = await world.commit(world.of({"statuses": [status]}, None))
    assert delivered["data"]["conversation"]["id"] == PHONE


async def test_the_first_id_stays_when_the_number_is_learnt_later(world: World) -> None:
    assert await world.chat(world.message(HIDDEN)) == USER
    assert await world.chat(world.message(BOTH)) == USER
    assert await world.chat(world.message({"wa_id": PHONE})) == USER


async def test_a_batch_joins_as_single_messages_do(world: World) -> None:
    bodies = await world.commit(world.message(BOTH), world.message(HIDDEN), world.message(HIDDEN))
    assert [body["data"]["conversation"]["id"] for body in bodies] == [PHONE] * 3


@pytest.mark.parametrize("restart", [False, True])
async def test_a_changed_number_is_told_before_the_first_event_under_it(world: World, restart: bool) -> None:
    await world.commit(world.message(BOTH))
    lane = world.lanes
    if restart:
        world.restart()
    new = {"wa_id": "6590000021", "user_id": "SG.2"}
    changed = world.notice(
        type="user_changed_number", wa_id=new["wa_id"], user_id="SG.2", previous_user_id=USER
    )
    [updated] = await world.commit(changed)
    assert updated["type"] == "conversation.updated"
    assert updated["data"]["conversation"]["id"] == new["wa_id"]
    assert updated["data"]["previous_id"] == updated["data"]["event"]["previous_id"] == PHONE
    assert updated["data"]["event"]["reason"] == "number_changed"
    assert world.lanes == lane
    if restart:
        world.restart()
    assert await world.chat(world.message(new)) == new["wa_id"]
    assert world.lanes == lane
    assert await world.chat(world.message({"user_id": USER})) == new["wa_id"]


async def test_a_number_that_a_stranger_has_now_is_another_conversation(world: World) -> None:
    await world.commit(world.message(BOTH))
    await world.commit(world.notice(type="user_changed_number", wa_id="6590000021"))
    receipt = {"id": "w", "status": "read", "timestamp": "1780790400", "recipient_id": PHONE}
    read, _ = await world.commit(world.of({"statuses": [receipt]}, None))
    assert read["data"]["conversation"]["id"] == "6590000021"
    assert await world.chat(world.message({"wa_id": PHONE, "user_id": "SG.9"})) == PHONE
    assert await world.chat(world.message({"user_id": "SG.9"})) == PHONE
    assert await world.chat(world.message({"wa_id": "6590000021"})) == "6590000021"


async def test_another_person_with_the_same_number_ends_the_old_id(world: World) -> None:
    await world.commit(world.message(BOTH))
    assert await world.chat(world.message({"wa_id": PHONE, "user_id": "SG.9"})) == PHONE
    assert await world.chat(world.message({"user_id": USER})) == USER
    world.restart()
    assert await world.chat(world.message({"user_id": "SG.9"})) == PHONE


async def test_a_changed_user_id_changes_our_id_only_if_it_is_ours(world: World) -> None:
    change = {"type": "user_changed_user_id", "user_id": "SG.2", "previous_user_id": USER}
    await world.commit(world.message(BOTH))
    [told] = await world.commit(world.message(None, type="system", system=change, from_user_id=USER))
    assert (told["type"], told["data"]["event"]["name"]) == ("provider.event", "user_changed_user_id")
    assert await world.chat(world.message({"user_id": "SG.2"})) == PHONE


async def test_a_hidden_customer_goes_on_under_the_new_user_id(world: World) -> None:
    change = {"type": "user_changed_user_id", "user_id": "SG.2", "previous_user_id": USER}
    await world.commit(world.message(HIDDEN))
    [told] = await world.commit(world.message(None, type="system", system=change, from_user_id=USER))
    assert (told["type"], told["data"]["previous_id"]) == ("conversation.updated", USER)
    assert told["data"]["event"]["reason"] == "user_id_changed"
    assert await world.chat(world.message({"user_id": "SG.2"})) == "SG.2"


async def test_two_conversations_that_turn_out_to_be_one(world: World) -> None:
    assert await world.chat(world.message({"wa_id": PHONE})) == PHONE
    assert await world.chat(world.message({"user_id": USER})) == USER
    moved, message = await world.commit(world.message(BOTH))
    assert (moved["type"], moved["data"]["previous_id"]) == ("conversation.updated", USER)
    assert moved["data"]["event"]["reason"] == "platform_alias"
    assert moved["data"]["conversation"]["id"] == message["data"]["conversation"]["id"] == PHONE
    assert await world.chat(world.message({"user_id": USER})) == PHONE


async def test_a_repeat_changes_nothing(world: World) -> None:
    first = world.message(BOTH)
    await world.commit(first)
    await world.commit(world.message({"wa_id": PHONE, "user_id": "SG.9"}))
    world.number = 0
    assert await world.commit(world.message(BOTH)) == []  # the first one again, after what came later
    assert await world.chat(world.message({"user_id": "SG.9"}, id="wamid.new")) == PHONE


async def test_what_was_refused_is_read_again_by_the_next_generation(world: World) -> None:
    unit = Unit(1, "acct_1", "whatsapp", world.epoch, 1, provider_events=[world.message(HIDDEN)])
    await world.normalizer.conversations.load([unit])
    await world.normalizer.fill(unit, Slices())  # and it is never committed
    [body] = await world.commit(world.message(BOTH), generation=2)
    assert body["data"]["conversation"]["id"] == PHONE


def group(update_id: int, chat: int, **fields: Any) -> ProviderEvent:
    message = {
        "message_id": update_id,
        "date": 1_780_790_400,
        "chat": {"id": chat, "type": "group"},
        **fields,
    }
    event, _ = parse_update(json.dumps({"update_id": update_id, "message": message}).encode(), "42")
    return event


async def test_a_group_that_becomes_a_supergroup(world: World) -> None:
    [first] = await world.commit(group(1, -17, text="before"))
    lane = world.lanes
    assert await world.store.aliases(1, ()) == {}
    [moved] = await world.commit(group(2, -17, migrate_to_chat_id=-100200))
    assert (moved["data"]["previous_id"], moved["data"]["conversation"]["id"]) == ("-17", "-100200")
    assert world.lanes == lane
    [again] = await world.commit(group(3, -100200, migrate_from_chat_id=-17))
    assert (again["type"], again["data"]["event"]["name"]) == ("provider.event", "migrate_from_chat_id")
    world.restart()
    assert await world.chat(group(4, -100200, text="after")) == "-100200"
    assert world.lanes == lane
    assert await world.chat(group(5, -17, text="late")) == "-100200"
    alias = await world.normalizer.conversations.find(1, "-17")
    assert alias is not None
    assert (alias.canonical, alias.lane) == ("-100200", "-17")
    assert await world.normalizer.conversations.find(1, "-18") is None
    assert first["data"]["conversation"]["id"] == "-17"


async def test_rows_that_are_on_the_disk_are_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.conversation_ids.MOST_ROWS", 20)
    monkeypatch.setattr("actors.conversation_ids.ON_THE_ROAD", 5)
    for number in range(60):
        contact = {"wa_id": f"65900010{number:02}", "user_id": f"SG.1{number:03}"}
        await world.commit(world.message(contact))
    rows = world.normalizer.conversations
    assert sum(len(account.known) for account in rows._accounts.values()) <= 22
    assert await world.chat(world.message({"user_id": "SG.1000"})) == "6590001000"


async def test_it_waits_for_a_store_that_is_unavailable(world: World, autojump_clock: Any) -> None:
    failures = [3]

    class Ailing:
        async def aliases(self, account_no: int, ids: Any) -> Any:
            await trio.lowlevel.checkpoint()
            if failures[0]:
                failures[0] -= 1
                raise StoreUnavailable("disk")
            return {}

        async def seen(self, account_no: int, keys: Any) -> set[bytes]:
            await trio.lowlevel.checkpoint()
            return set()

    ids = ConversationIds(Ailing())  # type: ignore[arg-type]
    await ids.load([Unit(1, "acct_1", "whatsapp", 1, 1, provider_events=[world.message(BOTH)])])
    assert failures == [0]
