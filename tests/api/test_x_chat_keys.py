"""How an account of X gets its keys of XChat: by the passcode, once, or as a credential."""

from pathlib import Path
from typing import Any

from tests.api.test_x_login import agree, ask, create, status
from tests.api.x_chat_world import told
from tests.api.x_world import ME, MEI, World, x_world
from tests.harness import endpoint, free_port, gateway, public, receiver, sandbox, settings_of

PASSCODE = "7391"


async def _locked(world: World, user: str = ME, passcode: str = PASSCODE) -> None:
    """The user has set XChat up in X's app, behind a passcode."""
    await world.x.people.keep_in_realms(user, passcode)


async def _asked_for_passcode(world: World) -> int:
    shown = await status(world, "awaiting_password")
    return int(shown["auth_payload"]["ask_passcode"]["guesses_left"])


async def _give(world: World, passcode: str, **more: Any) -> Any:
    return await world.api("POST", f"/v1/accounts/{world.id}/auth/password", {"password": passcode, **more})


async def _unlocked(world: World) -> None:
    await _locked(world)
    await create(world)
    await agree(world, await ask(world))
    await _asked_for_passcode(world)
    assert (await _give(world, PASSCODE)).status_code == 200
    await status(world, "authorized")
    await world.connected()


async def test_the_passcode_opens_messages_both_ways_and_is_asked_for_once(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await _unlocked(world)
        await world.write("xin chào", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["xin chào"])
        [event] = world.inbox.of("message.received")
        assert (event["conversation_id"], event["message_type"]) == (MEI, "text")
        sent = (await world.send()).json()["data"]
        assert told(world) == ["xin chào", "hello"]
        assert sent["message_id"] == world.x.chat_api.sent[0]["message_id"]
        asked = world.x.chat.realms.asked.copy()
        await world.api("POST", f"/v1/accounts/{world.id}/runtime/reconnect")
        await world.connected()
        await world.write("again", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["xin chào", "again"])
        assert world.x.chat.realms.asked == asked  # no realm is asked again
        assert not world.inbox.of("provider.event")  # our own message is no echo


async def test_a_wrong_passcode_counts_down_and_stops(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await _locked(world)
        await create(world)
        for left in (20, 19):
            await agree(world, await ask(world))
            assert await _asked_for_passcode(world) == left
            await _give(world, "1111")
            failed = await status(world, "failed")
            assert failed["last_error"] == "invalid_passcode"
            assert failed["auth_payload"]["guesses_left"] == left - 1
        assert world.x.chat.realms.asked["Recover2"] == 2 * 3  # three realms, once each
        version = world.x.chat.keys_of(ME)[-1].version
        world.x.chat.realms.use_guesses(ME, version, 4)
        await agree(world, await ask(world))
        await _asked_for_passcode(world)
        await _give(world, "1111")
        assert (await status(world, "failed"))["auth_payload"]["guesses_left"] == 3
        await agree(world, await ask(world), yes=False)  # a login that fails otherwise forgets nothing
        assert (await status(world, "failed"))["auth_payload"]["guesses_left"] == 3
        await agree(world, await ask(world))
        assert await _asked_for_passcode(world) == 3
        asked = world.x.chat.realms.asked.copy()
        assert (await _give(world, PASSCODE)).status_code == 400
        assert world.x.chat.realms.asked == asked
        assert (await _give(world, PASSCODE, confirm_last_guesses=True)).status_code == 200
        await status(world, "authorized")


async def test_without_a_passcode_the_account_connects_and_says_that_it_has_no_keys(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await _locked(world)
        await create(world)
        await agree(world, await ask(world))
        await _asked_for_passcode(world)
        await _give(world, "0000")
        await status(world, "authorized")
        await world.connected()
        assert not world.x.chat.realms.asked["Recover1"]
        await world.write("secret", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["[encrypted message]"])
        group = world.x.people.make_group(MEI, [ME, "3333"], "Team")
        refused = await world.send(to=group.id, kind="group")
        assert refused.json()["error"]["reason"] == "xchat_locked"
        assert (await world.send()).status_code == 200  # unencrypted
        assert world.x.messages.sent


async def test_keys_of_the_credentials_ask_nobody(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        keys = world.x.people.enrol(ME).exported()
        await create(world, refresh_token="refresh-1111-seed", chat_keys=keys)
        await status(world, "authorized")
        await world.connected()
        await world.write("hi", encrypted=True)
        await world.inbox.until(lambda: world.texts() == ["hi"])
        assert not world.x.chat.realms.asked


async def test_keys_that_are_not_the_accounts(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        world.x.people.enrol(ME)
        keys = world.x.people.enrol(MEI).exported()
        await create(world, refresh_token="refresh-1111-seed", chat_keys=keys)
        assert (await status(world, "failed"))["last_error"] == "xchat_key_not_registered"


async def test_the_keys_are_there_after_a_restart_and_no_realm_is_asked(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        config = endpoint(inbox.url) + platform.sandbox.config()
        settings = settings_of(tmp_path, config, **public(free_port()))
        async with gateway(settings) as api:
            world = World(platform, inbox, api)
            await _unlocked(world)
            await world.write("one", encrypted=True)
            await inbox.until(lambda: world.texts() == ["one"])
        asked = world.x.chat.realms.asked.copy()
        world.x.people.write(MEI, ME, "two")  # while it is down
        async with gateway(settings) as api:
            world = World(platform, inbox, api, world.id)
            await world.connected()
            await inbox.until(lambda: {*world.texts()} == {"one", "two"})  # a webhook may come again
            assert (await world.send()).status_code == 200
        assert world.x.chat.realms.asked == asked
        assert told(world) == ["one", "two", "hello"]
