"""`unifyport keys` while a server runs: through its control socket, and past it."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.cli.test_commands import unifyport
from tests.harness import KEY, Client, Process, free_port, gateway, settings_of, write_config
from unifyport.model.times import rfc3339
from unifyport.process.clock import Clock, wall_clock_ms
from unifyport.server import Parts


@attrs.frozen
class Running:
    """A server in a process of its own, and commands beside it."""

    directory: Path
    process: Process

    async def keys(self, *arguments: str, code: int = 0) -> Any:
        done = await trio.to_thread.run_sync(
            lambda: unifyport("keys", *arguments, "--json", cwd=self.directory)
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if not code else done.stderr

    async def admits(self, secret: str) -> bool:
        url = str(self.process.client.http.base_url)
        status = (await Client(url, secret)("GET", "/v1/workspace")).status_code
        assert status in (200, 401)
        return status == 200


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    port = free_port()
    process = Process(write_config(tmp_path, port=port), port)
    await process.start()
    try:
        yield Running(tmp_path, process)
    finally:
        await process.kill()


async def test_the_server_that_runs_knows_a_change_at_once(running: Running) -> None:
    made = await running.keys("create", "crm")
    assert (set(made), made["origin"]) == (
        {"id", "name", "key_prefix", "status", "origin", "api_key"},
        "api",
    )
    assert await running.admits(made["api_key"])
    rotated = await running.keys("rotate", "crm")
    assert rotated["id"] == made["id"]
    assert not await running.admits(made["api_key"])
    assert await running.admits(rotated["api_key"])
    assert (await running.keys("disable", "crm"))["status"] == "inactive"
    assert not await running.admits(rotated["api_key"])
    assert (await running.keys("enable", made["id"]))["status"] == "active"
    assert await running.admits(rotated["api_key"])
    assert [key["name"] for key in await running.keys("list")] == ["test", "crm"]
    assert "declared in the configuration file" in await running.keys("disable", "test", code=1)
    assert "no keys are called" in await running.keys("disable", "nothing", code=1)


async def test_the_owner_can_disable_the_last_key(running: Running) -> None:
    made = await running.keys("create", "crm")
    write_config(running.directory, port=running.process.port)
    config = running.directory / "unifyport.toml"
    config.write_text(config.read_text().replace(f'[[api_keys]]\nname = "test"\nkey = "{KEY}"', ""))
    reload = await trio.to_thread.run_sync(lambda: unifyport("reload", cwd=running.directory))
    assert reload.returncode == 0, reload.stderr
    assert not await running.admits(KEY)
    client = Client(str(running.process.client.http.base_url), made["api_key"])
    refused = await client("PATCH", f"/v1/api-keys/{made['id']}", {"status": "inactive"})
    assert refused.status_code == 400
    await running.keys("disable", "crm")
    assert not await running.admits(made["api_key"])


async def test_a_change_past_the_server_is_known_within_a_second(running: Running) -> None:
    """Without its control socket the server is told nothing: the change is written to the database."""
    made = await running.keys("create", "crm")
    (running.directory / "unifyport.db.sock").unlink()
    assert await running.admits(made["api_key"])
    await running.keys("disable", "crm")
    changed = trio.current_time()
    with trio.fail_after(10):
        while True:
            asked = trio.current_time()
            if not await running.admits(made["api_key"]):
                break
            assert asked < changed + 1.0
    await running.keys("enable", "crm")
    assert await running.admits(made["api_key"])  # what is refused is asked for again each time


def test_keys_expire_and_are_deleted_while_the_server_is_down(tmp_path: Path) -> None:
    write_config(tmp_path)
    made = json.loads(unifyport("keys", "create", "crm", "--expires", "90d", "--json", cwd=tmp_path).stdout)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", made["expires_at"])
    again = json.loads(
        unifyport("keys", "rotate", "crm", "--expires", "2098-01-01T00:00:00Z", "--json", cwd=tmp_path).stdout
    )
    assert (again["id"], again["expires_at"]) == (made["id"], "2098-01-01T00:00:00Z")
    for wrong in ("yesterday", "2001-01-01T00:00:00Z", "0s", "99999999d"):
        refused = unifyport("keys", "create", "x", "--expires", wrong, cwd=tmp_path)
        assert (refused.returncode, "Traceback" in refused.stderr) == (2, False)
    assert unifyport("keys", "delete", "crm", cwd=tmp_path).returncode == 0
    assert json.loads(unifyport("keys", "list", "--json", cwd=tmp_path).stdout) == []


@pytest.mark.parametrize("wrong", ["9999-12-31T23:59:59-01:00", "2001-01-01T00:00:00Z", "soon"])
async def test_an_expiry_that_cannot_be_is_refused_by_its_name(tmp_path: Path, wrong: str) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        made = await api.data("POST", "/v1/api-keys", {"name": "crm"})
        body = {"name": "crm", "expires_at": wrong}
        for path in ("", f"/{made['key']['id']}/rotate"):
            refused = await api("POST", f"/v1/api-keys{path}", body)
            error = refused.json()["error"]
            assert (refused.status_code, "expires_at" in error["message"]) == (400, True)
        listed = await api.data("GET", "/v1/api-keys")
        assert [key.get("expires_at") for key in listed] == [None, None]


async def test_an_expired_key_is_refused(tmp_path: Path) -> None:
    now = wall_clock_ms()
    ahead = 0
    parts = Parts(clock=Clock.without_steps(lambda: wall_clock_ms() + ahead))
    async with gateway(settings_of(tmp_path), parts=parts) as api:
        body = {"name": "short", "expires_at": rfc3339(now + 3_600_000)}
        made = await api.data("POST", "/v1/api-keys", body)
        key, key_id = made["api_key"], made["key"]["id"]
        assert made["key"]["expires_at"] == body["expires_at"]
        short = Client(str(api.http.base_url), key)
        assert (await short("GET", "/v1/workspace")).status_code == 200
        refused = await api("POST", "/v1/api-keys", {"name": "x", "expires_at": "soon"})
        assert refused.status_code == 400
        ahead = 3_601_000
        refused = await short("GET", "/v1/workspace")
        assert (refused.status_code, "has expired" in refused.text) == (401, True)
        kept = await api.data("POST", f"/v1/api-keys/{key_id}/rotate", {"name": "short"})
        assert kept["key"]["expires_at"] == body["expires_at"]
        later = {"name": "short", "expires_at": rfc3339(now + 7_200_000)}
        renewed = await api.data("POST", f"/v1/api-keys/{key_id}/rotate", later)
        again = Client(str(api.http.base_url), renewed["api_key"])
        assert (await again("GET", "/v1/workspace")).status_code == 200
        assert (await api("DELETE", f"/v1/api-keys/{key_id}")).status_code == 204
        assert (await again("GET", "/v1/workspace")).status_code == 401
        assert (await api("DELETE", f"/v1/api-keys/{key_id}")).status_code == 404
