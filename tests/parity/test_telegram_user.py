"""Behaviours of a personal account of Telegram that no other test of the channel shows."""

import base64
from pathlib import Path
from typing import Any

import pytest
import trio
from telethon.tl import types

from tests.harness import TOKEN
from tests.parity.disk import SlowDisk
from tests.telegram_world import MEI, SHOP, TOM, TelegramWorld, telegram_world


async def _write(world: TelegramWorld, text: str, sender: str = MEI, to: str = SHOP, **more: Any) -> Any:
    return await world.order("messages", **{"from": sender, "to": to, "text": text, **more})


async def _login(world: TelegramWorld, phone: str) -> str:
    await world.give(phone, "code", await world.start_by_code(phone))
    await world.running(phone)
    return world.ids[phone]


async def _meet(world: TelegramWorld) -> str:
    mei = await world.do("account", phone=MEI, name="Mei", username="mei")
    await world.do("account", phone=TOM, name="Tom", username="tom")
    await world.link(SHOP, name="Shop")
    await _write(world, "hello")
    await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])
    return str(mei["id"])


async def test_an_older_edit_and_one_of_a_message_that_was_never_seen(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        for phone in (SHOP, MEI):
            await world.do("account", phone=phone)
        before = (await _write(world, "before the login"))["ids"]
        await world.give(SHOP, "code", await world.start_by_code(SHOP))
        await world.running(SHOP)
        await world.do("edit", **{"from": MEI, "to": SHOP, "id": before[MEI], "text": "unseen"})
        await world.inbox.until(lambda: world.received(SHOP, "message.updated"))
        id_ = (await _write(world, "first"))["ids"]
        await world.do("edit", **{"from": MEI, "to": SHOP, "id": id_[MEI], "text": "newer"})
        post = world.user_platform.customers.person(MEI).posts[id_[MEI]]
        post.text, post.edit_date = "older", (post.edit_date or 0) - 100
        world.user_platform.delivery.edited(post)
        await _write(world, "last")
        await world.inbox.until(lambda: "last" in world.texts(SHOP))
        edits = [(event["message_id"], event["text"]) for event in world.received(SHOP, "message.updated")]
        assert edits == [(str(before[SHOP]), "unseen"), (str(id_[SHOP]), "newer")]
        assert world.texts(SHOP) == ["first", "last"]  # what was written before the login is not told


async def test_what_cannot_be_read_costs_itself_only(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        shop = world.user_platform.customers.person(SHOP)
        world.user_platform.delivery.push_raw(shop, types.Pong(1, 2))
        world.user_platform.delivery.push_raw(shop, types.UpdateShort(types.PeerUser(3), None))
        order = await _write(world, "odd")
        assert order["ids"]
        await world.inbox.until(lambda: "odd" in world.texts(SHOP))
        post = world.user_platform.customers.person(MEI).posts[order["ids"][MEI]]
        post.entities = [types.PeerUser(3)]
        post.edit_date = world.user_platform.server.now
        world.user_platform.delivery.edited(post)
        await _write(world, "still here")
        await world.inbox.until(lambda: "still here" in world.texts(SHOP))
        assert (await world.running(SHOP))["runtime_status"] == "running"


async def test_a_kind_that_no_table_has(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        shop, mei = (world.user_platform.customers.person(phone) for phone in (SHOP, MEI))
        message = types.Message(77, types.PeerUser(mei.id), None, "", media=types.MessageMediaUnsupported())
        update = types.UpdateNewMessage(message, 0, 0)
        world.user_platform.delivery.push(shop, [update])
        await world.inbox.until(lambda: len(world.received(SHOP)) == 2)
        event = world.received(SHOP)[-1]
        assert (event["message_type"], event["text"]) == ("unknown", "[unsupported: unsupported]")


async def test_waits_that_the_platform_orders_are_of_one_conversation(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei = await _meet(world)
        await world.do("flood", method="messages.sendMessage", seconds=40, peer=MEI)
        refused = await world.send(SHOP, mei, "too soon")
        assert refused.status_code == 429
        assert refused.json()["error"]["outcome"] == "not_sent"
        assert 30 < int(refused.headers["retry-after"]) <= 41
        again = await world.send(SHOP, mei, "still too soon")
        assert again.status_code == 429
        assert (await world.send(SHOP, "@tom", "to another one")).status_code == 200
        assert not world.user_platform.server.noise.early, "Telegram was asked before the time"


async def test_what_cannot_be_sent(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        mei = await _meet(world)
        assert (await world.send(SHOP, mei, "x" * 4097)).status_code == 400
        for nobody in ("@nobody_here", "123456789", "hello"):
            answer = await world.send(SHOP, nobody, "x")
            assert answer.json()["error"]["outcome"] == "rejected", answer.text
            assert answer.json()["error"]["reason"] in ("conversation_not_found", "contact_not_reachable")
        wrong = await world.send(SHOP, mei, "*x", provider_data={"parse_mode": "MarkdownV2"})
        assert wrong.json()["error"]["reason"] == "invalid_markup"


async def test_we_are_removed_from_a_group(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        mei = await _login(world, MEI)
        group = str((await world.do("group", title="Ops", phones=[MEI, SHOP]))["id"])
        await _write(world, "in the group", to=group)
        await world.inbox.until(lambda: "in the group" in world.texts(SHOP))
        shop = str(world.user_platform.customers.person(SHOP).id)
        body = {"group_id": group, "action": "remove", "member_id": shop}
        await world.api.data("POST", f"/v1/accounts/{mei}/groups/members", body)
        await world.inbox.until(lambda: "member_removed" in str(world.received(SHOP, "group.updated")))
        [event] = [e for e in world.received(SHOP, "group.updated") if "member_removed" in str(e)]
        assert event["data"]["changes"][0]["member_ids"] == [shop]
        refused = await world.send(SHOP, group, "hello?")
        assert refused.json()["error"]["reason"] == "not_a_member"


async def test_two_accounts_in_one_group(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        await _login(world, TOM)
        group = str((await world.do("group", title="Ops", phones=[MEI, SHOP, TOM]))["id"])
        await _write(world, "to both", to=group)
        await world.inbox.until(lambda: "to both" in world.texts(SHOP) and "to both" in world.texts(TOM))


async def test_a_file_whose_reference_has_expired_is_found_again(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        media = {"type": "photo", "content": base64.b64encode(b"\xff\xd8picture").decode()}
        await _write(world, "a picture", media=media)
        await world.inbox.until(lambda: "a picture" in world.texts(SHOP))
        [file] = world.received(SHOP)[-1]["data"]["message"]["attachments"]
        await world.do("expire_files")
        got = await world.api.http.get(file["url"])
        assert (got.status_code, got.content) == (200, b"\xff\xd8picture")
        assert "FILE_REFERENCE_EXPIRED" in {each.error for each in world.user_platform.server.seen}


async def test_a_file_at_a_content_delivery_network(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        body = bytes(range(256)) * 4500
        world.user_platform.files.on_cdn = True
        media = {"type": "document", "content": base64.b64encode(body).decode()}
        await _write(world, "far away", media=media)
        await world.inbox.until(lambda: "far away" in world.texts(SHOP))
        [file] = world.received(SHOP)[-1]["data"]["message"]["attachments"]
        assert (await world.api.http.get(file["url"])).content == body
        assert "upload.getCdnFile" in {each.method for each in world.user_platform.server.seen}


async def test_a_file_is_fetched_on_receipt(tmp_path: Path) -> None:
    async with telegram_world(tmp_path, more='[media]\nfetch = "on_receive"\n') as world:
        await _meet(world)
        body = bytes(range(256)) * 300
        media = {"type": "document", "content": base64.b64encode(body).decode()}
        await _write(world, "kept", media=media)
        await world.inbox.until(lambda: "kept" in world.texts(SHOP))
        [file] = world.received(SHOP)[-1]["data"]["message"]["attachments"]
        await trio.sleep(1)  # the data centre has no event to wait for
        await world.do("cut")
        await world.do("error", method="upload.getFile", name="FILE_ID_INVALID", count=9)
        assert (await world.api.http.get(file["url"])).content == body


async def test_while_the_store_is_slow_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        disk.stall()
        try:
            for text in ("one", "two"):
                await _write(world, text)
            await trio.sleep(0.3)  # nothing happens, so there is nothing to wait for
            assert world.texts(SHOP) == ["hello"]
        finally:
            disk.go_on()
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello", "one", "two"])


async def test_what_the_capability_list_says(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        listed = await world.api.data("GET", "/v1/capabilities")
        found = [
            each
            for channel in listed
            if channel["provider"] == "telegram"
            for each in channel["connections"]
            if each["auth_mode"] in ("code", "qrcode", "session")
        ]
        assert len(found) == 3
        for each in found:
            assert {"send_text", "send_audio", "pin_message", "create_group", "set_contact_note"} <= set(
                each["capabilities"]
            )
            assert not {"list_labels", "list_message_templates"} & set(each["capabilities"])


async def test_a_bot_beside_its_owner(tmp_path: Path) -> None:
    """Two identities of one channel, each with the ids of its conversations."""
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        body = {"provider": "telegram", "auth_mode": "token", "provider_data": {"token": TOKEN}}
        made = await world.api.data("POST", "/v1/accounts", body)
        path = f"/v1/accounts/{made['id']}"
        bot = await world.api.until(lambda found: found["runtime_status"] == "running", path)
        shop = await world.running(SHOP)
        assert bot["provider_account_ref"] != shop["provider_account_ref"]
        await _write(world, "to the owner")
        await world.inbox.until(lambda: "to the owner" in world.texts(SHOP))


async def test_one_account_logs_in_twice(tmp_path: Path) -> None:
    """The user is one identity: the second login says so, and the first goes on."""
    async with telegram_world(tmp_path) as world:
        await _meet(world)
        first = world.ids.pop(SHOP)
        code = await world.start_by_code(SHOP)
        path = f"/v1/accounts/{world.ids[SHOP]}/auth/code"
        refused = await world.api("POST", path, {"code": code})
        assert refused.json()["error"]["code"] == "duplicate_provider_account"
        world.ids[SHOP] = first
        await _write(world, "still here")
        await world.inbox.until(lambda: "still here" in world.texts(SHOP))
