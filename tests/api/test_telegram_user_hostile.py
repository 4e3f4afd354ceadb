"""What a personal account of Telegram is sent that cannot be read, or has numbers without a range: it costs
itself only.
"""

import logging
import re
from pathlib import Path
from typing import Any

import pytest
import trio
from telethon.tl import TLObject, types

from tests.telegram_world import APP, MEI, SHOP, TOM, TelegramWorld, telegram_world


class Unknown(TLObject):
    """An object of no layer that the client knows."""

    def _bytes(self) -> bytes:
        return bytes.fromhex("efbeadde")


async def _channel(world: TelegramWorld) -> str:
    """An account that is in a channel; the channel's id."""
    await world.do("account", phone=MEI)
    await world.do("account", phone=SHOP)
    channel = str((await world.do("channel", title="News", phones=[MEI, SHOP]))["id"])
    await world.give(SHOP, "code", await world.start_by_code(SHOP))
    await world.running(SHOP)
    for to in (SHOP, channel):
        await _write(world, to, f"first in {to}")
    await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
    return channel


async def _write(world: TelegramWorld, to: str, text: str) -> None:
    await world.order("messages", **{"from": MEI, "to": to, "text": text})


def _poison(world: TelegramWorld, to: str) -> None:
    customers = world.user_platform.customers
    customers.write(customers.person(MEI), customers.chat(to), "poison", media=Unknown())


async def _quiet(world: TelegramWorld) -> None:
    """Until a second has passed without a call. A loop of them has no such second."""
    with trio.fail_after(10):
        before = -1
        while before != len(_calls(world)):
            before = len(_calls(world))
            await trio.sleep(1)


def _calls(world: TelegramWorld) -> list[str]:
    return [seen.method for seen in world.user_platform.server.seen]


async def test_a_message_that_cannot_be_read_costs_itself_only(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        channel = await _channel(world)
        for to in (SHOP, channel):
            await world.do("gap")
            await _write(world, to, f"before it in {to}")
            for _ in range(2):
                _poison(world, to)
            await _write(world, to, f"after it in {to}")
        expected = {
            f"{when} in {to}" for to in (SHOP, channel) for when in ("first", "before it", "after it")
        }
        await world.inbox.until(lambda: len(world.texts(SHOP)) >= len(expected))
        for to in (SHOP, channel):
            await _write(world, to, f"last in {to}")
        await world.inbox.until(lambda: len(world.texts(SHOP)) >= len(expected) + 2)
        assert sorted(world.texts(SHOP)) == sorted([*expected, f"last in {SHOP}", f"last in {channel}"])
        most = 2 * (2 + 1)  # each message, and the difference in which they were
        page = await world.api.until(lambda page: len(page["items"]) >= most, "/v1/quarantine")
        assert len(page["items"]) == most
        await _quiet(world)


async def test_a_conversation_that_cannot_be_read_does_not_stop_the_login(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        for phone in (MEI, SHOP, TOM):
            await world.do("account", phone=phone)
        await world.order("messages", **{"from": TOM, "to": SHOP, "text": "before the login"})
        _poison(world, SHOP)
        await world.give(SHOP, "code", await world.start_by_code(SHOP))
        await world.running(SHOP)
        for phone in (MEI, TOM):
            await world.order("messages", **{"from": phone, "to": SHOP, "text": phone})
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
        assert sorted(world.texts(SHOP)) == [MEI, TOM]


BIG, BELOW = 2**63 - 1, -(2**63)


def _user(id_: int) -> Any:
    return types.User(id_, access_hash=1, first_name="X")


def _room(id_: int) -> Any:
    return types.Channel(id_, "X", types.ChatPhotoEmpty(), None, access_hash=1, megagroup=True, left=True)


def _chat(id_: int) -> Any:
    return types.Chat(id_, "X", types.ChatPhotoEmpty(), 1, None, 1)


def _message(peer: Any, number: int = 999, date: int = 0) -> Any:
    return types.Message(number, peer, date, "hostile", from_id=types.PeerUser(BIG))


def _update(*updates: Any, users: Any = (), chats: Any = (), date: int = 0, seq: int = 0) -> Any:
    return types.Updates(list(updates), list(users), list(chats), date, seq)


HOSTILE = {
    "user": _update(users=[_user(BIG), _user(BELOW), _user(0)]),
    "channel": _update(chats=[_room(BIG), _room(BELOW), _room(0), types.ChannelForbidden(BIG, 1, "X")]),
    "group": _update(chats=[_chat(BIG), _chat(BELOW), _chat(10**15), types.ChatForbidden(BELOW, "X")]),
    "peer of a channel": _update(
        *(
            types.UpdateNewChannelMessage(_message(types.PeerChannel(id_)), 7, 1)
            for id_ in (BIG, BELOW, -1, 0)
        )
    ),
    "peer of a group": _update(types.UpdateNewMessage(_message(types.PeerChat(BELOW)), 0, 0)),
    "peer of a user": _update(types.UpdateNewMessage(_message(types.PeerUser(BELOW)), 0, 0)),
    "too long": _update(*(types.UpdateChannelTooLong(id_, -5) for id_ in (BIG, BELOW, -1, 0))),
    "short": types.UpdateShortMessage(1, BIG, "hostile", 0, 0, 0),
    "short in a group": types.UpdateShortChatMessage(1, BELOW, BELOW, "hostile", 0, 0, 0),
    "negative": _update(types.UpdateDeleteMessages([-1, 2**31 - 1], -5, -5), date=-(2**31), seq=-(2**31)),
    "backwards": _update(types.UpdateDeleteMessages([1], 1, -(2**31))),
    "far ahead": _update(types.UpdateDeleteMessages([1], 2**31 - 1, 1)),
    "no message": _update(types.UpdateNewMessage(types.PeerUser(1), 0, 0)),
    "no update": _update(types.PeerUser(1), types.InputPeerEmpty()),
    "dates": _update(types.UpdateNewMessage(_message(types.PeerUser(5), 5, -(2**31)), 0, 0)),
}


@pytest.mark.parametrize("update", HOSTILE.values(), ids=HOSTILE)
async def test_numbers_without_a_range_end_no_connection(
    tmp_path: Path, update: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with telegram_world(tmp_path) as world:
        channel = await _channel(world)
        [link] = world.user_platform.links
        world.user_platform.delivery.push_raw(world.user_platform.customers.person(SHOP), update)
        for to in (SHOP, channel):
            await _write(world, to, f"last in {to}")
        await world.inbox.until(lambda: f"last in {channel}" in world.texts(SHOP))
        await world.inbox.until(lambda: f"last in {SHOP}" in world.texts(SHOP))
        assert world.user_platform.links == {link}
    assert [each.getMessage() for each in caplog.records if each.exc_info] == []


async def test_no_secret_and_no_text_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        async with telegram_world(tmp_path) as world:
            await world.do("account", phone=MEI, username="mei")
            await world.do("account", phone=SHOP, password="correct horse")
            code = await world.start_by_code(SHOP)
            await world.give(SHOP, "code", code)
            await world.auth(SHOP, "awaiting_password")
            await world.give(SHOP, "password", "correct horse")
            await world.running(SHOP)
            await world.send(SHOP, "@mei", "what we said")
            _poison(world, SHOP)
            await _write(world, SHOP, "what they said")
            await world.inbox.until(lambda: world.texts(SHOP) == ["what they said"])
            [authorization] = world.user_platform.customers.person(SHOP).authorizations
            key = authorization.key.value
    own = [each for each in caplog.records if not each.name.startswith("unifyport.sandbox")]
    told = "\n".join(logging.Formatter("%(message)s").format(each) for each in own)
    assert own
    for secret in (key.hex(), repr(key)[2:30], "correct horse", APP["api_hash"], "we said", "they said"):
        assert secret not in told
    assert re.search(rf"\b{code}\b", told) is None
