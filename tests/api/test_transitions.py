"""What an operator learns from the log and from `explain`: each change by name, and what to do."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.cli.test_commands import unifyport
from tests.harness import (
    APP_SECRET,
    Process,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
    write_config,
)

QUICK = '[supervision.policies.default]\nbackoff = { initial = "10ms", max = "10ms", jitter = 0.0 }\n'


def lines_of(log: Path, logger: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line["logger"] == logger]


@pytest.mark.chaos
async def test_my_bot_stopped_at_night(tmp_path: Path) -> None:
    """From the log line alone: which account, why, what will happen, and what to type."""
    async with sandbox() as platform, receiver() as inbox:
        port = free_port()
        more = account("support-bot", "4242:old-token") + endpoint(inbox.url) + platform.sandbox.config()
        path = write_config(tmp_path, port=port, more=more)
        process = Process(path, port)
        await process.start()
        try:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            await platform.post("faults", {"kind": "logout", "seconds": 600})
            [bot] = await process.client.data("GET", "/v1/accounts")
            await process.client.data("POST", f"/v1/accounts/{bot['id']}/runtime/reconnect")
            await inbox.until(lambda: len(inbox.of("account.auth.failed")) == 1)
            line = lines_of(process.log, "unifyport.account")[-1]
            assert line["event"].startswith("account 'support-bot': ")
            assert (line["level"], line["status"], line["reason"]) == (
                "warning",
                "disconnected",
                "invalid_credentials",
            )
            assert line["next"] == "nothing, until it is logged in again"
            assert line["action"].startswith("change its credentials in the configuration file and reload")

            await platform.http.delete("/sandbox/telegram/faults")
            path.write_text(path.read_text().replace("4242:old-token", "4242:new-token"))
            reloaded = await trio.to_thread.run_sync(lambda: unifyport("reload", cwd=tmp_path))
            assert reloaded.returncode == 0, reloaded.stderr
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            line = lines_of(process.log, "unifyport.account")[-1]
            assert (line["level"], line["account"], line["status"]) == ("info", "support-bot", "running")
            assert "action" not in line
        finally:
            await process.kill()
        assert "4242:" not in process.log.read_text()


async def test_a_wrong_app_secret_is_seen(tmp_path: Path) -> None:
    """The account looks connected, whatever its platform does: what is observed are its calls."""
    async with sandbox() as platform:
        more = whatsapp("shop") + platform.sandbox.config() + "[metrics]\naccounts = true\n"
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [shop] = await api.data("GET", "/v1/accounts")
            path = f"/v1/accounts/{shop['id']}"
            await api.until(lambda found: found["runtime_status"] == "running", path)
            found = await api.data("GET", f"{path}/explain")
            assert (found["why"], found["action"]) == ("", "")
            assert "none accepted, none refused" in found["detail"]
            up = f'unifyport_account_up{{account="{shop["id"]}",name="shop"}} 1.0'
            assert up in (await api.http.get("/metrics")).text

            await platform.connect(shop["ingress_url"], secret="another secret")
            await platform.whatsapp("messages", {"text": "hello"})
            found = await api.until(lambda found: found["why"] == "calls_refused", f"{path}/explain")
            assert "none accepted" in found["detail"]
            assert "because the signature does not match" in found["detail"]
            assert "compare the secret of the webhook" in found["action"]
            calls = (await api.data("GET", f"{path}/runtime"))["calls"]
            assert (calls["refused_because"], "last_accepted_at" in calls) == (
                "the signature does not match",
                False,
            )
            assert "signature" in (await api.data("GET", f"{path}/auth"))["last_error"]
            [bad] = (await api.data("GET", "/v1/status?problems=true"))["accounts"]
            assert (bad["name"], "the signature does not match" in bad["last_error"]) == ("shop", True)

            await platform.connect(shop["ingress_url"], secret=APP_SECRET)
            await platform.whatsapp("messages", {"text": "hello"})
            found = await api.until(lambda found: not found["why"], f"{path}/explain")
            assert "last accepted 20" in found["detail"]
            assert "last_error" not in await api.data("GET", f"{path}/auth")
            metrics = (await api.http.get("/metrics")).text
            assert "unifyport_account_ingress_last_accepted_timestamp_seconds{" in metrics
            assert "unifyport_account_ingress_last_refused_timestamp_seconds{" in metrics


async def test_a_network_failure_names_host_and_cause(tmp_path: Path) -> None:
    closed = free_port()
    more = account() + QUICK + f'[providers.telegram]\nbot_api_url = "http://127.0.0.1:{closed}"\n'
    async with gateway(settings_of(tmp_path, more)) as api:
        [bot] = await api.data("GET", "/v1/accounts")
        path = f"/v1/accounts/{bot['id']}/explain"
        found = await api.until(lambda found: found["why"] == "connect_error", path)
        assert found["detail"] == "127.0.0.1: connection refused"
        await api.until(lambda found: found["runtime_status"] == "reconnecting", path)


async def test_changes_of_an_endpoint_are_one_line_each(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    status = 500
    async with sandbox() as platform, receiver(lambda _: status) as inbox:
        more = account() + endpoint(inbox.url, name="crm") + platform.sandbox.config()
        more += '[webhooks]\ndelivery = { breaker = { initial = "100ms", max = "100ms" } }\n'
        with caplog.at_level(logging.INFO, "unifyport.delivery"):
            async with gateway(settings_of(tmp_path, more)) as api:
                for each in range(6):
                    await platform.write("hello", each + 1)
                [crm] = await api.data("GET", "/v1/webhook-endpoints")
                path = f"/v1/webhook-endpoints/{crm['id']}"
                await api.until(lambda found: "failing_since" in found, path)
                status = 204
                await api.until(lambda found: "failing_since" not in found, path)
                status = 410
                await platform.write("gone", 9)
                await api.until(lambda found: found["status"] == "disabled", path)
        said = [record for record in caplog.records if record.getMessage().startswith("endpoint 'crm': ")]
        words = [record.getMessage().removeprefix("endpoint 'crm': ") for record in said]
        assert words.count("failing") == words.count("recovered") == 1
        assert [word for word in words if word.startswith("breaker")][:2] == [
            "breaker open",
            "breaker closed",
        ]
        assert words[-1] == "disabled (gone)"
        assert f"unifyport webhooks resume {crm['id']}" in said[-1].__dict__["action"]
        assert said[-1].__dict__["reason"] == "http_410"
