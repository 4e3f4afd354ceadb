"""Sends whose answers are lost: they are settled by asking again under the same `random_id`, or by the
message coming back, and nothing is sent twice.
"""

from pathlib import Path
from typing import Any

import pytest
import trio

from tests.telegram_world import MEI, SHOP, TelegramWorld, telegram_world
from unifyport.providers.telegram.user.inbox import Inbox


async def _meet(world: TelegramWorld) -> str:
    await world.link(SHOP, name="Shop")
    return str((await world.do("account", phone=MEI, name="Mei", username="mei"))["id"])


def _got(world: TelegramWorld) -> list[str]:
    return [post.text for post in world.user_platform.customers.person(MEI).posts.values()]


async def _send_and_cut(world: TelegramWorld, text: str) -> dict[str, Any]:
    """Send to a platform that executes it and whose connection is then cut; the error."""
    await world.do("mute", method="messages.sendMessage")
    answers: list[Any] = []

    async def send() -> None:
        answers.append(await world.send(SHOP, "@mei", text))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(send)
        with trio.fail_after(10):
            while text not in _got(world):
                await trio.sleep(0.01)
        await world.do("cut")
    return dict(answers[0].json()["error"])


async def _settled(world: TelegramWorld, error: dict[str, Any]) -> dict[str, Any]:
    path = f"/v1/commands/{error['command_id']}"
    found: dict[str, Any] = await world.api.until(lambda command: command["outcome"] != "unknown", path)
    return found


async def test_an_answer_that_is_lost_is_asked_for_again(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        await world.do("error", method="messages.sendMessage", code=500, name="INTERDC_2_CALL_ERROR")
        answer = await world.send(SHOP, "@mei", "once")
        assert answer.status_code == 200, answer.text
        assert _got(world) == ["once"]


async def test_a_send_whose_connection_was_cut_is_settled_by_its_message(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        await world.send(SHOP, "@mei", "first")
        error = await _send_and_cut(world, "once")
        assert error["outcome"] == "unknown"
        command = await _settled(world, error)
        assert command["outcome"] == "sent"
        assert command["message_id"]
        assert _got(world) == ["first", "once"]
        assert world.received(SHOP, "provider.event") == []


async def test_a_message_that_comes_back_ahead_of_its_answer_ends_the_send(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        await world.send(SHOP, "@mei", "first")
        await world.do("mute", method="messages.sendMessage")
        answers: list[Any] = []

        async def send() -> None:
            answers.append(await world.send(SHOP, "@mei", "same words"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            with trio.fail_after(10):
                while "same words" not in _got(world):
                    await trio.sleep(0.01)
            await world.order("messages", **{"from": SHOP, "to": MEI, "text": "same words"})
        [answer] = answers
        assert answer.status_code == 200, answer.text
        sent = [each for each in await _sent(world) if each["text"] == "same words"]
        assert answer.json()["data"]["message_id"] in {str(each["ids"][SHOP]) for each in sent}
        await world.inbox.until(lambda: world.received(SHOP, "provider.event"))
        [echo] = world.received(SHOP, "provider.event")
        assert echo["data"]["message"]["text"] == "same words"
        assert echo["data"]["message"]["id"] != answer.json()["data"]["message_id"]


async def _sent(world: TelegramWorld) -> list[dict[str, Any]]:
    return list((await world.platform.http.get("/sandbox/telegram-user/messages")).json())


async def test_what_was_refused_is_not_sent_by_the_next_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        # as if the connection ended before the next batch of updates was handled
        monkeypatch.setattr(Inbox, "answered", lambda *_, **__: None)
        await world.do("error", method="messages.sendMessage", code=400, name="USER_IS_BLOCKED")
        refused = await world.send(SHOP, "@mei", "refused")
        assert refused.json()["error"]["outcome"] == "rejected", refused.text
        monkeypatch.undo()
        await world.do("cut")
        await world.account(SHOP, "running")
        answer = await world.send(SHOP, "@mei", "then")
        assert answer.status_code == 200, answer.text
        await world.do("cut")
        await world.api.until(lambda _: "then" in _got(world), f"/v1/accounts/{world.ids[SHOP]}")
        assert _got(world) == ["then"]
