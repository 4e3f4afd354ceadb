"""TikTok over the Business Messaging API, whole: what comes in, what goes out, what is refused."""

from pathlib import Path

from tests.api.tiktok_world import APP, BUSINESS, CUSTOMER, a_world


async def test_a_message_in_a_reply_out_and_what_becomes_of_it(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        [account] = await world.online()
        assert account["provider_account_ref"] == BUSINESS
        assert account["receive"] == "webhook"
        assert account["provider_profile"]["display_name"] == f"Sandbox {BUSINESS}"
        assert world.tiktok.apps[APP].callback_url == account["ingress_url"]
        written = await world.write("hello", name="mei.tan")
        [event] = world.inbox.of("message.received")
        assert (event["from"], event["text"], event["message_id"]) == (
            CUSTOMER,
            "hello",
            written["message_id"],
        )
        conversation, sender = event["data"]["conversation"], event["data"]["sender"]
        assert (conversation["id"], conversation["type"]) == (written["conversation_id"], "user")
        assert (sender["username"], conversation["title"]) == ("mei.tan", "mei.tan")
        assert {"type": "unique_identifier", "id": CUSTOMER} in sender["identities"]
        token = event["data"]["message"]["reply_token"]

        answer = await world.send(account["id"], conversation["id"], "yes", reply_to={"reply_token": token})
        assert answer.status_code == 200, answer.text
        sent = answer.json()["data"]
        [seen] = await world.platform.sent("tiktok")
        assert (seen["id"], seen["recipient"]) == (sent["message_id"], conversation["id"])
        assert seen["referenced_message_info"] == {"referenced_message_id": written["message_id"]}
        await world.inbox.until(lambda: len(world.inbox.of("message.status.updated")) == 1)
        [status] = world.inbox.of("message.status.updated")
        assert (status["status"], status["message_id"]) == ("sent", sent["message_id"])

        await world.order("receipts", {"message_id": sent["message_id"]})
        await world.inbox.until(lambda: len(world.inbox.of("provider.event")) == 1)
        [read] = world.inbox.of("provider.event")
        assert read["event_name"] == "im_mark_read_msg"
        assert read["conversation_id"] == conversation["id"]
        assert world.inbox.bad_signatures == 0
