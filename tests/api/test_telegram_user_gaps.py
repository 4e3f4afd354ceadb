"""Updates that the platform does not push, pushes twice, or pushes to a connection that is cut: every message
is told once, in the order of its conversation.
"""

import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.harness import endpoint, free_port, gateway, public, receiver, sandbox, settings_of
from tests.linked_world import ALL, QUICK
from tests.telegram_world import SHOP, TelegramWorld, telegram_world
from unifyport.providers.telegram.user import dialogs, differences, inbox, rpc
from unifyport.sandbox.telegram.user.errors import Refused
from unifyport.sandbox.telegram.user.noise import Noise

PEOPLE = [f"65911111{number:02}" for number in range(8)]
Chats = list[tuple[str, str]]  # who writes, and where


@attrs.define
class Rig:
    """A sandbox and a receiver, beside which gateways on one data directory come and go."""

    directory: Path
    platform: Any
    inbox: Any
    ids: dict[str, str] = attrs.field(factory=dict)

    @contextlib.asynccontextmanager
    async def gateway(self) -> AsyncIterator[TelegramWorld]:
        file = endpoint(self.inbox.url, events=ALL) + self.platform.sandbox.config() + QUICK
        async with gateway(settings_of(self.directory, file, **public(free_port()))) as api:
            yield TelegramWorld(self.platform, self.inbox, api, self.ids)


@contextlib.asynccontextmanager
async def _rig(directory: Path) -> AsyncIterator[Rig]:
    async with sandbox() as platform, receiver() as inbox:
        yield Rig(directory, platform, inbox)


async def _chats(world: TelegramWorld, channels: int = 2) -> Chats:
    """An account that is linked, in private chats, a basic group, channels."""
    await world.do("account", phone=SHOP, name="Shop")
    for phone in PEOPLE:
        await world.do("account", phone=phone, name=phone)
    group = (await world.do("group", title="Group", phones=[PEOPLE[0], SHOP]))["id"]
    found = [(phone, SHOP) for phone in PEOPLE] + [(PEOPLE[0], str(group))]
    for number in range(channels):
        phones = [PEOPLE[number], SHOP]
        made = await world.do("channel", title=f"Channel {number}", phones=phones, megagroup=number % 2 == 0)
        found.append((PEOPLE[number], str(made["id"])))
    await world.give(SHOP, "code", await world.start_by_code(SHOP))
    await world.running(SHOP)
    return found


async def _write(world: TelegramWorld, where: tuple[str, str], text: str) -> None:
    await world.order("messages", **{"from": where[0], "to": where[1], "text": text})


def _told(world: TelegramWorld) -> dict[str, list[str]]:
    """The texts of each conversation, as they were told. A gateway that ends may deliver an event again."""
    found: dict[str, list[str]] = {}
    for event in {each["id"]: each for each in world.received(SHOP)}.values():
        found.setdefault(event["data"]["conversation"]["id"], []).append(event["text"])
    return found


async def _until_told(world: TelegramWorld, written: dict[int, list[str]]) -> None:
    expected = sorted(map(tuple, written.values()))
    await world.inbox.until(lambda: sum(map(len, _told(world).values())) >= sum(map(len, expected)))
    assert sorted(map(tuple, _told(world).values())) == expected


async def test_gaps_duplicates_and_cuts_lose_nothing(tmp_path: Path) -> None:
    dice = random.Random(7)
    async with telegram_world(tmp_path) as world:
        chats = await _chats(world)
        await world.do("slices", slice=10, channel_slice=10)
        written: dict[int, list[str]] = {}
        for number in range(300):
            place = dice.randrange(len(chats))
            noise = dice.choice(["gap", "gap", "duplicate", "cut", "too_long", *[""] * 20])
            if noise:
                await world.do(noise, **({"phone": SHOP} if noise == "too_long" else {}))
            await _write(world, chats[place], f"{place}.{number}")
            written.setdefault(place, []).append(f"{place}.{number}")
        for place in range(len(chats)):  # what ends a gap that nothing else ends
            await _write(world, chats[place], f"{place}.last")
            written.setdefault(place, []).append(f"{place}.last")
        await _until_told(world, written)
        pushed = world.user_platform.server.noise.pushed
        assert min(pushed[0], pushed[2]) > 0, "the noise did not reach the account"


async def test_what_came_while_the_gateway_was_away_is_fetched(tmp_path: Path) -> None:
    written: dict[int, list[str]] = {}
    async with _rig(tmp_path) as rig:
        async with rig.gateway() as world:
            chats = await _chats(world)
            await world.do("slices", slice=7, channel_slice=7)
        for number in range(40):
            for place, chat in enumerate(chats):
                if number < 10 or place > 7:
                    await _write(world, chat, f"{place}.{number}")
                    written.setdefault(place, []).append(f"{place}.{number}")
        async with rig.gateway() as world:
            await _until_told(world, written)


async def test_a_history_is_fetched_where_the_difference_is_too_long(tmp_path: Path) -> None:
    written: dict[int, list[str]] = {}

    async def write(world: TelegramWorld, place: int, number: int) -> None:
        await _write(world, chats[place], f"{place}.{number}")
        written.setdefault(place, []).append(f"{place}.{number}")

    async with _rig(tmp_path) as rig:
        async with rig.gateway() as world:
            chats = await _chats(world)
            for place in range(len(chats)):
                await write(world, place, 0)
            await _until_told(world, written)
            await world.do("slices", most=5, channel_most=5)
        for number in range(1, 150):
            await write(world, len(chats) - 1, number)
            if number < 20:
                await write(world, 0, number)
                await write(world, 8, number)
        async with rig.gateway() as world:
            await _until_told(world, written)
            asked = {each.method for each in world.user_platform.server.seen}
            assert "messages.getHistory" in asked, "no difference was too long"


@attrs.define
class Refusing(Noise):
    """Refuses the history of one chat, `times` times."""

    refused: int = 0
    error: tuple[int, str] = (0, "")
    times: int = 0

    def meet(self, method: str, query: Any) -> None:
        peer = getattr(query, "peer", None)
        chat = getattr(peer, "user_id", 0) or getattr(peer, "channel_id", 0)
        if method == "messages.getHistory" and chat == self.refused and self.times:
            self.times -= 1
            raise Refused(*self.error)
        Noise.meet(self, method, query)


async def _too_long(world: TelegramWorld, chats: Chats) -> dict[int, list[str]]:
    """What was written to an account that has heard something in each chat before."""
    written: dict[int, list[str]] = {place: [f"{place}.0"] for place in range(len(chats))}
    for place, chat in enumerate(chats):
        await _write(world, chat, f"{place}.0")
    await _until_told(world, written)
    await world.do("slices", most=5, channel_most=5)
    return written


async def _write_more(world: TelegramWorld, chats: Chats, written: dict[int, list[str]]) -> None:
    for number in range(1, 4):
        for place in range(8):
            await _write(world, chats[place], f"{place}.{number}")
            written[place].append(f"{place}.{number}")


@pytest.mark.parametrize("ends", [False, True], ids=["goes on", "ends meanwhile"])
async def test_a_history_that_fails_among_others_is_fetched_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: bool
) -> None:
    monkeypatch.setattr(rpc, "_ATTEMPTS", 1)
    async with _rig(tmp_path) as rig:
        async with rig.gateway() as world:
            chats = await _chats(world)
            written = await _too_long(world, chats)
        await _write_more(world, chats, written)
        first = world.user_platform.customers.person(PEOPLE[0]).id
        noise = Refusing(refused=first, error=(500, "INTERNAL"), times=1000 if ends else 1)
        world.user_platform.server.noise = noise
        if ends:
            async with rig.gateway() as world:
                await world.inbox.until(lambda: noise.times < 1000)
        noise.times = min(noise.times, 1)
        async with rig.gateway() as world:
            await _until_told(world, written)
        assert noise.times == 0, "no history failed"


def _gaps(world: TelegramWorld) -> list[Any]:
    events = {each["id"]: each for each in world.received(SHOP, "provider.event")}.values()
    return [each["data"] for each in events if each["data"]["event"]["name"] == "gap"]


async def test_histories_that_are_left_out_are_gaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One is refused; others are too many."""
    async with _rig(tmp_path) as rig:
        async with rig.gateway() as world:
            chats = await _chats(world)
            written = await _too_long(world, chats)
        await _write_more(world, chats, written)
        refused = world.user_platform.customers.person(PEOPLE[5]).id
        world.user_platform.server.noise = Refusing(refused=refused, error=(400, "PEER_ID_INVALID"), times=99)
        monkeypatch.setattr(dialogs, "_LIMIT", 6)
        monkeypatch.setattr(differences, "_MOST_CHATS", 6)
        async with rig.gateway() as world:
            await world.inbox.until(lambda: len(_gaps(world)) == 2)
            for place in (0, 1, 5):  # the oldest ones, and the refused one
                written[place] = written[place][:1]
            await _until_told(world, written)
            [of_one] = [each for each in _gaps(world) if each.get("conversation")]
            assert of_one["conversation"]["id"] == str(refused)
            [of_others] = [each for each in _gaps(world) if not each.get("conversation")]
            assert "before_message_id" not in of_others["event"]


async def test_the_history_of_a_channel_that_is_refused_is_a_gap(tmp_path: Path) -> None:
    async with _rig(tmp_path) as rig:
        async with rig.gateway() as world:
            chats = await _chats(world)
            written = await _too_long(world, chats)
        channel = len(chats) - 1
        for number in range(1, 10):
            await _write(world, chats[channel], f"{channel}.{number}")
        peer = int(chats[channel][1].removeprefix("-100"))
        world.user_platform.server.noise = Refusing(refused=peer, error=(400, "MSG_ID_INVALID"), times=10_000)
        async with rig.gateway() as world:
            await world.inbox.until(lambda: len(_gaps(world)) == 1)
            await _write(world, chats[channel], f"{channel}.last")
            written[channel].append(f"{channel}.last")
            await _until_told(world, written)
            [gap] = _gaps(world)
            assert gap["conversation"]["id"] == chats[channel][1]


@pytest.mark.parametrize("method", ["updates.getChannelDifference", "updates.getDifference"])
async def test_what_a_difference_would_bring_is_told_although_it_is_refused(
    tmp_path: Path, method: str
) -> None:
    async with _rig(tmp_path) as rig:
        async with rig.gateway() as world:
            chats = await _chats(world)
            written: dict[int, list[str]] = {}
            for place in (0, len(chats) - 1):
                await _write(world, chats[place], f"{place}.0")
                written[place] = [f"{place}.0"]
            await _until_told(world, written)
        for place in written:
            for number in range(1, 4):
                await _write(world, chats[place], f"{place}.{number}")
                written[place].append(f"{place}.{number}")
        error = {"code": 400, "name": "PERSISTENT_TIMESTAMP_INVALID", "count": 10_000}
        await world.do("error", method=method, **error)
        async with rig.gateway() as world:
            await _until_told(world, written)
        assert len(world.user_platform.server.noise.errors[method]) < 10_000, "no difference was refused"


async def test_one_channel_without_a_difference_holds_up_nothing(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        chats = await _chats(world)
        error: dict[str, Any] = {"code": 500, "name": "PERSISTENT_TIMESTAMP_OUTDATED", "count": 3}
        await world.do("error", method="updates.getChannelDifference", **error)
        await world.do("gap")
        for number in range(3):
            await _write(world, chats[-1], f"channel {number}")
        await _write(world, chats[0], "private")
        await world.inbox.until(lambda: "private" in world.texts(SHOP))
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 4)
        channel = [text for text in world.texts(SHOP) if text.startswith("channel")]
        assert channel == ["channel 0", "channel 1", "channel 2"]
        assert world.texts(SHOP)[0] == "private"
        assert not world.user_platform.server.noise.errors["updates.getChannelDifference"]


async def test_an_inbox_of_one_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is too much is dropped and asked for again: no hand-over waits for another."""
    monkeypatch.setattr(inbox, "MOST_WAITING", 1)
    async with telegram_world(tmp_path) as world:
        chats = await _chats(world)
        written: dict[int, list[str]] = {1: ["1.0", "1.1", "1.2"]}
        customers = world.user_platform.customers
        for text in written[1]:  # without a pause, so that they arrive at once
            customers.write(customers.person(PEOPLE[1]), SHOP, text)
        async with trio.open_nursery() as nursery:
            for place in (0, 8, 9):
                written[place] = [f"{place}.{number}" for number in range(20)]
                nursery.start_soon(_write_all, world, chats[place], written[place])
        await _until_told(world, written)
    assert "more updates than can be handled" in caplog.text


async def _write_all(world: TelegramWorld, where: tuple[str, str], texts: list[str]) -> None:
    for text in texts:
        await _write(world, where, text)
