"""TikTok over the Business Messaging API, whole: what comes in, what goes out, what is refused."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.api.tiktok_world import APP, APP_SECRET, BUSINESS, CUSTOMER, a_world
from tests.providers.documentation import TIKTOK
from unifyport.providers.tiktok.business.signature import SIGNATURE, sign


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


def documented(what: str) -> dict[str, Any]:
    """The documentation's examples of events or messages, as if they happened now."""
    now_ms = time.time_ns() // 1_000_000
    text = json.dumps(TIKTOK[what]).replace(str(TIKTOK["head"]["timestamp"]), str(now_ms))
    found: dict[str, Any] = json.loads(text)
    return found


async def test_every_event_of_the_documentation(tmp_path: Path) -> None:
    """Nothing is lost, nothing is quarantined."""
    async with a_world(tmp_path) as world:
        await world.online()
        events = documented("event")
        for name, content in events.items():
            await world.order("updates", {"event": name, "content": content})

        def reported() -> list[Any]:
            return [body for body in world.inbox.deliveries if "provider_data" in body["data"]]

        await world.inbox.until(lambda: len(reported()) == len(events))
        found = {body["data"]["provider_data"]["event"]: body for body in reported()}
        assert set(found) == set(events)
        assert found["im_receive_msg"]["type"] == "message.received"
        assert found["im_send_msg"]["event_name"] == "message_echo"
        for name in set(events) - {"im_receive_msg", "im_send_msg"}:
            assert (found[name]["type"], found[name]["event_name"]) == ("provider.event", name)
        assert "unifyport_quarantined_total 0" in (await world.api.http.get("/metrics")).text


async def test_every_type_of_message_and_one_of_next_year(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        await world.online()
        messages = documented("message")
        for kind, content in {**messages, "hologram": {"hologram": {"x": 1}}}.items():
            if kind != "reaction":
                await world.write(type=kind, **content)
        kinds = [event["message_kind"] for event in world.inbox.of("message.received")]
        assert kinds == [kind for kind in messages if kind != "reaction"] + ["hologram"]
        metrics = (await world.api.http.get("/metrics")).text
        assert 'unifyport_unsupported_messages_total{kind="hologram",provider="tiktok"} 1' in metrics
        await world.order("messages", {"from": CUSTOMER, "type": "reaction", **messages["reaction"]})
        await world.inbox.until(lambda: len(world.inbox.of("message.reaction")) == 1)


async def test_repeats_garbage_and_what_comes_out_of_order(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        [account] = await world.online()
        await world.order("faults", {"kind": "duplicate", "method": "webhook", "count": 3})
        now = time.time_ns() // 1_000_000
        for at, text in ((now, "later"), (now - 60_000, "earlier"), (now - 30_000, "between")):
            await world.write(text, timestamp=at)
        assert [event["text"] for event in world.inbox.of("message.received")] == [
            "later",
            "earlier",
            "between",
        ]
        for body in (b"", b"garbage", b"[]", b'{"event": "im_receive_msg"}', b"\xff" * 10):
            headers = {SIGNATURE: sign(APP_SECRET, body, int(time.time()))}
            answer = await world.api.http.post(account["ingress_url"], content=body, headers=headers)
            assert answer.status_code == 200, body
        await world.write("still here")
        assert len(world.inbox.of("message.received")) == 4
        assert "unifyport_quarantined_total 5" in (await world.api.http.get("/metrics")).text
        huge = b"x" * (1024 * 1024 + 1)
        headers = {SIGNATURE: sign(APP_SECRET, huge, int(time.time()))}
        assert (
            await world.api.http.post(account["ingress_url"], content=huge, headers=headers)
        ).status_code == 413


async def test_a_stopped_account_keeps_nothing_and_the_platform_repeats(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        [account] = await world.online()
        await world.api.data("POST", f"/v1/accounts/{account['id']}/runtime/stop")
        await world.order("messages", {"from": CUSTOMER, "text": "while away"})
        await world.api.until(lambda _: bool(world.tiktok.calls()[-1]["statuses"]), "/v1/accounts")
        assert set(world.tiktok.calls()[-1]["statuses"]) == {503}
        assert (await world.api.data("GET", "/v1/events?type=message.received"))["items"] == []
        await world.api.data("POST", f"/v1/accounts/{account['id']}/runtime/start")
        await world.inbox.until(lambda: len(world.inbox.of("message.received")) == 1)


async def test_what_the_capability_list_says(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        found = await world.api.data("GET", "/v1/capabilities")
        [business] = next(each["connections"] for each in found if each["provider"] == "tiktok")
        assert (business["window_hours"], business["can_start_conversation"]) == (48, False)
        assert business["receipts"] == ["sent"]
        assert business["max_text"] == 6000
        assert {"send_text", "send_image", "send_reply", "mark_read", "show_typing"} <= set(
            business["capabilities"]
        )
        assert not {"send_video", "edit_message", "react_to_message"} & set(business["capabilities"])


async def test_a_request_that_is_only_too_old_is_told_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator must not look for a wrong secret."""
    async with a_world(tmp_path) as world:
        [account] = await world.online()
        old = {SIGNATURE: sign(APP_SECRET, b"{}", int(time.time()) - 4000)}
        refused = await world.api.http.post(account["ingress_url"], content=b"{}", headers=old)
        assert refused.status_code == 401
        [told] = [each for each in caplog.records if each.message.startswith("ingress refused")]
        assert told.message.startswith("ingress refused for account 'shop': the signature is right, but the")
        explained = await world.api.data("GET", f"/v1/accounts/{account['id']}/explain")
        assert "because the signature is right, but" in explained["detail"]
