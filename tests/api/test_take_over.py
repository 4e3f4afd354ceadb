"""What another program has claimed at a platform stays its own, until the operator says otherwise."""

import logging
from pathlib import Path
from typing import Any

import pytest

from actors.account.explanation import ACTIONS, ACTIONS_IN_FILE
from tests.harness import (
    TOKEN,
    Receiver,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
)

THEIRS = "https://another.example/hook"
QUICK = '[supervision.policies.default]\nbackoff = { initial = "10ms", max = "10ms", jitter = 0.0 }\n'


async def set_webhook(platform: Any, url: str) -> None:
    """As another program does that has the bot's token."""
    answer = await platform.http.post(f"{bot_api(platform)}/bot{TOKEN}/setWebhook", json={"url": url})
    assert answer.json()["ok"]


def bot_api(platform: Any) -> str:
    return str(platform.sandbox.endpoints["telegram"]["bot_api_url"])


def webhook(platform: Any) -> str:
    [bot] = platform.telegram.bots.values()
    return str(bot.webhook["url"]) if bot.webhook is not None else ""


@pytest.mark.parametrize("receive", ["poll", "webhook"])
async def test_the_webhook_of_another_program_is_left_alone_until_it_is_to_be_taken_over(
    tmp_path: Path, receive: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with sandbox() as platform, receiver() as inbox:
        await set_webhook(platform, THEIRS)
        more = endpoint(inbox.url) + platform.sandbox.config() + QUICK
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            body = {"provider": "telegram", "provider_data": {"token": TOKEN}, "receive": receive}
            path = f"/v1/accounts/{(await api.data('POST', '/v1/accounts', body))['id']}"
            found = await api.until(lambda found: found["why"] == "foreign_webhook", f"{path}/explain")
            assert found["action"] == ACTIONS["foreign_webhook"]
            assert "take_over" in ACTIONS["foreign_webhook"]
            await inbox.until(
                lambda: any(
                    event["data"].get("reason") == "foreign_webhook"
                    for event in inbox.of("account.status.updated")
                )
            )
            failures = (await api.data("GET", f"{path}/runtime"))["recent_failures"]
            assert "foreign_webhook" in {failure["reason"] for failure in failures}
            assert "foreign_webhook" in caplog.text
            assert webhook(platform) == THEIRS
            assert (await api.data("PATCH", path, {"take_over": True}))["take_over"] is True
            await api.until(lambda found: found["runtime_status"] == "running", path)
            await platform.write("now here", 7)
            await inbox.until(lambda: [e["text"] for e in inbox.of("message.received")] == ["now here"])
            ours = (await api.data("GET", path)).get("ingress_url", "")
            assert webhook(platform) == ours


async def test_a_polling_bot_sees_another_programs_webhook_when_it_logs_in(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with sandbox() as platform, receiver() as inbox:
        await set_webhook(platform, THEIRS)
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            path = f"/v1/accounts/{(await api.data('GET', '/v1/accounts'))[0]['id']}"
            await api.until(lambda found: found["why"] == "foreign_webhook", f"{path}/explain")
            await inbox.until(lambda: len(inbox.of("account.status.updated")) == 2)
        assert not inbox.of("account.started")
        assert "take_over = true" in caplog.text
        methods = [call["method"] for call in platform.telegram.connections]
        assert "getUpdates" not in methods
        assert "deleteWebhook" not in methods


async def test_deletion_leaves_a_webhook_that_is_not_ours(tmp_path: Path) -> None:
    async with sandbox() as platform:
        more = platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            body = {"provider": "telegram", "provider_data": {"token": TOKEN}, "receive": "webhook"}
            path = f"/v1/accounts/{(await api.data('POST', '/v1/accounts', body))['id']}"
            await api.until(lambda found: found["runtime_status"] == "running", path)
            await set_webhook(platform, THEIRS)
            assert (await api("DELETE", path)).is_success
            assert webhook(platform) == THEIRS


def starts(inbox: Receiver) -> int:
    """How often accounts started: an event that comes again after a restart counts once."""
    return len({event["id"] for event in inbox.of("account.started")})


async def test_a_webhook_under_an_old_public_url_is_ours(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + 'receive = "webhook"\n' + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))):
            await inbox.until(lambda: starts(inbox) == 1)
        old = webhook(platform)
        moved: dict[str, Any] = {
            "port": (port := free_port()),
            "server": f'public_url = "http://localhost:{port}"',
        }
        async with gateway(settings_of(tmp_path, more, **moved)):
            await inbox.until(lambda: starts(inbox) == 2)
        assert webhook(platform) not in ("", old)
        polling = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, polling)):
            await inbox.until(lambda: starts(inbox) == 3)
            await platform.write("polled", 7)
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
        assert webhook(platform) == ""


async def test_an_account_of_the_file_takes_over_as_the_file_says(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        await set_webhook(platform, THEIRS)
        more = account() + "take_over = true\n" + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)):
            await platform.write("taken", 7)
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
        assert webhook(platform) == ""
    assert "take_over = true" in ACTIONS_IN_FILE["foreign_webhook"]
