"""Devices of LINE through the API: login, texts both ways, groups, what is done to messages."""

from pathlib import Path

from tests.line_device_world import MEI, SHOP, TOM, line_device_world
from unifyport.sandbox.line.device.world import mid_of


async def test_logged_in_by_qr_code_and_pin_texts_both_ways(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        code = await world.begin(SHOP, status_message="open", picture_path="/p/shop")
        assert code.startswith("https://line.me/R/au/lgn/sq/")
        assert "?secret=" in code
        await world.do("scan", qr=code, name=SHOP)
        pin = await world.until_auth(SHOP, "pin")
        assert len(pin) == 4
        await world.inbox.until(lambda: len(world.received(SHOP, "account.auth.required")) == 2)
        shown = [event["data"]["auth_payload"] for event in world.received(SHOP, "account.auth.required")]
        assert shown[0]["qr_code"] == code
        assert shown[0]["url"].startswith("http")
        assert shown[1]["pin"] == pin
        await world.do("enter_pin", pin=pin, name=SHOP)
        account = await world.running(SHOP)
        assert account["provider_account_ref"] == mid_of(SHOP)
        await world.inbox.until(lambda: world.received(SHOP, "account.started"))
        [succeeded] = world.received(SHOP, "account.auth.succeeded")
        assert succeeded["data"]["account"]["provider_account_ref"] == mid_of(SHOP)

        sent = await world.sends(SHOP, MEI, "hello \N{GRINNING FACE}")
        [told] = await world.sent()
        assert (told["id"], told["sealed"], told["content"]) == (
            sent,
            True,
            {"text": "hello \N{GRINNING FACE}"},
        )
        await world.says(MEI, SHOP, "123")
        await world.inbox.until(lambda: world.texts(SHOP))
        [event] = world.received(SHOP)
        assert event["text"] == "123"
        assert event["data"]["conversation"]["id"] == mid_of(MEI)
        assert event["data"]["sender"]["name"] == MEI


async def test_a_group_with_a_member_who_joins_late(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.link(TOM)
        group = (await world.do("group", subject="Ops", names=[SHOP, MEI]))["id"]
        await world.sends(SHOP, group, "one")
        await world.says(MEI, "", "two", group=group)
        await world.inbox.until(lambda: world.texts(SHOP))
        [event] = world.received(SHOP)
        assert event["data"]["conversation"] == {"id": group, "type": "group", "title": "Ops"}
        await world.do("join", group=group, name=TOM)
        await world.sends(SHOP, group, "three")
        await world.inbox.until(lambda: world.texts(TOM))
        assert world.texts(TOM) == ["three"]
        await world.sends(TOM, group, "four")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
        assert all(told["sealed"] for told in await world.sent())
        assert [told["content"]["text"] for told in await world.sent()] == ["one", "three", "four"]
        await world.do("leave", group=group, name=TOM)
        refused = await world.send(TOM, group, "five")
        assert refused.json()["error"]["reason"] == "not_a_member", refused.text


async def test_what_is_done_to_a_message(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        sent = await world.sends(SHOP, MEI, "hello")
        chat = mid_of(MEI)

        await world.order("receipts", **{"from": MEI, "message_id": sent})
        await world.inbox.until(lambda: world.received(SHOP, "message.read"))

        await world.do("react", message_id=sent, emoji="\N{THUMBS UP SIGN}", **{"from": MEI})
        await world.inbox.until(lambda: world.received(SHOP, "message.reaction"))
        [reaction] = world.received(SHOP, "message.reaction")
        assert (reaction["target_message_id"], reaction["reaction"]) == (sent, "\N{THUMBS UP SIGN}")

        theirs = await world.says(MEI, SHOP, "really?", quote=sent)
        await world.inbox.until(lambda: world.texts(SHOP))
        assert world.received(SHOP)[0]["data"]["message"]["reply_to_message_id"] == sent

        answer = {"type": "text", "text": "yes"}
        await world.sends(SHOP, MEI, message=answer, reply_to={"message_id": theirs})
        assert (await world.sent())[-1]["related_id"] == theirs

        await world.act(
            SHOP,
            "reaction",
            conversation_id=chat,
            message_id=theirs,
            sender_id=chat,
            emoji="\N{HEAVY BLACK HEART}",
        )
        read = {"conversation_id": chat, "up_to_message_id": theirs, "up_to_message_sender_id": chat}
        await world.api.data("POST", f"/v1/accounts/{world.ids[SHOP]}/conversations/read", read)
        await world.act(SHOP, "revoke", conversation_id=chat, message_id=sent)
        types = [operation.type for operation in world.account(MEI).operations]
        assert types[-3:] == [140, 55, 65]

        await world.do("unsend", message_id=theirs)
        await world.inbox.until(lambda: world.received(SHOP, "message.deleted"))
        assert world.received(SHOP, "message.deleted")[0]["message_id"] == theirs
        assert not world.received(SHOP, "message.echo")


async def test_what_the_owner_writes_on_the_phone_is_an_echo(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.says(SHOP, MEI, "from the phone")
        await world.inbox.until(lambda: world.named(SHOP, "message_echo"))
        [echo] = world.named(SHOP, "message_echo")
        assert echo["data"]["conversation"]["id"] == mid_of(MEI)
        assert echo["data"]["message"]["text"] == "from the phone"


async def test_a_user_who_does_not_seal_gets_plain_text_until_they_do(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("sealing", name=MEI, on=False)
        await world.sends(SHOP, MEI, "plain")
        await world.says(MEI, SHOP, "plain, too")
        await world.inbox.until(lambda: world.texts(SHOP))
        await world.do("sealing", name=MEI, on=True)
        await world.says(MEI, SHOP, "sealed")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
        await world.sends(SHOP, MEI, "sealed, too")
        assert [told["sealed"] for told in await world.sent()] == [False, True]


async def test_a_user_who_has_turned_it_off_is_asked_about_once_more(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.sends(SHOP, MEI, "sealed")
        await world.do("sealing", name=MEI, on=False)
        await world.sends(SHOP, MEI, "plain")
        assert [told["sealed"] for told in await world.sent()] == [True, False]


async def test_keys_that_change_cost_nothing(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        group = (await world.do("group", subject="Ops", names=[SHOP, MEI]))["id"]
        await world.sends(SHOP, MEI, "one")
        await world.sends(SHOP, group, "two")
        await world.do("renew_key", name=MEI)
        await world.do("renew_group_key", group=group)
        await world.sends(SHOP, MEI, "three")
        await world.sends(SHOP, group, "four")
        assert [told["content"].get("text") for told in await world.sent()] == ["one", "two", "three", "four"]
        await world.says(MEI, SHOP, "five")
        await world.says(MEI, "", "six", group=group)
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
        assert sorted(world.texts(SHOP)) == ["five", "six"]


async def test_a_message_without_a_key_of_ours_is_told_as_such(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("renew_key", name=SHOP)  # the phone's: the device does not get its private half
        await world.says(MEI, SHOP, "secret")
        await world.inbox.until(lambda: world.received(SHOP))
        [event] = world.received(SHOP)
        assert event["data"]["message"]["kind"] == "undecryptable"
        assert event["data"]["message"]["reason"] == "own_key_missing"
        await world.sends(SHOP, MEI, "still there")
        assert (await world.sent())[-1]["sealed"]
