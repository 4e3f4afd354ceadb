"""What a linked device tells only to an account that asks for it, and keys of others that are forged."""

from pathlib import Path
from typing import Any

import pytest

from tests.device_world import MEI, SHOP, TOM, DeviceWorld, device_world, until

NAMES = ("status_posts", "newsletters", "broadcasts", "presence")


async def ask_for(world: DeviceWorld, *names: str) -> None:
    """Change the account's metadata, and wait for the connection that tells what is asked for now."""
    logins = world.device(SHOP).logins
    metadata = dict.fromkeys(names, "on")
    await world.api.data("PATCH", f"/v1/accounts/{world.ids[SHOP]}", {"metadata": metadata})
    await world.logged_in(SHOP, logins + 1)


async def post_all(world: DeviceWorld) -> None:
    """A status post, a message of a newsletter and one of a broadcast list; then an ordinary message."""
    await world.do("status", **{"from": MEI}, to=[SHOP], text="closed on Sunday")
    await world.do("newsletter", to=[SHOP], text="news")
    await world.do("broadcast", **{"from": MEI}, to=[SHOP], text="to all of you")
    await world.order("messages", **{"from": MEI}, to=SHOP, text="end")
    await world.inbox.until(lambda: "end" in world.texts(SHOP))
    await world.settled(SHOP)


def texts_of(world: DeviceWorld, name: str) -> list[str]:
    return [event["data"]["message"]["text"] for event in world.named(SHOP, name)]


async def test_a_change_of_metadata_connects_again_and_posts_are_told(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        await post_all(world)
        assert (texts_of(world, "status_post"), world.texts(SHOP)) == ([], ["end"])
        counted = (await world.api.http.get("/metrics")).text
        for kind in NAMES[:3]:
            assert f'unifyport_not_asked_for_total{{channel="whatsapp",kind="{kind}"}} 1' in counted
        await ask_for(world, *NAMES[:3])
        await post_all(world)
        await world.inbox.until(lambda: world.named(SHOP, "status_post"))
        assert texts_of(world, "status_post") == ["closed on Sunday"]
        assert texts_of(world, "newsletter_message") == ["news"]
        assert world.texts(SHOP) == ["end", "to all of you", "end"]
        [listed] = [e for e in world.received(SHOP) if e["text"] == "to all of you"]
        assert listed["data"]["message"]["broadcast"] is True
        assert listed["data"]["conversation"]["id"] == f"{MEI}@s.whatsapp.net"


async def test_the_metadata_of_a_declared_account_is_followed_at_a_reload(tmp_path: Path) -> None:
    declared = '[[accounts]]\nname = "shop"\nprovider = "whatsapp"\nauth_mode = "qrcode"\n'
    async with device_world(tmp_path, more=declared) as world:
        await world.do("account", phone=SHOP)
        await world.do("account", phone=MEI)
        [account] = await world.api.data("GET", "/v1/accounts")
        await world.scan(SHOP, account["id"])
        logins = world.device(SHOP).logins
        world.write_more('metadata = { newsletters = "on" }\n')
        await world.api.data("POST", "/v1/reload", {})
        await world.logged_in(SHOP, logins + 1)
        await post_all(world)
        await world.inbox.until(lambda: world.named(SHOP, "newsletter_message"))
        assert world.named(SHOP, "status_post") == []


async def test_metadata_that_nobody_reads_leaves_the_connection_up(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        logins = world.device(SHOP).logins
        for metadata in ({"shop": "7"}, {"presence": "off"}):
            await world.api.data("PATCH", f"/v1/accounts/{world.ids[SHOP]}", {"metadata": metadata})
        await world.order("messages", **{"from": MEI}, to=SHOP, text="hello")
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])
        assert world.device(SHOP).logins == logins


async def test_an_account_that_asks_for_presence_is_told_who_types(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        await ask_for(world, "presence")
        await until(lambda: world.device(SHOP).available)
        await world.order("messages", **{"from": MEI}, to=SHOP, text="hello")
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])
        await world.do("typing", **{"from": MEI}, to=SHOP)
        await world.inbox.until(lambda: world.named(SHOP, "typing"))
        [event] = world.named(SHOP, "typing")
        assert event["data"]["event"]["state"] == "composing"
        assert event["data"]["conversation"]["id"] == f"{MEI}@s.whatsapp.net"


async def test_forged_keys_of_a_companion_leave_it_out_and_those_of_a_phone_refuse_the_send(
    tmp_path: Path,
) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.link(MEI)
        await world.do("forge_keys", phone=MEI, device=world.device(MEI).number)
        sent = await world.send(SHOP, MEI, "to the phone")
        assert sent.status_code == 200, sent.text
        [told] = await world.sent()
        assert told["message"]["conversation"] == "to the phone"
        assert world.texts(MEI) == []
        await world.do("account", phone=TOM)
        await world.do("forge_keys", phone=TOM, device=0)
        refused = (await world.send(SHOP, TOM, "never sent")).json()["error"]
        assert refused["reason"] == "recipient_keys_invalid"
        assert TOM in refused["message"]
        assert len(await world.sent()) == 1


CHAT = f"{MEI}@s.whatsapp.net"
CHANGES = [("edit", {"content": "hallo"}), ("revoke", {}), ("reaction", {"emoji": "\N{THUMBS UP SIGN}"})]


@pytest.mark.parametrize(("action", "more"), CHANGES)
async def test_a_change_of_a_message_that_is_not_known_is_refused(
    tmp_path: Path, action: str, more: dict[str, Any]
) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        target = {"conversation_id": CHAT, "message_id": "3EB0NEVER"}
        body = {"account_id": world.ids[SHOP], **target, **more}
        refused = await world.api.http.post(f"/v1/messages/{action}", json=body)
        assert refused.json()["error"]["reason"] == "message_not_found", refused.text
        assert not world.relay.relay.messages.sent
        if action != "edit":  # which has no sender
            await world.act(SHOP, action, **target, **more, sender_id=SHOP)


@pytest.mark.parametrize("written", ["+65 9000 0002", "0065 9000-0002", "(65) 9000.0002", "+6590000002"])
async def test_a_phone_number_may_be_written_as_people_do(tmp_path: Path, written: str) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("account", phone=MEI)
        sent = await world.send(SHOP, written, "hello")
        assert sent.status_code == 200, sent.text
        [told] = await world.sent()
        assert told["message"]["conversation"] == "hello"


async def test_a_send_of_an_account_that_was_never_linked_says_how_to_link_it(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        made = await world.api.data("POST", "/v1/accounts", {"provider": "whatsapp", "auth_mode": "qrcode"})
        world.ids[SHOP] = made["id"]
        error = (await world.send(SHOP, MEI, "hello")).json()["error"]
        assert error["reason"] == "account_not_running"
        assert "it is not logged in" in error["message"]
        assert "unifyport login" in error["message"]
