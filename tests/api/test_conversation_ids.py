"""Two ids of one conversation, through the gateway: what receivers are told, and where sends go."""

from pathlib import Path

from tests.harness import (
    CUSTOMER,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
)


async def test_a_group_that_was_migrated_while_nobody_looked(tmp_path: Path) -> None:
    """The platform says it in the answer to a send: the send goes to the new chat, receivers are told."""
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            group = {"id": -17, "type": "group", "title": "Ops"}
            await platform.post("messages", {"from": 7, "chat": group, "text": "hello"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            [event] = inbox.of("message.received")
            [bot] = platform.telegram.bots.values()
            bot.migrated[-17] = -100200
            bot.chats[-100200] = {**group, "id": -100200, "type": "supergroup"}
            body = {
                "account_id": event["account_id"],
                "to": {"id": "-17", "type": "group"},
                "message": {"type": "text", "text": "hi"},
            }
            for _ in range(2):
                assert (await api.data("POST", "/v1/messages", body))["status"] == "accepted"
            assert [sent["chat"]["id"] for sent in await platform.sent()] == [-100200] * 2
            await inbox.until(lambda: len(inbox.of("conversation.updated")) == 1)
            [moved] = inbox.of("conversation.updated")
            assert (moved["conversation_id"], moved["previous_id"]) == ("-100200", "-17")
            assert moved["reason"] == moved["data"]["event"]["reason"] == "migrated"


async def test_a_service_message_of_a_migration_moves_sends_too(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            group = {"id": -17, "type": "group", "title": "Ops"}
            await platform.post("messages", {"from": 7, "chat": group, "text": "hello"})
            order = {"from": 7, "chat": group, "migrate_to_chat_id": -100200}
            await platform.post("messages", order)
            await inbox.until(lambda: len(inbox.of("conversation.updated")) == 1)
            body = {
                "account_id": inbox.of("message.received")[0]["account_id"],
                "to": {"id": "-17", "type": "group"},
                "message": {"type": "text", "text": "hi"},
            }
            assert (await api.data("POST", "/v1/messages", body))["status"] == "accepted"
            [sent] = await platform.sent()
            assert sent["chat"]["id"] == -100200


async def test_a_reply_token_outlives_the_number_that_it_was_given_for(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [found] = await api.data("GET", "/v1/accounts")
            await platform.connect(found["ingress_url"])
            written = await platform.whatsapp("messages", {"from": CUSTOMER, "text": "hello"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            [event] = inbox.of("message.received")
            assert event["message_id"] == written["message_id"]
            new = "6590000777"
            await platform.whatsapp(
                "messages", {"from": new, "text": "from the new phone, before the notice"}
            )
            notice = {
                "type": "system",
                "system": {"type": "user_changed_number", "wa_id": new, "body": "changed"},
            }
            await platform.whatsapp("messages", {"from": CUSTOMER, **notice})
            await inbox.until(lambda: len(inbox.of("conversation.updated")) == 1)
            [moved] = inbox.of("conversation.updated")
            assert (moved["conversation_id"], moved["previous_id"]) == (new, CUSTOMER)
            body = {
                "account_id": found["id"],
                "to": {"id": f"+{CUSTOMER}", "type": "user"},
                "message": {"type": "text", "text": "hi"},
                "provider_data": {"reply_to": {"reply_token": event["data"]["message"]["reply_token"]}},
            }
            assert (await api.data("POST", "/v1/messages", body))["status"] == "accepted"
            [sent] = await platform.sent("whatsapp")
            assert (sent["to"], sent["context"]["message_id"]) == (new, written["message_id"])
