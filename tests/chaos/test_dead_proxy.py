"""F15: a crowd behind a proxy that is dead holds up no other account:
who loses a good link is back within its own policy.
"""

import os
import socket
from pathlib import Path

import pytest
import trio

from tests.harness import account, gateway, sandbox, settings_of, write_config

pytestmark = pytest.mark.chaos

CROWD = 1000 if os.environ.get("CHAOS") == "full" else 60
POLICY = """
[supervision.policies.default]
backoff = { initial = "500ms", max = "5s" }
stable_after = "500ms"
max_concurrent_starts = 4
start_rate = "100/s"
"""
LOSSES, LIMIT = 3, 2.0  # seconds: a back-off of at most 0.6, and the login


async def test_a_crowd_behind_a_dead_proxy_holds_up_nobody(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as dead:  # takes connections, and never answers
        proxy = f'proxy = {{ type = "http", host = "127.0.0.1", port = {dead.getsockname()[1]} }}\n'
        async with sandbox() as platform:
            crowd = "".join(account(f"behind {n}", f"{n}:token") + proxy for n in range(1, CROWD + 1))
            security = 'proxy_allow = ["127.0.0.1/32"]'
            own = account() + platform.sandbox.config() + POLICY
            async with gateway(settings_of(tmp_path, own, security=security)) as api:
                [healthy] = await api.data("GET", "/v1/accounts")
                path = f"/v1/accounts/{healthy['id']}/runtime"
                await api.until(lambda r: r["phase"] == "running", path, 30)
                write_config(tmp_path, more=own + crowd, security=security)
                await api.data("POST", "/v1/reload")

                async def came_back(times: int) -> None:
                    again = ("running", times + 1)
                    await api.until(lambda r: (r["phase"], r["incarnations"]) == again, path, 10)

                for lost in range(1, LOSSES + 1):
                    await trio.sleep(0.6)  # real time, until it counts as stable
                    await platform.post("faults", {"kind": "disconnect", "method": "getUpdates", "count": 1})
                    await platform.write(f"ends poll {lost}", 7)
                    began = trio.current_time()
                    await came_back(lost)
                    assert trio.current_time() - began < LIMIT
                services = (await api.data("GET", "/v1/supervisors"))[2]["children"]
                [counts] = [child["counts"] for child in services if child["id"] == "accounts"]
                assert counts["running"] == 1
                assert counts.get("starting", 0) + counts.get("waiting", 0) > CROWD / 2  # and they still hang
