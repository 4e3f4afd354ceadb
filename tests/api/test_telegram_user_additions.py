"""What personal accounts of Telegram have beside conversations: stickers, join requests, sessions as files;
and what is told of channels with too much, or with silence.
"""

import base64
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner
from telethon.crypto import AuthKey
from telethon.sessions import SQLiteSession
from telethon.tl import types

from tests.api.test_telegram_user import foreign_login
from tests.harness import endpoint, free_port, gateway, public, receiver, sandbox, settings_of
from tests.linked_world import ALL, QUICK
from tests.telegram_world import APP, MEI, SHOP, TOM, TelegramWorld, telegram_world
from unifyport.cli import main
from unifyport.config.settings import Settings
from unifyport.providers.telegram.user import silent
from unifyport.providers.telegram.user.session_formats import Exported, read_exported, to_telethon


async def _log_in(world: TelegramWorld) -> None:
    """An account of the gateway, of a person whom the platform has already."""
    await world.give(SHOP, "code", await world.start_by_code(SHOP))
    await world.running(SHOP)


async def test_a_sticker_is_sent(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.link(SHOP)
        mei = str((await world.do("account", phone=MEI, username="mei"))["id"])
        made = await world.api.http.post(
            "/v1/media", files={"file": ("a.webp", b"RIFF\0\0\0\0WEBP", "image/webp")}
        )
        message = {"type": "image", "file_key": made.json()["data"]["file_key"]}
        data = {"send_as": "sticker", "emoji": "🙂"}
        answer = await world.send(SHOP, "@mei", message=message, provider_data=data)
        assert answer.status_code == 200, answer.text
        [post] = world.user_platform.customers.person(MEI).posts.values()
        document = post.media.document
        [sticker] = [each for each in document.attributes if isinstance(each, types.DocumentAttributeSticker)]
        assert (document.mime_type, sticker.alt) == ("image/webp", "🙂")
        assert (await world.send(SHOP, mei, "known by now")).status_code == 200


async def test_join_requests_are_listed_and_decided(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP, name="Shop")
        people = [str((await world.do("account", phone=phone, name=phone))["id"]) for phone in (MEI, TOM)]
        group = str((await world.do("channel", title="Club", phones=[SHOP], megagroup=True))["id"])
        await _log_in(world)
        groups = f"/v1/accounts/{world.ids[SHOP]}/groups"
        about = {"group_id": group}
        for _ in range(2):  # the same once more is no error
            await world.api.data("POST", f"{groups}/join-approval-mode", {**about, "enabled": True})
        for phone in (MEI, TOM):
            await world.do("ask_to_join", **{"from": phone, "to": group})
        await world.inbox.until(lambda: len(world.received(SHOP, "group.join_request")) == 2)
        told = world.received(SHOP, "group.join_request")
        assert {event["data"]["conversation"]["id"] for event in told} == {group}
        asking = (await world.api.data("GET", f"{groups}/join-requests?group_id={group}"))["items"]
        assert [each["id"] for each in asking] == people
        assert all(each["requested_at"] for each in asking)
        for action, member in zip(("approve", "reject"), people, strict=True):
            body = {**about, "action": action, "member_ids": [member]}
            await world.api.data("POST", f"{groups}/join-requests/update", body)
        assert (await world.api.data("GET", f"{groups}/join-requests?group_id={group}"))["items"] == []
        again = {**about, "action": "approve", "member_ids": [people[1]]}
        refused = await world.api("POST", f"{groups}/join-requests/update", again)
        assert refused.json()["error"]["outcome"] == "rejected", refused.text
        path = f"/v1/accounts/{world.ids[SHOP]}/conversations/members?conversation_id={group}"
        members = {each["peer_id"] for each in (await world.api.data("GET", path))["items"]}
        assert people[0] in members
        assert people[1] not in members
        await world.api.data("POST", f"{groups}/join-approval-mode", {**about, "enabled": False})


async def test_a_session_file_of_telethon_is_imported(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        made = await world.do("account", phone=SHOP)
        file = SQLiteSession(str(tmp_path / "other"))
        file.set_dc(2, "198.51.100.7", 443)
        file.auth_key = AuthKey(foreign_login(world, SHOP))
        file.save()
        file.close()
        session = base64.b64encode((tmp_path / "other.session").read_bytes()).decode()
        await world.create(SHOP, "session")
        await world.api.data("POST", f"/v1/accounts/{world.ids[SHOP]}/auth/session", {"session": session})
        assert (await world.running(SHOP))["provider_account_ref"] == str(made["id"])


async def test_a_session_is_exported_by_the_command_line(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        command = ["export-session", id_, "-c", str(tmp_path / "unifyport.toml")]
        early = await trio.to_thread.run_sync(lambda: CliRunner().invoke(main, command))
        assert early.exit_code != 0
        assert "stopped first" in early.output
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/stop")
        await world.account(SHOP, "stopped")
        done = await trio.to_thread.run_sync(lambda: CliRunner().invoke(main, command))
        assert done.exit_code == 0, done.output
        [authorization] = world.user_platform.customers.person(SHOP).authorizations
        assert read_exported(done.stdout.strip().encode()) == Exported(2, authorization.key.value)


async def test_more_than_can_be_fetched_of_a_channel_is_a_gap(tmp_path: Path) -> None:
    ids: dict[str, str] = {}
    async with sandbox() as platform, receiver() as inbox:
        file = endpoint(inbox.url, events=ALL) + platform.sandbox.config() + QUICK

        def settings() -> Settings:
            return settings_of(tmp_path, file, **public(free_port()))

        async with gateway(settings()) as api:
            world = TelegramWorld(platform, inbox, api, ids)
            await world.do("account", phone=MEI)
            await world.do("account", phone=SHOP)
            channel = str((await world.do("channel", title="News", phones=[MEI, SHOP]))["id"])
            await _log_in(world)
            await world.order("messages", **{"from": MEI, "to": channel, "text": "first"})
            await inbox.until(lambda: world.texts(SHOP) == ["first"])
            await world.do("slices", channel_most=5)
        mei, room = world.user_platform.customers.person(MEI), world.user_platform.customers.chat(channel)
        for number in range(1100):
            world.user_platform.customers.write(mei, room, str(number))
        async with gateway(settings()) as api:
            world = TelegramWorld(platform, inbox, api, ids)
            await inbox.until(lambda: world.received(SHOP, "provider.event"), 60)
            [gap] = world.received(SHOP, "provider.event")
            await world.order("messages", **{"from": MEI, "to": channel, "text": "last"})
            await inbox.until(lambda: "last" in world.texts(SHOP), 60)
    event = gap["data"]["event"]
    assert (event["name"], gap["data"]["conversation"]["id"]) == ("gap", channel)
    assert event["before_message_id"] != event["after_message_id"]
    once = {
        each["id"]: each["text"] for each in world.received(SHOP)
    }  # a gateway that ends may repeat itself
    assert list(once.values()) == ["first", *map(str, range(1000)), "last"]


async def test_a_channel_that_is_silent_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an account in many channels the platform pushes some never."""
    monkeypatch.setattr(silent, "_POLL_SECONDS", 0.2)
    monkeypatch.setattr(silent, "_QUIET_SECONDS", 1.0)
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=MEI)
        await world.do("account", phone=SHOP)
        channel = str((await world.do("channel", title="News", phones=[MEI, SHOP]))["id"])
        await _log_in(world)
        await world.do("gap")
        await world.order("messages", **{"from": MEI, "to": channel, "text": "not pushed"})
        await world.inbox.until(lambda: world.texts(SHOP) == ["not pushed"])
        assert world.user_platform.server.noise.gaps == 0


async def test_how_an_api_id_is_given_is_said(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        data = {**APP, "api_id": 12345, "phone": f"+{SHOP}"}
        body = {"provider": "telegram", "auth_mode": "code", "provider_data": data}
        refused = await world.api.http.post("/v1/accounts", json=body)
        assert refused.status_code in (400, 422), refused.text
        assert "in quotes" in refused.text


async def test_a_session_of_a_bot_is_no_personal_account(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        world.user_platform.customers.person(SHOP).bot = True
        session = to_telethon(2, foreign_login(world, SHOP), "198.51.100.7", 1)
        await world.create(SHOP, "session")
        await world.api.http.post(f"/v1/accounts/{world.ids[SHOP]}/auth/session", json={"session": session})
        failed = await world.auth(SHOP, "failed")
        assert failed["last_error"] == "invalid_session"
