"""Every documented kind of message and update, through the gateway: nothing is lost, nothing quarantined."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.harness import (
    BOT,
    CUSTOMER,
    Receiver,
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

NOW = int(time.time())  # what is older than keys are remembered is set aside
PROVIDERS = Path(__file__).parent.parent / "providers"
TELEGRAM, WHATSAPP = (
    json.loads((PROVIDERS / f"{channel}_documentation.json").read_text().replace("178079040", str(NOW)[:-1]))
    for channel in ("telegram", "whatsapp")
)
EVERYTHING = '["*", "provider.event"]'


def find(bodies: list[Any], **fields: Any) -> list[Any]:
    return [body for body in bodies if all(body.get(name) == value for name, value in fields.items())]


def reported(inbox: Receiver) -> list[Any]:
    """What came from the platform, in the order of arrival."""
    return [body for body in inbox.deliveries if "provider_data" in body["data"]]


@pytest.mark.parametrize("way", ["poll", "webhook"])
async def test_every_kind_of_update(tmp_path: Path, way: str) -> None:
    """Also those that come only to a bot that names them."""
    async with sandbox() as platform, receiver() as inbox:
        more = account() + f'receive = "{way}"\n' + endpoint(inbox.url, events=EVERYTHING)
        settings = settings_of(tmp_path, more + platform.sandbox.config(), **public(free_port()))
        async with gateway(settings) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            kinds = [
                kind for kind in TELEGRAM["update"] if kind not in ("inline_query", "chosen_inline_result")
            ]
            for kind in TELEGRAM["update"]:  # inline queries are not asked for, so the platform keeps them
                await platform.post("updates", {"to": BOT, "update": {kind: TELEGRAM["update"][kind]}})
            expected = len(kinds) + 1  # one of them deletes two messages
            await inbox.until(lambda: len(reported(inbox)) >= expected)
            bodies = reported(inbox)
            assert len(bodies) == expected
            for kind in ("chat_member", "message_reaction"):
                example = TELEGRAM["update"][kind]
                assert [b for b in bodies if b["data"]["provider_data"] == example], kind
            [count] = find(bodies, event_name="message_reaction_count")
            assert count["event"] == "provider.event"
            assert len(find(bodies, event="message.deleted")) == 2
            [pressed] = find(bodies, message_kind="callback_query")
            assert (pressed["text"], pressed["message_id"]) == ("Yes", "Q1")
            assert "unifyport_quarantined_total 0" in (await api.http.get("/metrics")).text


async def test_every_webhook_field(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + endpoint(inbox.url, events=EVERYTHING) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [found] = await api.data("GET", "/v1/accounts")
            await platform.connect(found["ingress_url"])
            for kind, example in WHATSAPP["message"].items():
                await platform.whatsapp("messages", {"from": CUSTOMER, "type": kind, **example})
            for field, value in WHATSAPP["field"].items():
                if "metadata" in value and field != "messages":
                    await platform.whatsapp("updates", {"field": field, "value": value})
            fields = {field for field, value in WHATSAPP["field"].items() if "metadata" in value} - {
                "messages"
            }
            expected = (
                len(WHATSAPP["message"]) + len(fields) + 1
            )  # `standby` has three items, one of them known
            await inbox.until(lambda: len(reported(inbox)) >= expected)
            bodies = reported(inbox)
            assert len(bodies) == expected
            for kind in ("order", "unsupported", "request_welcome"):
                assert len(find(bodies, event="message.received", message_kind=kind)) == 1
            assert len(find(bodies, event_name="message_echo")) == 2
            assert "unifyport_quarantined_total 0" in (await api.http.get("/metrics")).text


async def test_a_kind_of_next_year_is_counted(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            await platform.post("messages", {"to": BOT, "from": 7, "hologram": {"url": "https://x.example"}})
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            [message] = inbox.of("message.received")
            assert (message["text"], message["message_kind"]) == ("[unsupported: hologram]", "hologram")
            assert message["data"]["provider_data"]["hologram"] == {"url": "https://x.example"}
            metrics = (await api.http.get("/metrics")).text
            assert 'unifyport_unsupported_messages_total{kind="hologram",provider="telegram"} 1' in metrics


async def test_an_endpoint_that_wants_no_platform_items(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url, events=EVERYTHING) + "delivery = { provider_data = false }\n"
        async with gateway(settings_of(tmp_path, more + platform.sandbox.config())):
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            await platform.write("hello")
            await platform.post("updates", {"to": BOT, "update": {"poll": TELEGRAM["update"]["poll"]}})
            await inbox.until(lambda: len(inbox.of("provider.event")) == 1)
            [message], [poll] = inbox.of("message.received"), inbox.of("provider.event")
            assert "provider_data" not in message["data"]
            assert poll["data"]["provider_data"] == TELEGRAM["update"]["poll"]


@pytest.mark.parametrize("way", ["poll", "webhook"])
async def test_half_of_a_character_stops_nothing(tmp_path: Path, way: str) -> None:
    """A text that a platform has cut in the middle of an emoji; the sandbox plays that, too."""
    async with sandbox() as platform, receiver() as inbox:
        more = account() + f'receive = "{way}"\n' + whatsapp() + endpoint(inbox.url)
        settings = settings_of(tmp_path, more + platform.sandbox.config(), **public(free_port()))
        async with gateway(settings) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            for each in await api.data("GET", "/v1/accounts"):
                if each["provider"] == "whatsapp":
                    await platform.connect(each["ingress_url"])
            orders: dict[str, dict[str, Any]] = {
                "whatsapp": {"from": CUSTOMER},
                "telegram": {"to": BOT, "from": 7},
            }
            for text in ("cut \ud83d", "whole"):
                for channel, order in orders.items():
                    content = json.dumps({**order, "text": text})  # with the escape, which is ASCII
                    sent = await platform.http.post(
                        f"/sandbox/{channel}/messages",
                        content=content,
                        headers={"content-type": "application/json"},
                    )
                    assert sent.is_success, sent.text
            await inbox.until(lambda: len(inbox.of("message.received")) == 4)
            texts = sorted((body["provider"], body["text"]) for body in inbox.of("message.received"))
            said = ["cut \ufffd", "whole"]
            assert texts == [(provider, text) for provider in ("telegram", "whatsapp") for text in said]
