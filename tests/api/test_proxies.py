"""A proxy that is configured and down: nobody goes round it, whatever is asked.

The platform's log of connections proves it.
"""

from pathlib import Path

import pytest
import trio

from tests.harness import TOKEN, gateway, sandbox, settings_of

HOWEVER = ["proxy", "proxy_config", "provider_data.proxy_config", "as text"]


@pytest.mark.parametrize("kind", ["http", "https", "socks5"])
async def test_nothing_is_done_without_it(tmp_path: Path, kind: str) -> None:
    async with sandbox() as platform:
        permitted = 'proxy_allow = ["127.0.0.1/32"]'
        async with gateway(settings_of(tmp_path, platform.sandbox.config(), security=permitted)) as api:
            body = {"provider": "telegram", "provider_data": {"token": TOKEN}}
            account = await api.data("POST", "/v1/accounts", body)
            path = f"/v1/accounts/{account['id']}"
            await api.until(lambda a: a["runtime_status"] == "running", path)
            await platform.write("hello", 7)
            down = {"proxy": {"type": kind, "host": "127.0.0.1", "port": 1}}
            await api.data("PATCH", path, down)
            await api.until(lambda a: a["runtime_status"] == "reconnecting", path)
            connections = platform.telegram.connections
            seen = len(connections)
            for verb in ("reconnect", "start", "refresh"):
                await api("POST", f"{path}/runtime/{verb}")
            send = {"account_id": account["id"], "to": {"id": "7", "type": "user"}}
            with trio.move_on_after(1):
                await api("POST", "/v1/messages", {**send, "message": {"type": "text", "text": "x"}})
            await api("POST", f"{path}/auth/cancel")
            await api("POST", f"{path}/auth/start")
            await api.until(lambda r: r["recent_failures"], f"{path}/runtime")
            await api("DELETE", path)
            assert len(connections) == seen


@pytest.mark.parametrize("how", HOWEVER)
async def test_every_place_that_names_it_means_the_same(tmp_path: Path, how: str) -> None:
    proxy = {"type": "socks5", "host": "127.0.0.1", "port": 1, "username": "u", "password": "secret-of-proxy"}
    async with sandbox() as platform:
        permitted = 'proxy_allow = ["127.0.0.1/32"]'
        async with gateway(settings_of(tmp_path, platform.sandbox.config(), security=permitted)) as api:
            body: dict[str, object] = {"provider": "telegram", "provider_data": {"token": TOKEN}}
            match how:
                case "provider_data.proxy_config":
                    body["provider_data"] = {"token": TOKEN, "proxy_config": proxy}
                case "as text":
                    body["proxy_config"] = (
                        '{"proxy_type": "socks5", "host": "127.0.0.1", "port": 1, "user": "u"}'
                    )
                case _:
                    body[how] = proxy
            account = await api.data("POST", "/v1/accounts", body)
            assert account["proxy"] == account["proxy_config"]
            assert (account["proxy"]["type"], account["proxy"]["port"]) == ("socks5", 1)
            assert "secret-of-proxy" not in str(account)
            await api.until(lambda r: r["recent_failures"], f"/v1/accounts/{account['id']}/runtime")
            assert list(platform.telegram.connections) == []
