"""A group becomes a supergroup, unseen by the gateway: what is done to the old number, and what is not."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from tests.api.test_telegram_sends import World, world

__all__ = ["world"]
OLD, NEW = -17, -100200


@pytest.fixture
async def moved(world: World) -> World:
    """A group in which message 1 is a customer's and 2 the bot's; the platform has moved it and says so only
    in answers. In the new chat, messages with these numbers are others.
    """
    group = {"id": OLD, "type": "group", "title": "Ops"}
    await world.platform.write("hello", 7, chat=group)
    await world.inbox.until(lambda: len(world.inbox.of("message.received")) == 3)
    await world.sent(str(OLD), "first", "group")
    supergroup = {**group, "id": NEW, "type": "supergroup"}
    world.bot.chats[NEW], world.bot.migrated[OLD] = supergroup, NEW
    for number in (1, 2):
        there = {"message_id": number, "from": world.bot.user, "chat": supergroup, "date": 1, "text": "other"}
        world.bot.messages[NEW, number] = there
    return world


Act = Callable[[World], Awaitable[httpx.Response]]
IN_THE_CHAT: dict[str, tuple[str, Act]] = {
    "send": ("", lambda world: world.send(str(OLD), "hi", "group")),
    "typing": (
        "sendchataction",
        lambda world: world.api("POST", world.path("conversations/typing"), {"conversation_id": str(OLD)}),
    ),
    "info": (
        "getchat",
        lambda world: world.api("GET", world.path(f"conversations/info?conversation_id={OLD}")),
    ),
    "members": (
        "getchatadministrators",
        lambda world: world.api("GET", world.path(f"conversations/members?conversation_id={OLD}")),
    ),
    "group": ("getchat", lambda world: world.api("GET", world.path(f"groups/info?group_id={OLD}"))),
    "leave": (
        "leavechat",
        lambda world: world.api("POST", world.path("groups/leave"), {"group_id": str(OLD)}),
    ),
}


@pytest.mark.parametrize("what", IN_THE_CHAT)
async def test_what_names_the_chat_alone_is_done_in_the_new_one(moved: World, what: str) -> None:
    method, act = IN_THE_CHAT[what]
    answer = await act(moved)
    assert answer.status_code == 200, answer.text
    if method:
        done = [parameters for name, parameters in moved.bot.actions if name == method]
        assert [parameters["chat_id"] for parameters in done] == [NEW]
    await moved.inbox.until(lambda: moved.inbox.of("conversation.updated"))
    [event] = moved.inbox.of("conversation.updated")
    assert (event["conversation_id"], event["previous_id"], event["reason"]) == (
        str(NEW),
        str(OLD),
        "migrated",
    )
    data = answer.json()["data"]
    assert str(OLD) not in (data.get("conversation_id"), data.get("group_id"), data.get("id"))


ON_A_MESSAGE: dict[str, dict[str, Any]] = {
    "edit": {"content": "x"},
    "revoke": {},
    "reaction": {"emoji": "👍"},
    "pin": {"pinned": True},
}


@pytest.mark.parametrize("verb", ON_A_MESSAGE)
async def test_no_other_message_with_the_number_of_the_old_one_is_touched(moved: World, verb: str) -> None:
    """Numbers count from 1 again in the new chat: message 2 there is another one."""
    answer = await moved.act(verb, str(OLD), message_id="2", **ON_A_MESSAGE[verb])
    assert (answer.status_code, answer.json()["error"]["reason"]) == (500, "message_of_migrated_group")
    assert str(NEW) in answer.json()["error"]["message"]
    assert moved.bot.messages[NEW, 2]["text"] == "other"
    assert not moved.bot.pinned
    assert not moved.bot.reactions
    await moved.inbox.until(lambda: moved.inbox.of("conversation.updated"))


async def test_a_reply_quotes_no_other_message(moved: World) -> None:
    answer = await moved.send(str(OLD), "yes", "group", reply_to="2")
    assert answer.json()["error"]["reason"] == "message_of_migrated_group"
    assert not [sent for sent in moved.bot.sent if sent["chat"]["id"] == NEW]


@pytest.mark.parametrize("verb", ON_A_MESSAGE)
async def test_once_the_move_is_known_the_old_id_stands_for_the_new_chat(moved: World, verb: str) -> None:
    answer = await moved.send(str(OLD), "hi", "group")
    number = answer.json()["data"]["message_id"]
    await moved.inbox.until(lambda: moved.inbox.of("conversation.updated"))
    answer = await moved.act(verb, str(OLD), message_id=number, **ON_A_MESSAGE[verb])
    assert answer.status_code == 200, answer.text
    [warning] = answer.json()["warnings"]
    assert (warning["path"], warning["code"]) == ("conversation_id", "conversation_aliased")
    assert moved.bot.actions[-1][1]["chat_id"] == NEW
