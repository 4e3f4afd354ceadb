"""Behaviours of an account of X by session that no other test of it shows."""

import base64
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.linked_world import QUICK
from tests.parity.disk import SlowDisk
from tests.x_session_world import ANN, BOB, SHOP, XSessionWorld, x_session_world
from unifyport.protocols.xchat import decode_event, encode_event
from unifyport.providers.x.session import client, link, transport

SEND = "SendMessageMutation"


async def _outcome(world: XSessionWorld, **order: Any) -> str:
    await world.order("faults", **order)
    return str((await world.send(SHOP, ANN)).json()["error"]["outcome"])


async def test_what_cannot_be_sent(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met("first")
        long = await world.send(SHOP, ANN, "x" * 10_001)
        assert long.json()["error"]["reason"] == "text_too_long"
        nobody = await world.send(SHOP, "somebody")
        assert nobody.status_code in (400, 404), nobody.text
        assert not await world.sent()
        sent = await world.send(SHOP, f"{SHOP}-{ANN}")  # X's own name of the conversation
        assert sent.is_success, sent.text
        await world.write(ANN, SHOP, "an answer")
        await world.told(SHOP, "an answer")
        assert world.received(SHOP)[-1]["conversation_id"] == ANN


async def test_two_accounts_in_one_group(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.link(SHOP)
        await world.link(BOB)
        group = (await world.do("group", name="Ops", members=[ANN, SHOP, BOB]))["id"]
        await world.write(ANN, group, "hello")
        await world.inbox.until(lambda: world.texts(SHOP) == world.texts(BOB) == ["hello"])
        sent = await world.sent_id(SHOP, group, "hi all")
        await world.inbox.until(lambda: world.texts(BOB) == ["hello", "hi all"])
        assert world.received(BOB)[1]["message_id"] == sent
        assert world.texts(SHOP) == ["hello"]


async def test_what_the_owner_writes_elsewhere_is_an_echo(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met("first")
        await world.write(SHOP, ANN, "from the phone")
        await world.inbox.until(lambda: world.named(SHOP, "message_echo"))
        assert world.texts(SHOP) == ["first"]


async def test_too_many_requests(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met("first")
        await world.order("faults", kind="rate_limit", method=SEND, value=40)
        answer = await world.send(SHOP, ANN)
        assert answer.status_code == 429
        assert answer.json()["error"]["outcome"] == "not_sent"
        assert int(answer.headers["retry-after"]) > 30
        assert (await world.send(SHOP, ANN)).status_code == 429
        assert not await world.sent()


async def test_failures_of_the_platform_and_lost_answers(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met("first")
        assert await _outcome(world, kind="error_500", method=SEND) == "unknown"
        assert await _outcome(world, kind="garbage", method=SEND) == "unknown"
        assert await _outcome(world, kind="lost_answer", method=SEND) == "unknown"
        await world.inbox.until(lambda: world.received(SHOP, "message.status.updated"))
        assert len(await world.sent()) == 1
        assert not world.named(SHOP, "message_echo")


async def test_no_answer_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met("first")
        monkeypatch.setattr(client, "CALL_SECONDS", 0.3)
        assert await _outcome(world, kind="delay", value=3, method=SEND) == "unknown"


@pytest.mark.parametrize(("number", "reason"), [(7, "conversation_not_accepted"), (15, "not_a_member")])
async def test_messages_that_x_does_not_take(tmp_path: Path, number: int, reason: str) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met("first")
        await world.do("refuse", failure_type=number)
        answer = await world.send(SHOP, ANN)
        assert answer.json()["error"]["reason"] == reason
        await world.sent_id(SHOP, ANN, "taken")


async def test_while_the_store_is_slow_the_mark_does_not_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with x_session_world(tmp_path) as world:
        await world.met("first")
        disk.stall()
        try:
            await world.write(ANN, SHOP, "second")
            await trio.sleep(0.3)  # nothing happens, so there is nothing to wait for
            assert world.texts(SHOP) == ["first"]
        finally:
            disk.go_on()
        await world.inbox.until(lambda: world.texts(SHOP) == ["first", "second"])


@pytest.mark.parametrize("fetch", ["on_receive", "on_demand"])
async def test_a_file_may_be_gone(tmp_path: Path, fetch: str) -> None:
    policy = QUICK + ('[media]\nfetch = "on_receive"\n' if fetch == "on_receive" else "")
    async with x_session_world(tmp_path, policy=policy) as world:
        await world.met("first")
        content = bytes(range(256)) * 30
        media = {"type": "image", "content": base64.b64encode(content).decode()}
        await world.write(ANN, SHOP, "look", media=media)
        await world.told(SHOP, "look")
        [file] = world.received(SHOP)[1]["data"]["message"]["attachments"]
        if fetch == "on_receive":
            assert (await world.api.http.get(file["url"])).content == content
        world.x.chat.files.clear()
        answer = await world.api.http.get(file["url"])
        assert (answer.status_code, answer.content == content) == (
            (200, True) if fetch == "on_receive" else (410, False)
        )


async def test_pages_that_do_not_move_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with x_session_world(tmp_path) as world:
        await world.met("first")
        asked: list[int] = []

        async def endless(self: Any, conversation: str, below: int, key_below: int | None = None) -> Any:
            asked.append(below)
            page = await genuine(self, conversation, 2**63 - 1, key_below)
            page.has_more = True
            return page

        genuine = transport.WebTransport.page
        monkeypatch.setattr(transport.WebTransport, "page", endless)
        monkeypatch.setattr(link, "CATCH_UP_SECONDS", 0.2)
        await world.do("drop", count=1)
        await world.write(ANN, SHOP, "second")
        await world.write(ANN, SHOP, "third")
        await world.told(SHOP, "third")
        assert world.texts(SHOP) == ["first", "second", "third"]
        assert len(asked) <= 4


async def test_odd_events_cost_only_themselves(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        first = await world.met("first")
        place = world.x.chat.conversations[f"{SHOP}:{ANN}"]
        event = decode_event(next(each.encoded for each in place.events if each.message_id == first))
        odd: list[dict[str, Any]] = [
            {"sequence_id": "9" * 30},
            {"previous_sequence_id": "-1"},
            {"sender_id": "x" * 5000},
            {"created_at_msec": "NaN"},
            {"detail": None},
            {"message_id": "\x00"},
        ]
        for number, changes in enumerate(odd):
            made = attrs.evolve(event, **{"message_id": f"o{number}", **changes})
            await world.do("put", event=encode_event(made))
        await world.write(ANN, SHOP, "last")
        await world.told(SHOP, "last")
        assert world.texts(SHOP) == ["first", "last"]
        assert (await world.running(SHOP))["runtime_status"] == "running"


async def test_what_the_capability_list_says(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        listed = await world.api.data("GET", "/v1/capabilities")
        [found] = [each for each in listed if each["provider"] == "x"]
        [connection] = [each for each in found["connections"] if each["auth_mode"] == "session"]
        [official] = [each for each in found["connections"] if each["auth_mode"] == "token"]
        assert (connection["experimental"], official["experimental"]) == (True, False)
        assert connection["inbound"] == "replayable"
        assert connection["receipts"] == ["read"]
        assert {
            *("send_text", "send_image", "send_document", "send_reply", "edit_message", "revoke_message"),
            *("react_to_message", "mark_read", "download_media", "list_conversations", "mute_conversation"),
        } <= {*connection["capabilities"]}
