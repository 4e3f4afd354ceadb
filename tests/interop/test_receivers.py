"""The receivers of docs/receivers.md, each in its language: they take what is ours, refuse what is not, and
go on after any of it.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.harness import SECRET, account, endpoint, gateway, sandbox, settings_of
from unifyport.delivery.signing import sign

from . import peers

pytestmark = pytest.mark.interop

PAGE = (Path(__file__).parents[2] / "docs" / "receivers.md").read_text()
BODY = b'{"id": "evt_1", "type": "message.received"}'
NOW = "now"
# Headers of a request; a value of `NOW` is the time, and of None a good signature.
REFUSED: dict[str, dict[str, str | bytes | None]] = {
    "nothing": {},
    "no timestamp": {"X-Device-Signature": "0" * 64},
    "no signature": {"X-Device-Timestamp": NOW},
    "an empty signature": {"X-Device-Timestamp": NOW, "X-Device-Signature": ""},
    "a wrong signature": {"X-Device-Timestamp": NOW, "X-Device-Signature": "0" * 64},
    "a short signature": {"X-Device-Timestamp": NOW, "X-Device-Signature": "0f"},
    "no hexadecimal": {"X-Device-Timestamp": NOW, "X-Device-Signature": "x" * 64},
    "not ASCII": {"X-Device-Timestamp": NOW, "X-Device-Signature": "é".encode() * 32},
    "no time": {"X-Device-Timestamp": "yesterday", "X-Device-Signature": None},
    "a time before all times": {"X-Device-Timestamp": "0001-01-01T00:00:00", "X-Device-Signature": None},
    "an empty time": {"X-Device-Timestamp": "", "X-Device-Signature": None},
    "no time at all, not ASCII": {"X-Device-Timestamp": "é".encode(), "X-Device-Signature": "0" * 64},
    "long ago": {"X-Device-Timestamp": "2020-01-01T00:00:00Z", "X-Device-Signature": None},
    "in the far future": {"X-Device-Timestamp": "2120-01-01T00:00:00Z", "X-Device-Signature": None},
}


def python(directory: Path) -> list[str]:
    (directory / "receiver.py").write_text(_code("python"))
    return [sys.executable, str(directory / "receiver.py")]


def node(directory: Path) -> list[str]:
    (directory / "receiver.mjs").write_text(_code("js"))
    return [peers.node_program(), str(directory / "receiver.mjs")]


def go(directory: Path) -> list[str]:
    program = peers.go()
    (directory / "receiver.go").write_text(_code("go"))
    build = [program, "build", "-o", "receiver", "receiver.go"]
    done = subprocess.run(build, cwd=directory, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return [str(directory / "receiver")]


@pytest.mark.parametrize("language", [python, node, go])
async def test_a_receiver(tmp_path: Path, language: Callable[[Path], list[str]]) -> None:
    command = ["env", "PORT=0", f"SECRET={SECRET}", *language(tmp_path)]
    async with peers.Peer(*command) as receiver, sandbox() as platform:
        url = f"http://127.0.0.1:{(await receiver.line())['port']}/hook"
        await _refuses(url)
        more = account() + endpoint(url, events='["message.received"]') + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            [hook] = await api.data("GET", "/v1/webhook-endpoints")
            tested = await api.data("POST", f"/v1/webhook-endpoints/{hook['id']}/test")
            assert tested["verdict"] == "good", tested
            assert (await receiver.line())[
                "type"
            ] == "gateway.endpoint.test"  # once, although it was repeated
            await platform.write("hello", 7)
            assert (await receiver.line())["type"] == "message.received"


async def _refuses(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answers = {
            name: (await client.post(url, content=BODY, headers=_headers(given))).status_code
            for name, given in REFUSED.items()
        }
        assert answers == dict.fromkeys(REFUSED, 401)
        too_long = await client.post(url, content=b"x" * (1024 * 1024 + 1))
        assert too_long.status_code == 413


def _headers(given: dict[str, str | bytes | None]) -> list[tuple[bytes, bytes]]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    at = given.get("X-Device-Timestamp")
    found = []
    for name, value in given.items():
        known = sign(SECRET, str(at), BODY) if value is None else now if value == NOW else value
        found.append((name.encode(), known.encode() if isinstance(known, str) else known))
    return found


def _code(language: str) -> str:
    [code] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    return str(code)
