"""One account in trouble: the others do not notice, and what is shown of it is what happened."""

import socket
from pathlib import Path
from typing import Any

from tests.harness import (
    NUMBER,
    TOKEN,
    Client,
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


async def shown(api: Client, account_id: str) -> dict[str, Any]:
    """The three dimensions of an account, as a customer reads them."""
    found = await api.data("GET", f"/v1/accounts/{account_id}")
    auth = await api.data("GET", f"/v1/accounts/{account_id}/auth")
    runtime = await api.data("POST", f"/v1/accounts/{account_id}/runtime/refresh")
    return {
        "runtime_status": found["runtime_status"],
        "auth": auth["status"],
        "last_error": auth.get("last_error"),
        "runtime_error": runtime["runtime_error"],
    }


def story(inbox: Receiver, account_id: str) -> list[tuple[str, str | None]]:
    """The events about an account: names, with the status or error that each tells of."""
    return [
        (e["type"], e["data"].get("last_error") or e["data"].get("runtime_status"))
        for e in inbox.deliveries
        if e["account_id"] == account_id and e["type"].startswith("account.")
    ]


async def send(api: Client, account_id: str, to: str) -> tuple[int, str]:
    body = {
        "account_id": account_id,
        "to": {"id": to, "type": "user"},
        "message": {"type": "text", "text": "hi"},
    }
    response = await api("POST", "/v1/messages", body)
    return response.status_code, response.json().get("error", {}).get("code", "")


async def test_a_wrong_token(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + whatsapp("bad", "222222", access_token="wrong-token")
        more += account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            await inbox.until(lambda: len(inbox.of("account.auth.required")) == 1)
            good, bad, bot = (a["id"] for a in await api.data("GET", "/v1/accounts"))
            assert await shown(api, bad) == {
                "runtime_status": "disconnected",
                "auth": "failed",
                "last_error": "invalid_credentials",
                "runtime_error": "invalid_credentials",
            }
            await inbox.until(lambda: len(story(inbox, bad)) == 4)
            assert story(inbox, bad) == [
                ("account.status.updated", "starting"),
                ("account.auth.failed", "invalid_credentials"),
                ("account.auth.required", "invalid_credentials"),
                ("account.status.updated", "disconnected"),
            ]
            for healthy in (good, bot):
                assert (await shown(api, healthy))["runtime_status"] == "running"
            await platform.connect(str(api.http.base_url).rstrip("/") + f"/ingress/whatsapp/{good}")
            await platform.whatsapp("messages", {"text": "hello"})
            await platform.write("hello")
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            assert await send(api, good, "6590000001") == (200, "")
            assert await send(api, bad, "6590000001") == (409, "account_binding_not_found")
            assert (await api("POST", f"/v1/accounts/{bad}/runtime/start")).status_code == 409


async def test_a_token_that_is_revoked_while_it_is_used(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = whatsapp() + whatsapp("other", "222222") + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            victim, other = await api.data("GET", "/v1/accounts")
            await platform.connect(victim["ingress_url"], NUMBER, "222222")
            await platform.whatsapp("messages", {"to": NUMBER, "text": "hello"})
            await platform.whatsapp("messages", {"to": "222222", "text": "hello"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 2)
            await platform.whatsapp("faults", {"kind": "logout"})
            status, code = await send(api, victim["id"], "6590000001")
            assert (status, code) == (409, "account_binding_not_found")  # provably not sent
            await inbox.until(lambda: len(inbox.of("account.auth.required")) == 1)
            assert await shown(api, victim["id"]) == {
                "runtime_status": "disconnected",
                "auth": "failed",
                "last_error": "invalid_credentials",
                "runtime_error": "invalid_credentials",
            }
            await inbox.until(lambda: story(inbox, victim["id"])[-1][1] == "disconnected")
            assert story(inbox, victim["id"])[-3:] == [
                ("account.auth.failed", "invalid_credentials"),
                ("account.auth.required", "invalid_credentials"),
                ("account.status.updated", "disconnected"),
            ]
            assert (await shown(api, other["id"]))["runtime_status"] == "running"
            assert await send(api, other["id"], "6590000001") == (200, "")
            # its customers still write, and the platform still says so
            await platform.whatsapp("messages", {"to": NUMBER, "text": "are you there?"})
            await inbox.until(lambda: len(inbox.of("message.received")) == 3)
            # a human mends it
            await platform.http.delete("/sandbox/whatsapp/faults")
            await api.data("POST", f"/v1/accounts/{victim['id']}/auth/start")
            await inbox.until(lambda: len(inbox.of("account.started")) == 3)
            assert await shown(api, victim["id"]) == {
                "runtime_status": "running",
                "auth": "authorized",
                "last_error": None,
                "runtime_error": "",
            }


async def test_a_platform_that_is_dead(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        port = closed.getsockname()[1]
        async with sandbox() as platform, receiver() as inbox:
            more = whatsapp() + account() + endpoint(inbox.url)
            more += "\n".join(
                line for line in platform.sandbox.config().splitlines() if "bot_api_url" not in line
            )
            more = more.replace(
                "[providers.telegram]", f'[providers.telegram]\nbot_api_url = "http://127.0.0.1:{port}"'
            )
            async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
                await inbox.until(lambda: len(inbox.of("account.started")) == 1)
                good, dead = await api.data("GET", "/v1/accounts")
                await inbox.until(lambda: len(story(inbox, dead["id"])) == 2)
                assert await shown(api, dead["id"]) == {
                    "runtime_status": "reconnecting",
                    "auth": "pending_auth",
                    "last_error": None,
                    "runtime_error": "connect_error",
                }
                assert story(inbox, dead["id"]) == [
                    ("account.status.updated", "starting"),
                    ("account.status.updated", "reconnecting"),
                ]
                await platform.connect(good["ingress_url"])
                await platform.whatsapp("messages", {"text": "hello"})
                await inbox.until(lambda: len(inbox.of("message.received")) == 1)
                assert await send(api, good["id"], "6590000001") == (200, "")
                assert (await shown(api, good["id"]))["runtime_status"] == "running"
                assert TOKEN not in str(inbox.deliveries)
