"""LINE over the Messaging API, whole: what the platform brings, what goes back, and what becomes of it."""

import json
from pathlib import Path

from tests.line_world import CHANNEL, CHANNEL_SECRET, MEI, world


async def test_a_message_in_a_reply_out_and_a_push(tmp_path: Path) -> None:
    async with world(tmp_path) as line:
        assert line.account["provider_account_ref"] == CHANNEL
        assert line.account["receive"] == "webhook"
        assert line.account["provider_profile"]["display_name"] == f"Sandbox {CHANNEL}"
        assert CHANNEL_SECRET not in json.dumps(line.account)
        assert line.channel.endpoint == line.account["ingress_url"]

        written = await line.write("hello")
        event = await line.received(written["message_id"])
        assert (event["from"], event["text"], event["message_type"]) == (MEI, "hello", "text")
        assert event["data"]["conversation"]["id"] == MEI
        assert "replyToken" in event["data"]["provider_data_redacted"]
        assert "message.markAsReadToken" in event["data"]["provider_data_redacted"]

        first = await line.sent({"type": "text", "text": "yes"})
        second = await line.sent({"type": "text", "text": "and more"})
        by = [(message["by"], message["text"], message["id"]) for message in line.line.sent()]
        assert by == [
            ("reply", "yes", first["message_id"]),
            ("push", "and more", second["message_id"]),
        ]
        assert line.channel.usage == 1
        outcome = await line.api.data("GET", f"/v1/commands/{second['command_id']}")
        assert (outcome["outcome"], outcome["message_id"]) == ("sent", second["message_id"])
        assert line.inbox.bad_signatures == 0
