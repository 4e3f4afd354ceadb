"""Linked devices of WhatsApp through the API: accounts of one gateway write to each other."""

from pathlib import Path

import pytest

from tests.device_world import MEI, SHOP, TOM, device_world


@pytest.mark.parametrize("by_lid", [(False, False), (True, True), (True, False), (False, True)])
async def test_linked_by_a_qr_code_texts_both_ways(tmp_path: Path, by_lid: tuple[bool, bool]) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP, lid_addressed=by_lid[0])
        await world.link(MEI, lid_addressed=by_lid[1], name="Mei")
        sent = await world.send(SHOP, f"+{MEI}", "hello")
        assert sent.status_code == 200, sent.text
        await world.inbox.until(lambda: world.texts(MEI))
        [event] = world.received(MEI)
        assert event["text"] == "hello"
        assert event["message_id"] == sent.json()["data"]["message_id"]
        assert event["data"]["conversation"]["id"] == f"{SHOP}@s.whatsapp.net"
        answered = await world.send(MEI, event["data"]["conversation"]["id"], "hi there")
        assert answered.status_code == 200, answered.text
        await world.inbox.until(lambda: world.texts(SHOP))
        assert world.texts(SHOP) == ["hi there"]
        [back] = world.received(SHOP)
        assert back["data"]["sender"]["name"] == "Mei"
        identities = {each["type"]: each["id"] for each in back["data"]["sender"]["identities"]}
        assert identities["phone"] == f"+{MEI}"
        assert identities["lid"].endswith("@lid")
        await world.inbox.until(lambda: world.received(SHOP, "message.delivered"))
        assert not [sent.error for sent in world.relay.relay.messages.sent if sent.error]


async def test_linked_by_a_code_that_is_typed_on_the_phone(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        body = {"provider": "whatsapp", "auth_mode": "code", "provider_data": {"phone": f"+{SHOP}"}}
        made = await world.api.data("POST", "/v1/accounts", body)
        world.ids[SHOP] = id_ = made["id"]
        await world.api.data("POST", f"/v1/accounts/{id_}/auth/start")
        shown = await world.api.data("GET", f"/v1/accounts/{id_}/auth")
        assert shown["status"] == "awaiting_code"
        code = shown["auth_payload"]["verify_code"]
        assert len(code) == 9
        assert code[4] == "-"
        await world.do("enter_code", code=code.replace("-", ""), phone=SHOP)
        account = await world.running(SHOP)
        assert account["provider_account_ref"] == SHOP


async def test_a_phone_that_is_not_a_number_is_refused_with_what_it_should_be(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        body = {"provider": "whatsapp", "auth_mode": "code", "provider_data": {"phone": "hello"}}
        refused = await world.api.http.post("/v1/accounts", json=body)
        assert refused.status_code == 400
        said = "provider_data.phone: is not a phone number with its country code"
        assert refused.json()["error"]["message"] == said


async def test_a_number_that_another_account_has_is_explained(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        made = await world.api.data("POST", "/v1/accounts", {"provider": "whatsapp", "auth_mode": "qrcode"})
        path = f"/v1/accounts/{made['id']}"
        shown = await world.api.data("POST", f"{path}/auth/qr/start")
        await world.do("scan", qr=shown["auth_payload"]["qr_code"], phone=SHOP)
        await world.api.until(lambda auth: auth["status"] == "failed", f"{path}/auth")
        found = await world.api.data("GET", f"{path}/explain")
        assert found["why"] == "duplicate_provider_account"
        assert found["action"] == "delete one of the two accounts that have this identity"


async def test_a_group(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        for phone in (SHOP, MEI, TOM):
            await world.link(phone)
        group = (await world.do("group", subject="Ops", phones=[SHOP, MEI]))["id"]
        for text in ("one", "two"):
            sent = await world.send(SHOP, group, text)
            assert sent.status_code == 200, sent.text
        await world.inbox.until(lambda: len(world.texts(MEI)) == 2)
        event = world.received(MEI)[-1]
        assert event["text"] == "two"
        assert event["data"]["conversation"]["id"] == group
        assert event["data"]["sender"]["id"] == f"{SHOP}@s.whatsapp.net"
        await world.do("join", group=group, phone=TOM)
        assert (await world.send(MEI, group, "three")).status_code == 200
        await world.inbox.until(lambda: world.texts(TOM) and world.texts(SHOP))
        assert world.texts(TOM) == world.texts(SHOP) == ["three"]
        assert (await world.send(SHOP, group, "four")).status_code == 200
        await world.inbox.until(lambda: len(world.texts(TOM)) == 2)
        await world.do("leave", group=group, phone=TOM)
        refused = await world.send(TOM, group, "five")
        assert refused.json()["error"]["reason"] == "not_a_member", refused.text


async def test_what_is_done_to_a_message(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.link(MEI)
        sent = (await world.send(SHOP, MEI, "hello")).json()["data"]["message_id"]
        await world.inbox.until(lambda: world.texts(MEI))
        chat, shop = f"{MEI}@s.whatsapp.net", f"{SHOP}@s.whatsapp.net"

        await world.act(SHOP, "edit", conversation_id=chat, message_id=sent, content="hallo")
        await world.inbox.until(lambda: world.received(MEI, "message.updated"))
        [edited] = world.received(MEI, "message.updated")
        assert (edited["message_id"], edited["text"]) == (sent, "hallo")

        await world.act(
            MEI, "reaction", conversation_id=shop, message_id=sent, sender_id=shop, emoji="\N{THUMBS UP SIGN}"
        )
        await world.inbox.until(lambda: world.received(SHOP, "message.reaction"))
        [reaction] = world.received(SHOP, "message.reaction")
        assert reaction["target_message_id"] == sent
        assert reaction["reaction"] == "\N{THUMBS UP SIGN}"

        answer = {"type": "text", "text": "yes"}
        replied = await world.send(MEI, shop, message=answer, reply_to={"message_id": sent})
        assert replied.status_code == 200, replied.text
        await world.inbox.until(lambda: world.texts(SHOP))
        [reply] = world.received(SHOP)
        assert reply["data"]["message"]["reply_to_message_id"] == sent

        await world.read(MEI, shop, sent)
        await world.inbox.until(lambda: world.received(SHOP, "message.read"))

        await world.act(SHOP, "revoke", conversation_id=chat, message_id=sent)
        await world.inbox.until(lambda: world.received(MEI, "message.deleted"))
        assert world.received(MEI, "message.deleted")[0]["message_id"] == sent


@pytest.mark.parametrize(
    ("action", "more"),
    [("edit", {"content": "hallo"}), ("revoke", {}), ("revoke", {"sender_id": f"{MEI}@s.whatsapp.net"})],
)
async def test_a_customer_s_message_is_neither_edited_nor_taken_back(
    tmp_path: Path, action: str, more: dict[str, str]
) -> None:
    async with device_world(tmp_path) as world:
        await world.link(SHOP)
        await world.link(MEI)
        sent = (await world.send(MEI, SHOP, "hello")).json()["data"]["message_id"]
        await world.inbox.until(lambda: world.texts(SHOP))
        before = len(world.relay.relay.messages.sent)
        target = {"conversation_id": f"{MEI}@s.whatsapp.net", "message_id": sent}
        body = {"account_id": world.ids[SHOP], **target, **more}
        refused = await world.api.http.post(f"/v1/messages/{action}", json=body)
        assert refused.json()["error"]["reason"] == "not_allowed", refused.text
        assert len(world.relay.relay.messages.sent) == before


async def test_what_the_capability_list_says(tmp_path: Path) -> None:
    async with device_world(tmp_path) as world:
        listed = await world.api.data("GET", "/v1/capabilities")
        [found] = [each for each in listed if each["provider"] == "whatsapp"]
        linked = [each for each in found["connections"] if each["auth_mode"] in ("qrcode", "code")]
        assert len(linked) == 2
        for connection in linked:
            assert connection["inbound"] == "acked"
            assert connection["receipts"] == ["sent", "delivered", "read"]
            assert connection["can_start_conversation"] is True
            assert "window_hours" not in connection
            assert {
                *("send_text", "send_image", "send_audio", "send_contacts", "send_reply", "edit_message"),
                *("revoke_message", "react_to_message", "mark_read", "show_typing", "download_media"),
                *("list_groups", "create_group", "block_contact"),
            } <= {*connection["capabilities"]}
