"""The command line as people type it: real processes, real exit codes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness import Process, account, endpoint, free_port, receiver, sandbox, write_config
from unifyport.storage.sealing import KeyRing


def unifyport(
    *arguments: str, cwd: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "unifyport", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **(env or {})},
    )


def test_init_keys_and_config_check(tmp_path: Path) -> None:
    made = unifyport("init", "--json", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["api_key"].startswith("dk_live_")
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    assert unifyport("init", cwd=tmp_path).returncode == 1  # changes nothing
    assert unifyport("config", "check", cwd=tmp_path).returncode == 0
    created = json.loads(unifyport("keys", "create", "crm", "--json", cwd=tmp_path).stdout)
    listed = json.loads(unifyport("keys", "list", "--json", cwd=tmp_path).stdout)
    assert [key["name"] for key in listed] == ["first", "crm"]
    assert "api_key" not in listed[0]
    rotated = json.loads(unifyport("keys", "rotate", created["id"], "--json", cwd=tmp_path).stdout)
    assert rotated["api_key"] != created["api_key"]
    assert unifyport("keys", "disable", created["id"], cwd=tmp_path).returncode == 0
    assert json.loads(unifyport("keys", "list", "--json", cwd=tmp_path).stdout)[1]["status"] == "inactive"
    assert unifyport("keys", "disable", "ak_none", cwd=tmp_path).returncode == 1


def test_a_key_is_known_by_its_name(tmp_path: Path) -> None:
    write_config(tmp_path)
    made = [
        json.loads(unifyport("keys", "create", name, "--json", cwd=tmp_path).stdout)
        for name in ("crm", "twin", "twin")
    ]
    for command, status in (("disable", "inactive"), ("enable", "active"), ("rotate", "active")):
        changed = json.loads(unifyport("keys", command, "crm", "--json", cwd=tmp_path).stdout)
        assert (changed["id"], changed["status"]) == (made[0]["id"], status)
    several = unifyport("keys", "disable", "twin", cwd=tmp_path)
    assert several.returncode == 1
    assert all(each["id"] in several.stderr for each in made[1:])
    assert unifyport("keys", "disable", made[1]["id"], cwd=tmp_path).returncode == 0
    unknown = unifyport("keys", "disable", "nothing", cwd=tmp_path)
    assert (unknown.returncode, "no keys are called 'nothing'" in unknown.stderr) == (1, True)


def test_another_master_key_is_explained(tmp_path: Path) -> None:
    assert unifyport("init", cwd=tmp_path).returncode == 0
    (tmp_path / "master.key").write_text(KeyRing.new_key())
    for command in (("serve",), ("keys", "list")):
        done = unifyport(*command, cwd=tmp_path)
        assert done.returncode == 1
        assert "security.master_key does not open this database" in done.stderr
        assert "restore the key that sealed it; a key that was rotated stays in the list" in done.stderr
        assert "Traceback" not in done.stderr


WRONG = [
    'unifyport.toml:3 server.bind: must be HOST:PORT, got "nowhere"',
    "unifyport.toml:4 server.color: unknown key",
    "unifyport.toml:6 security.master_key: environment variable NOT_SET is not set",
    'unifyport.toml:9 accounts "a".provider: must be one of',
    'unifyport.toml:14 webhook_endpoints "w".retry_policy.max_attempts: must be',
    'unifyport.toml:18 accounts "b".credentials.token: environment variable NOT_SET_EITHER is not set',
    'unifyport.toml:19 accounts "b".receive: a webhook needs server.public_url',
    'unifyport.toml:20 accounts "b".proxy.type: must be one of',
    "unifyport.toml:22 storage.event_retention: expected a duration",
    "unifyport.toml:23 storage.url: must be sqlite:///PATH",
    "unifyport.toml:25 media.max_file: must be a size",
    "unifyport.toml:26 media.link_lifetime: must be at least a minute",
    "unifyport.toml:28 logging.level: must be one of",
    "unifyport.toml:29 logging.requests: must be true or false",
    "unifyport.toml:31 supervision.policies.default.on_exhausted: must be one of",
    "unifyport.toml:32 colours: unknown key",
]


def test_a_wrong_file_lists_every_problem_and_exits_2(tmp_path: Path) -> None:
    (tmp_path / "unifyport.toml").write_text(
        """
[server]
bind = "nowhere"
color = "red"
[security]
master_key = { env = "NOT_SET" }
[[accounts]]
name = "a"
provider = "telegarm"
credentials = {}
[[webhook_endpoints]]
name = "w"
url = "https://x.example"
retry_policy = { max_attempts = -1 }
[[accounts]]
name = "b"
provider = "telegram"
credentials = { token = { env = "NOT_SET_EITHER" } }
receive = "webhook"
proxy = { type = "pigeon", host = "x", port = 1 }
[storage]
event_retention = "soon"
url = "postgres://x"
[media]
max_file = "big"
link_lifetime = "0s"
[logging]
level = "loud"
requests = "yes"
[supervision.policies.default]
on_exhausted = "explode"
[colours]
red = 1
"""
    )
    for command in (("config", "check"), ("serve",)):
        done = unifyport(*command, cwd=tmp_path)
        assert done.returncode == 2
        for part in WRONG:
            assert part in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.count("error:") == len(WRONG)
    told = json.loads(unifyport("config", "check", "--json", cwd=tmp_path).stdout)
    assert not told["ok"]
    assert len(told["problems"]) == len(WRONG)
    (tmp_path / "unifyport.toml").write_text("[server\n")
    assert "unifyport.toml:1: Expected ']'" in unifyport("config", "check", cwd=tmp_path).stderr
    assert unifyport("serve", "-c", "missing.toml", cwd=tmp_path).returncode == 2
    assert unifyport("nonsense", cwd=tmp_path).returncode == 2


async def test_serve_status_send_and_a_second_serve(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        port = free_port()
        more = account() + account("[red] shop", "77:token") + endpoint(inbox.url) + platform.sandbox.config()
        process = Process(write_config(tmp_path, port=port, more=more), port)
        await process.start()
        try:
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)
            await platform.write("hello", 7)
            await inbox.until(lambda: bool(inbox.of("message.received")))

            async def command(*arguments: str) -> subprocess.CompletedProcess[str]:
                import trio

                return await trio.to_thread.run_sync(lambda: unifyport(*arguments, cwd=tmp_path))

            found = json.loads((await command("status", "--json")).stdout)  # by the owner's socket
            shown, _ = found["accounts"]
            assert (found["ready"], found["problems"], found["counts"]) == (True, 0, {"running": 2})
            assert (shown["name"], shown["runtime_status"], shown["auth_status"]) == (
                "bot",
                "running",
                "authorized",
            )
            table = (await command("status")).stdout  # whole words where nobody's terminal limits them
            assert all(re.search(rf"\b{words}", table) for words in ("authorized", shown["id"], "next try"))
            assert "[red] shop" in table
            tree = (await command("status", "--tree")).stdout
            assert re.search(
                r"rest_for_one.*storage running.*accounts running.*acct_\w+ running", tree, re.DOTALL
            )
            assert json.loads((await command("status", "--tree", "--json")).stdout)[0]["id"] == "storage"
            sent = await command("send", "bot", "7", "hi there", "--json")
            assert sent.returncode == 0, sent.stderr
            assert [m["text"] for m in await platform.sent()] == ["hi there"]
            assert (await command("send", "nobody", "7", "hi")).returncode == 1
            assert (tmp_path / "unifyport.db.sock").stat().st_mode & 0o777 == 0o600
            second = await command("serve")
            assert second.returncode == 1
            assert "owns this database" in second.stderr
            wrong = await command("status", "--url", f"http://127.0.0.1:{port}", "--api-key", "wrong")
            assert (wrong.returncode, "invalid_api_key" in wrong.stderr) == (1, True)
            assert await process.stop() == 0
            log = process.log.read_text()
            assert "sandbox-token" not in log
            assert (await command("status")).returncode == 1
        finally:
            await process.kill()


def test_a_taken_port_is_a_clear_error(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        write_config(tmp_path, port=taken.getsockname()[1])
        done = unifyport("serve", cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot listen" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_sandbox_listens_on_loopback_only(tmp_path: Path) -> None:
    done = unifyport("sandbox", "--host", "0.0.0.0", "--port", "0", cwd=tmp_path)
    assert done.returncode == 2
    assert "loopback" in done.stderr


@pytest.mark.chaos
def test_demo_once(tmp_path: Path) -> None:
    done = unifyport("demo", "--once", "--port", str(free_port()), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verified" in done.stdout
    assert done.stdout.count("signature valid") >= 4
