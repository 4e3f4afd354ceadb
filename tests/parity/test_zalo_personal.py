"""Behaviours of a personal account of Zalo that no other test of the channel shows."""

import base64
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.linked_world import QUICK
from tests.parity.disk import SlowDisk
from tests.zalo import BOT_TOKEN
from tests.zalo_world import MAI, SHOP, TAM, ZaloWorld, zalo_world
from unifyport.providers.zalo.personal import transport


async def of_zalo(world: ZaloWorld, **order: Any) -> None:
    await world.order("faults", **order)


async def test_a_user_by_both_connections(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        linked = await world.link(SHOP)
        body = {"provider": "zalo", "auth_mode": "token", "provider_data": {"bot_token": BOT_TOKEN}}
        made = await world.api.data("POST", "/v1/accounts", body)
        assert made["id"] != linked
        await world.api.until(
            lambda found: found["runtime_status"] == "running", f"/v1/accounts/{made['id']}"
        )
        found = await world.api.data("GET", f"/v1/accounts/{made['id']}")
        assert found["provider_account_ref"] != SHOP
        await world.write(MAI, SHOP)
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])


async def test_two_accounts_in_one_group(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.link(TAM)
        await world.users(MAI)
        group = (await world.do("group", name="Ops", members=[MAI, SHOP, TAM]))["id"]
        await world.write(MAI, group)
        await world.inbox.until(lambda: world.texts(SHOP) == world.texts(TAM) == ["hello"])
        sent = await world.sent_id(SHOP, group, "hi all")
        await world.inbox.until(lambda: world.texts(TAM) == ["hello", "hi all"])
        assert world.received(TAM)[1]["message_id"] == sent
        assert world.texts(SHOP) == ["hello"]


async def test_what_is_told_twice_is_one_event(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("repeat", count=1, copies=3, new_ids=False)
        await world.write(MAI, SHOP, "once")
        await world.write(MAI, SHOP, "end")
        await world.inbox.until(lambda: "end" in world.texts(SHOP))
        assert world.texts(SHOP) == ["once", "end"]


async def test_receipts_out_of_order_are_told_as_they_come(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        sent = await world.sent_id(SHOP, MAI)
        for status, name in (("read", "message.read"), ("delivered", "message.delivered")):
            await world.order("receipts", message_id=sent, status=status)
            await world.came(SHOP, name)


async def test_too_many_requests(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        await of_zalo(world, kind="rate_limit", method="api/message/sms")
        answer = await world.send(SHOP, MAI)
        assert answer.status_code == 429
        assert answer.json()["error"]["outcome"] == "not_sent"
        assert int(answer.headers["retry-after"]) > 30
        again = await world.send(SHOP, MAI)
        assert again.status_code == 429
        assert not await world.sent()


async def test_failures_of_the_platform(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        await of_zalo(world, kind="error_500", method="api/message/sms")
        failed = await world.send(SHOP, MAI)
        assert failed.json()["error"]["outcome"] == "unknown", failed.text
        await of_zalo(world, kind="garbage", method="api/message/sms")
        odd = await world.send(SHOP, MAI)
        assert odd.json()["error"]["outcome"] == "unknown", odd.text
        assert (await world.send(SHOP, MAI)).status_code == 200


async def test_no_answer_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        monkeypatch.setattr(transport, "CALL_SECONDS", 0.2)
        await of_zalo(world, kind="delay", value=3, method="api/message/sms")
        answer = await world.send(SHOP, MAI)
        assert answer.json()["error"]["outcome"] == "unknown", answer.text


async def test_a_receiver_who_has_blocked_the_account(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.users(MAI)
        mai = world.zalo.world.users[MAI]
        mai.blocked.add(world.zalo.world.users[SHOP])
        answer = await world.send(SHOP, MAI)
        assert answer.json()["error"]["reason"] == "blocked_by_recipient", answer.text


async def test_while_the_store_is_slow_the_mark_does_not_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.write(MAI, SHOP, "first")
        await world.inbox.until(lambda: world.texts(SHOP) == ["first"])
        disk.stall()
        try:
            id_ = await world.write(MAI, SHOP, "second")
            await trio.sleep(0.3)  # nothing happens, so there is nothing to wait for
            assert not world.zalo.world.messages[id_].delivered
        finally:
            disk.go_on()
        await world.inbox.until(lambda: world.texts(SHOP) == ["first", "second"])
        await world.api.until(lambda _: bool(world.zalo.world.messages[id_].delivered), "/v1/accounts")


async def test_a_file_is_fetched_on_receipt_and_may_be_gone(tmp_path: Path) -> None:
    async with zalo_world(tmp_path, policy=QUICK + '[media]\nfetch = "on_receive"\n') as world:
        await world.link(SHOP)
        content = bytes(range(256)) * 30
        media = {"type": "image", "content": base64.b64encode(content).decode()}
        await world.write(MAI, SHOP, media=media)
        await world.inbox.until(lambda: world.received(SHOP))
        [file] = world.received(SHOP)[0]["data"]["message"]["attachments"]
        assert (await world.api.http.get(file["url"])).content == content
        world.zalo.uploads.files.clear()
        assert (await world.api.http.get(file["url"])).content == content


async def test_a_file_that_the_platform_has_no_more(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        media = {"type": "image", "content": base64.b64encode(b"gone soon").decode()}
        await world.write(MAI, SHOP, media=media)
        await world.inbox.until(lambda: world.received(SHOP))
        [file] = world.received(SHOP)[0]["data"]["message"]["attachments"]
        world.zalo.uploads.files.clear()
        assert (await world.api.http.get(file["url"])).status_code == 410


async def test_a_page_of_old_messages_that_does_not_move_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        await world.write(MAI, SHOP, "first")
        await world.inbox.until(lambda: world.texts(SHOP) == ["first"])
        asked: list[str | None] = []
        answered = world.zalo.mail.old_messages

        def newest(user: Any, last_id: str | None, *, in_group: bool) -> dict[str, Any]:
            asked.append(last_id)
            return answered(user, None, in_group=in_group)

        monkeypatch.setattr(world.zalo.mail, "old_messages", newest)
        id_ = world.ids[SHOP]
        for number in range(3):
            await world.do("break", user=SHOP)
            await world.write(MAI, SHOP, f"missed {number}")
            await world.told(SHOP, f"missed {number}")
        await world.api.until(lambda found: found["runtime_status"] == "running", f"/v1/accounts/{id_}")
        assert world.texts(SHOP) == ["first", "missed 0", "missed 1", "missed 2"]
        assert len(asked) <= 3 * 2 * 3


async def test_only_zalo_itself_undoes_a_message(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.link(SHOP)
        id_ = await world.write(MAI, SHOP, "stays")
        forged = f'{{"globalMsgId": {id_}, "cliMsgId": 1, "deleteMsg": 1}}'
        await world.write(TAM, SHOP, forged)
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
        assert sorted(world.texts(SHOP)) == sorted(["stays", forged])
        assert not world.received(SHOP, "message.deleted")


async def test_what_the_capability_list_says(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        listed = await world.api.data("GET", "/v1/capabilities")
        [found] = [each for each in listed if each["provider"] == "zalo"]
        personal = [each for each in found["connections"] if each["auth_mode"] in ("qrcode", "session")]
        assert len(personal) == 2
        for connection in personal:
            assert connection["inbound"] == "replayable"
            assert connection["receipts"] == ["sent", "delivered", "read"]
            assert connection["can_start_conversation"] is True
            assert "window_hours" not in connection
            assert {
                *("send_text", "send_image", "send_audio", "send_contacts", "send_reply", "mark_read"),
                *("revoke_message", "react_to_message", "show_typing", "download_media", "pin_conversation"),
                *("list_conversations", "list_contacts", "list_groups", "create_group", "block_contact"),
            } <= {*connection["capabilities"]}
            assert "edit_message" not in connection["capabilities"]
