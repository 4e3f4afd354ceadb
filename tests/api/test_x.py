"""An account of X through the API: connecting, receiving, sending, on the sandbox."""

from pathlib import Path

from tests.api.x_world import ME, MEI, x_world


async def test_a_text_in_and_a_text_out(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        found = await world.api.data("GET", f"/v1/accounts/{world.id}")
        assert found["provider_account_ref"] == ME
        assert found["provider_profile"]["username"] == f"user{ME}"
        written = await world.write("R&D <3 https://shop.example/a?b=1", name="Mei")
        await world.inbox.until(lambda: world.texts())
        [event] = world.inbox.of("message.received")
        data = event["data"]
        assert data["message"]["id"] == written["message_id"]
        assert event["text"] == "R&D <3 https://shop.example/a?b=1"
        assert (data["conversation"]["id"], data["conversation"]["type"]) == (MEI, "user")
        assert (data["sender"]["id"], data["sender"]["name"]) == (MEI, "Mei")
        sent = await world.send(message={"type": "text", "text": "hi & <bye>"})
        assert sent.status_code == 200, sent.text
        [kept] = world.x.sent()
        assert (kept["text"], kept["conversation_id"]) == ("hi & <bye>", f"{ME}-{MEI}")
        assert sent.json()["data"]["message_id"] == kept["id"]
        await world.write("bye")
        await world.inbox.until(lambda: len(world.texts()) == 2)
        assert not world.inbox.of("provider.event")  # the echo of our own send is no news
