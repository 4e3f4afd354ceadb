"""Accounts behind proxies that this project did not write: all traffic goes through them, with passwords."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import TOKEN, free_port, gateway, sandbox, settings_of

from . import peers

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("kind", ["http", "socks5"])
async def test_an_account_behind_a_proxy(tmp_path: Path, kind: str) -> None:
    port = free_port()
    command = ("-u", "-m", "pproxy", "-v", "-l", f"{kind}://127.0.0.1:{port}#tester:pass-word")
    async with sandbox() as platform, peers.Peer(str(peers.python()), *command) as proxy:
        assert "Serving on" in await proxy.text()
        settings = settings_of(tmp_path, platform.sandbox.config(), security='proxy_allow = ["127.0.0.1/32"]')
        async with gateway(settings) as api:
            body: dict[str, Any] = {
                "provider": "telegram",
                "provider_data": {"token": TOKEN},
                "proxy": {
                    "type": kind,
                    "host": "127.0.0.1",
                    "port": port,
                    "username": "tester",
                    "password": "wrong",
                },
            }
            made = await api.data("POST", "/v1/accounts", body)
            path = f"/v1/accounts/{made['id']}"
            await api.until(lambda a: a["runtime_status"] == "reconnecting", path)
            runtime = await api.data("POST", f"{path}/runtime/refresh")
            assert runtime["runtime_error"] == "proxy_error"
            assert list(platform.telegram.connections) == []
            body["proxy"]["password"] = "pass-word"
            await api.data("PATCH", path, {"proxy": body["proxy"]})
            await api.until(lambda a: a["runtime_status"] == "running", path)
            where = platform.sandbox.endpoints["telegram"]["bot_api_url"].removeprefix("http://")
            while where not in await proxy.text():  # it says what it passed on
                pass
