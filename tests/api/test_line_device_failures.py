"""What can fail on a device of LINE: logins, tokens, the list of operations, files that are not there yet."""

import base64
import os
from pathlib import Path

from tests.line_device_world import MEI, SHOP, line_device_world
from unifyport.sandbox.line.device.world import mid_of


async def test_a_code_that_nobody_scanned_is_replaced(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        first = await world.begin(SHOP)
        await world.do("expire_logins")
        path = f"/v1/accounts/{world.ids[SHOP]}/auth"
        shown = await world.api.until(lambda auth: auth["auth_payload"]["qr_code"] != first, path)
        assert shown["auth_payload"]["sequence"] == 2
        await world.do("scan", qr=shown["auth_payload"]["qr_code"], name=SHOP)
        await world.do("enter_pin", pin=await world.until_auth(SHOP, "pin"), name=SHOP)
        await world.running(SHOP)


async def test_a_later_login_needs_no_pin_while_the_certificate_is_known(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        for known in (True, False):
            await world.do("log_out", name=SHOP)
            await world.api.until(lambda a: a["runtime_status"] == "disconnected", f"/v1/accounts/{id_}")
            if not known:
                await world.do("forget_certificates", name=SHOP)
            await world.api.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
            await world.do("scan", qr=await world.until_auth(SHOP, "qr_code"), name=SHOP)
            if not known:
                await world.do("enter_pin", pin=await world.until_auth(SHOP, "pin"), name=SHOP)
            await world.running(SHOP)
        await world.sends(SHOP, MEI, "back")


async def test_a_token_that_expires_is_refreshed_and_nothing_is_lost(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        device = world.device(SHOP)
        for number in range(3):
            before = device.access
            await world.do("expire_token", name=SHOP)
            await world.sends(SHOP, MEI, f"to {number}")
            await world.says(MEI, SHOP, f"from {number}")
            await world.inbox.until(lambda: len(world.texts(SHOP)) > number)  # noqa: B023
            assert device.access != before
        assert world.texts(SHOP) == ["from 0", "from 1", "from 2"]
        assert len(world.account(SHOP).devices) == 1


async def test_a_device_that_was_logged_out_says_so(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.do("log_out", name=SHOP)
        await world.api.until(lambda a: a["runtime_status"] == "disconnected", f"/v1/accounts/{id_}")
        found = await world.api.data("GET", f"/v1/accounts/{id_}/explain")
        assert found["why"] == "logged_out_on_phone"
        assert not world.account(SHOP).devices


async def test_what_is_not_replayed_is_fetched_chat_by_chat(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        group = (await world.do("group", subject="Ops", names=[SHOP, MEI]))["id"]
        await world.says(MEI, SHOP, "before")
        await world.inbox.until(lambda: world.texts(SHOP))
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/stop")
        for number in range(30):
            await world.says(MEI, SHOP, f"missed {number}")
        await world.says(MEI, "", "missed in the group", group=group)
        await world.do("lose_operations", name=SHOP)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/start")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 32)
        await world.says(MEI, SHOP, "after")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 33)
        chat = [text for text in world.texts(SHOP) if text != "missed in the group"]
        assert chat == ["before", *(f"missed {number}" for number in range(30)), "after"]


async def test_sends_of_ours_are_no_echoes_after_an_outage(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.says(MEI, SHOP, "before")
        await world.inbox.until(lambda: world.texts(SHOP))
        await world.sends(SHOP, MEI, "ours")
        await world.inbox.until(lambda: world.received(SHOP, "message.status.updated"))
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/stop")
        await world.says(MEI, SHOP, "missed")
        await world.do("lose_operations", name=SHOP)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/start")
        await world.inbox.until(lambda: world.texts(SHOP) == ["before", "missed"])
        assert not world.named(SHOP, "message_echo")


async def test_a_message_that_comes_twice_is_told_once(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.says(MEI, SHOP, "once")
        await world.do("repeat", name=SHOP)
        await world.says(MEI, SHOP, "then")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
        assert world.texts(SHOP) == ["once", "then"]


async def test_a_lost_answer_is_settled_by_the_echo(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.order("faults", kind="lost_answer", method="sendMessage")
        answer = await world.send(SHOP, MEI, "once")
        assert answer.json()["error"]["outcome"] == "unknown", answer.text
        await world.inbox.until(lambda: world.received(SHOP, "message.status.updated"))
        [status] = world.received(SHOP, "message.status.updated")
        assert status["status"] == "sent"
        assert [told["id"] for told in await world.sent()] == [status["message_id"]]


async def test_files_both_ways(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        content = os.urandom(300_000)
        media = {"type": "image", "content": base64.b64encode(content).decode(), "filename": "a.jpg"}
        await world.order("messages", **{"from": MEI, "to": SHOP, "media": media})
        await world.inbox.until(lambda: world.received(SHOP))
        await world.do("processing", count=2)
        [attachment] = world.received(SHOP)[0]["data"]["message"]["attachments"]
        found = await world.api.http.get(attachment["url"])
        assert found.content == content

        uploaded = await world.api.http.post(
            "/v1/media", files={"file": ("b.pdf", content, "application/pdf")}
        )
        key = uploaded.json()["data"]["file_key"]
        for seals in (True, False):
            await world.do("sealing", name=MEI, on=seals)
            if not seals:
                await world.sends(SHOP, MEI, "are you there?")  # the server says that Mei does not seal
            message = {"type": "document", "file_key": key}
            sent = await world.sends(SHOP, MEI, message=message)
            told = (await world.sent())[-1]
            assert (told["id"], told["sealed"], told["to"]) == (sent, seals, mid_of(MEI))
