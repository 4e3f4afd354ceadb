"""An account of X through the API on the sandbox: what comes in, and what keeps the stream alive."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.api.x_world import ME, MEI, World, x_account, x_world
from tests.providers.documentation import X
from unifyport.providers.x.api import backoff, catch_up, hub, stream

PHOTO = b"\xff\xd8\xff" + b"p" * 5000


def media(kind: str, content: bytes = PHOTO) -> dict[str, str]:
    return {"type": kind, "content": base64.b64encode(content).decode()}


def echoes(world: World) -> list[Any]:
    return [e for e in world.inbox.of("provider.event") if e["event_name"] == "message_echo"]


async def opened_again(world: World, before: int) -> None:
    """The stream has been opened more than `before` times."""
    await world.api.until(lambda _: opened(world) > before and bool(world.x.open), f"/v1/accounts/{world.id}")


def opened(world: World) -> int:
    return sum(1 for call in world.x.connections if call["method"] == "stream")


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


@pytest.mark.parametrize(
    ("kind", "type_"), [("photo", "image"), ("video", "video"), ("animated_gif", "video")]
)
async def test_files_come_in_and_are_fetched(tmp_path: Path, kind: str, type_: str) -> None:
    async with x_world(tmp_path) as world:
        await world.write("look", media=media(kind))
        await world.inbox.until(lambda: world.texts())
        [event] = world.inbox.of("message.received")
        assert (event["message_type"], event["message_kind"], event["text"]) == (type_, kind, "look")
        [file] = event["data"]["message"]["attachments"]
        async with httpx.AsyncClient(trust_env=False) as client:
            fetched = await client.get(file["url"])
        assert (fetched.status_code, fetched.content) == (200, PHOTO)


async def test_receipts_echoes_and_encrypted_messages(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        sent = (await world.send()).json()["data"]["message_id"]
        await world.order("receipts", message_id=sent, status="read")
        await world.inbox.until(lambda: world.inbox.of("message.read"))
        [read] = world.inbox.of("message.read")
        assert read["message_id"] == sent
        world.x.messages.write(ME, world.x.directory.pair(ME, MEI), {"text": "from the phone"})
        await world.inbox.until(lambda: echoes(world))
        [echo] = echoes(world)
        assert (echo["text"], echo["conversation_id"]) == ("from the phone", MEI)
        assert echo["data"]["message"]["direction"] == "outbound"
        written = await world.write("", encrypted=True)
        await world.inbox.until(lambda: world.texts())
        [event] = world.inbox.of("message.received")
        assert (event["message_kind"], event["text"]) == ("encrypted", "[encrypted message]")
        assert (event["message_id"], event["conversation_id"]) == (written["message_id"], MEI)
        assert "conversation_token" not in json.dumps(event)


async def test_what_comes_twice_arrives_once_and_garbage_stops_nothing(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        await world.order("faults", kind="duplicate", method="stream")
        await world.write("twice")
        lines: list[Any] = [
            "no object",
            {"data": {"event_type": 5, "filter": {"user_id": ME}}},
            {"data": None},
            [],
        ]
        for line in lines:
            await world.order("updates", line=line)
        for payload in ({}, {"direct_message_events": [5, {"type": "hologram"}]}):
            await world.order("updates", event_type="dm.received", payload=payload)
        await world.order("updates", event_type="next.year", payload={"a": 1})
        await world.write("last")
        await world.inbox.until(lambda: "last" in world.texts())
        assert world.texts() == ["twice", "last"]
        await world.inbox.until(lambda: len(world.inbox.of("provider.event")) == 3)
        names = {event["event_name"] for event in world.inbox.of("provider.event")}
        assert names == {"dm.received", "hologram", "next.year"}
        metrics = (await world.api.http.get("/metrics")).text
        assert "unifyport_quarantined_total 2" in metrics


async def test_a_lost_connection_is_opened_again_and_the_gap_filled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when X has no backfill for the app: then the messages come from the history."""
    monkeypatch.setattr(hub, "STABLE_SECONDS", 0.0)
    async with x_world(tmp_path) as world:
        for backfill, text in ((True, "during the first gap"), (False, "during the second")):
            world.x.deliveries.backfill = backfill
            await world.write(f"before, backfill {backfill}")
            await world.inbox.until(lambda: len(world.texts()) % 2 == 1)
            before = opened(world)
            await world.order("faults", kind="disconnect", method="stream")
            await world.write(text)
            await opened_again(world, before)
            await world.inbox.until(lambda text=text: text in world.texts())  # type: ignore[misc]
        await world.write("live again")
        await world.inbox.until(lambda: "live again" in world.texts())
        assert len(world.texts()) == len(set(world.texts())) == 5
        assert (await world.api.data("GET", f"/v1/accounts/{world.id}"))["runtime_status"] == "running"


async def test_twenty_seconds_of_silence_are_the_loss_of_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stream.SILENCE_SECONDS == 20.0
    monkeypatch.setattr(stream, "SILENCE_SECONDS", 0.3)
    monkeypatch.setattr(hub, "STABLE_SECONDS", 0.0)
    async with x_world(tmp_path) as world:
        before = opened(world)
        world.x.deliveries.silent = True
        await world.write("unheard")
        await world.api.until(lambda _: opened(world) > before, f"/v1/accounts/{world.id}")
        world.x.deliveries.silent, world.x.deliveries.heartbeat = False, 0.1
        await world.inbox.until(lambda: world.texts() == ["unheard"])


async def test_a_stream_that_cannot_be_opened_is_a_failure_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "_HTTP_FIRST", 0.01)
    monkeypatch.setattr(backoff, "_NETWORK_STEP", 0.01)
    quick = (
        '[supervision.policies.default]\nbackoff = { initial = "50ms", max = "100ms" }\nmax_restarts = 1000\n'
    )
    async with x_world(tmp_path, more=quick) as world:
        await world.order("faults", kind="error_500", method="stream", count=1000)
        await world.order("faults", kind="disconnect", method="stream")
        path = f"/v1/accounts/{world.id}/explain"
        await world.api.until(lambda found: found["why"] == "x_500", path)
        await world.write("while it was away")
        world.x.restore()
        await world.inbox.until(lambda: world.texts() == ["while it was away"])


async def test_two_accounts_of_one_app_share_its_stream(tmp_path: Path) -> None:
    """X allows an app two connections, and each carries the events of all its users."""
    accounts = "".join(x_account(f"x{user}", user) for user in ("1111", "1112", "1113"))
    async with x_world(tmp_path, accounts) as world:
        for account in await world.api.data("GET", "/v1/accounts"):
            await world.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account['id']}")
        for user in ("1111", "1112", "1113"):
            await world.write(f"to {user}", to=user)
        await world.inbox.until(lambda: len(world.texts()) == 3)
        assert len(world.x.open) == 1
        by_account = {e["text"]: e["account_id"] for e in world.inbox.of("message.received")}
        assert len(set(by_account.values())) == 3
        for account in await world.api.data("GET", "/v1/accounts"):  # another one takes over
            await world.api("POST", f"/v1/accounts/{account['id']}/runtime/reconnect")
            await world.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account['id']}")
            await world.api.until(lambda _: len(world.x.open) == 1, "/v1/accounts")
        await world.write("still", to="1112")
        await world.inbox.until(lambda: "still" in world.texts())
        await world.api.until(lambda _: len(world.x.open) == 1, "/v1/accounts")
        assert opened(world) <= 1 + 2 * 3  # X may have refused one: it notices late that the other is closed


@pytest.mark.parametrize("backfill", [True, False])
async def test_messages_while_the_leading_account_changes(tmp_path: Path, backfill: bool) -> None:
    """What comes while no account reads the stream is filled in for those that follow, by either way."""
    users = ("1111", "1112", "1113")
    accounts = "".join(x_account(f"x{user}", user) for user in users)
    async with x_world(tmp_path, accounts) as world:
        world.x.deliveries.backfill = backfill
        listed = await world.api.data("GET", "/v1/accounts")
        for account in listed:
            await world.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account['id']}")
        written: list[str] = []
        for account in listed:
            await world.api("POST", f"/v1/accounts/{account['id']}/runtime/reconnect")
            for user in users:
                written.append(f"{len(written)} to {user}")
                await world.write(written[-1], to=user)
            await world.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account['id']}")
            await world.api.until(lambda _: len(world.x.open) == 1, "/v1/accounts")
        await world.inbox.until(lambda: len(world.texts()) >= len(written))
        assert sorted(world.texts()) == sorted(written)


async def test_a_conversation_between_two_of_our_accounts(tmp_path: Path) -> None:
    accounts = x_account("x1", "1111") + x_account("x2", "1112")
    async with x_world(tmp_path, accounts) as world:
        found = {}
        for declared in await world.api.data("GET", "/v1/accounts"):
            path = f"/v1/accounts/{declared['id']}"
            account = await world.api.until(lambda a: a["runtime_status"] == "running", path)
            found[account["provider_account_ref"]] = account["id"]
        world.id = found["1111"]
        sent = await world.send(to="1112")
        assert sent.status_code == 200
        await world.inbox.until(lambda: world.texts())
        [event] = world.inbox.of("message.received")
        assert (event["account_id"], event["conversation_id"]) == (found["1112"], "1111")
        assert not echoes(world)


async def test_both_names_of_the_channel(tmp_path: Path) -> None:
    declared = x_account().replace('provider = "x"', 'provider = "twitter"')
    async with x_world(tmp_path, declared) as world:
        await world.write("hello")
        await world.inbox.until(lambda: world.texts())
        assert world.inbox.of("message.received")[0]["provider"] == "twitter"


async def test_what_is_missed_while_the_gateway_is_away_comes_once(tmp_path: Path) -> None:
    from tests.harness import endpoint, free_port, gateway, public, receiver, sandbox, settings_of

    async with sandbox() as platform, receiver() as inbox:
        file = x_account() + endpoint(inbox.url) + platform.sandbox.config()
        settings = settings_of(tmp_path, file, **public(free_port()))
        x: Any = platform.sandbox.platforms["x"]
        x.messages.write(MEI, x.directory.pair(ME, MEI), {"text": "long ago"})  # history, which is not news
        for round_ in range(3):
            async with gateway(settings) as api:
                world = World(platform, inbox, api)
                [account] = await api.data("GET", "/v1/accounts")
                world.id = account["id"]
                await world.connected()
                await inbox.until(lambda: len(set(world.texts())) == 61 * round_)  # noqa: B023
                await world.write(f"live {round_}")
                await inbox.until(lambda: f"live {round_}" in world.texts())  # noqa: B023
            for number in range(60):  # more than a page
                x.messages.write(MEI, x.directory.pair(ME, MEI), {"text": f"away {round_} {number}"})
        events = {event["id"]: event for event in inbox.of("message.received")}  # a webhook may come again
        texts = [event["text"] for event in events.values()]
        assert len(texts) == len(set(texts)) == 2 * 61 + 1
        wanted = [text for text in texts if text.startswith("away")]
        assert wanted == [f"away {round_} {number}" for round_ in range(2) for number in range(60)]


async def test_a_group_is_known_from_the_history(tmp_path: Path) -> None:
    """X reports no messages of groups of the older kind; they are fetched with a gap."""
    async with x_world(tmp_path) as world:
        group = world.x.directory.group({ME, MEI, "3333"})
        await world.write("hello all", conversation=group)
        await world.api("POST", f"/v1/accounts/{world.id}/runtime/reconnect")
        await world.inbox.until(lambda: world.texts() == ["hello all"])
        [event] = world.inbox.of("message.received")
        assert (event["conversation_id"], event["conversation_type"]) == (group, "group")
        assert (await world.send(to=group, kind="group")).status_code == 200
        assert world.x.sent()[-1]["conversation_id"] == group


def asked(world: World) -> int:
    """How often the history was asked for."""
    return sum(1 for call in world.x.connections if call["method"] == "dm_events")


async def test_the_history_is_read_every_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catch_up, "HOUR", 0.2)
    async with x_world(tmp_path) as world:
        group = world.x.directory.group({ME, MEI, "3333"})
        await world.write("to one")
        await world.write("to all", conversation=group)  # the stream does not say so
        await world.inbox.until(lambda: sorted(world.texts()) == ["to all", "to one"])
        before = asked(world)
        await world.api.until(lambda _: asked(world) > before + 2, f"/v1/accounts/{world.id}")
        assert opened(world) == 1
        assert len(world.texts()) == 2


async def test_an_operator_who_pays_for_no_hourly_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The events of the stream move the mark, so an opening without a gap asks for one event."""
    monkeypatch.setattr(catch_up, "HOUR", 0.05)
    monkeypatch.setattr(catch_up, "SETTLE_SECONDS", 0.3)
    async with x_world(tmp_path, options="read_history_hourly = false") as world:
        await world.api.until(lambda _: asked(world) == 2, f"/v1/accounts/{world.id}")  # login, opening
        for text in ("one", "two"):
            await world.write(text)
        await world.inbox.until(lambda: world.texts() == ["one", "two"])
        await trio.sleep(0.8)
        assert asked(world) == 2
        await world.api("POST", f"/v1/accounts/{world.id}/runtime/reconnect")
        await world.api.until(lambda _: asked(world) > 2 and opened(world) == 2, f"/v1/accounts/{world.id}")
        await world.write("three")
        await world.inbox.until(lambda: world.texts() == ["one", "two", "three"])
        assert asked(world) == 3


async def test_the_limit_of_the_history_holds_up_nothing(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        await world.api.until(lambda _: asked(world) == 2, f"/v1/accounts/{world.id}")  # login, opening
        await world.order("faults", kind="rate_limit", method="dm_events", value=1, count=1)
        await world.api("POST", f"/v1/accounts/{world.id}/runtime/reconnect")
        await world.api.until(lambda _: asked(world) > 2, f"/v1/accounts/{world.id}")
        await world.write("live")
        await world.inbox.until(lambda: world.texts() == ["live"])
        await world.api.until(lambda _: asked(world) > 3, f"/v1/accounts/{world.id}")
        assert world.x.faults.next("dm_events", "rate_limit") is None  # X has refused one call


async def test_every_documented_kind_through_the_gateway(tmp_path: Path) -> None:
    """Nothing is lost, nothing quarantined."""
    now = str(time.time_ns() // 1_000_000)
    examples = json.loads(
        json.dumps(X)
        .replace("1111111111111111111", ME)
        .replace("2222222222222222222", MEI)
        .replace("1780790400123", now)
    )
    contents = examples["content"]
    async with x_world(tmp_path) as world:
        for number, (kind, data) in enumerate(contents.items()):
            payload = json.loads(json.dumps(examples["payload"]["dm.received"]))
            [item] = payload["direct_message_events"]
            item["id"], item["message_create"]["message_data"] = str(10**18 + number), data
            await world.order("updates", event_type="dm.received", payload=payload)
            await world.inbox.until(lambda number=number: len(world.texts()) == number + 1)  # type: ignore[misc]
            assert world.inbox.of("message.received")[-1]["data"]["message"]["id"] == item["id"], kind
        sealed = ("chat.received", "chat.sent")  # whose examples have no valid signature
        others = [
            t
            for t in examples["event_types"]
            if not t.startswith("dm.") and t != "oauth.revoke" and t not in sealed
        ]
        for event_type in others:
            payload = examples["payload"].get(event_type, {"of": event_type})
            await world.order("updates", event_type=event_type, payload=payload)
        await world.inbox.until(lambda: len(world.inbox.of("provider.event")) == len(others))
        assert len(world.texts()) == len(contents)
        assert "unifyport_quarantined_total 0" in (await world.api.http.get("/metrics")).text
