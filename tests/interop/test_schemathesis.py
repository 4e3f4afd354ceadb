"""schemathesis against our own OpenAPI document, with every check on: no undeclared 5xx, no status, no field
that it does not say. `schemathesis/schemathesis.toml` is its configuration, `hooks.py` the answers that are
none of its business.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
import trio

from tests.harness import (
    KEY,
    Client,
    Platform,
    account,
    endpoint,
    free_port,
    gateway,
    public,
    receiver,
    sandbox,
    settings_of,
)
from tests.reference.platform import PHONE, ReferencePlatform
from tests.reference.serving import REGISTRY, declared, reference_platform
from unifyport.api.app import ROUTES
from unifyport.net.guard import Address
from unifyport.server import Parts

from . import peers

pytestmark = pytest.mark.interop

HERE = Path(__file__).with_name("schemathesis")


async def resolve_nothing(host: str) -> Sequence[Address]:
    """No name has an address: all traffic stays on loopback."""
    await trio.lowlevel.checkpoint()
    return []


# Stateful is for what can be made and deleted: over everything it would hardly meet the same thing twice.
RUNS = {
    "each by itself": ["--phases", "examples,coverage,fuzzing"],
    "stateful": ["--phases", "stateful"]
    + [f"--include-tag={tag}" for tag in ("Webhook Endpoints", "Deliveries", "API Keys")],
}


@pytest.mark.parametrize("run", RUNS)
async def test_the_document_and_the_server_say_the_same(
    tmp_path: Path, run: str, caplog: pytest.LogCaptureFixture
) -> None:
    python = peers.python(HERE / "requirements.in")
    for name in ("schemathesis.toml", "hooks.py"):
        shutil.copy(HERE / name, tmp_path)
    async with sandbox(REGISTRY) as platform, receiver() as inbox, reference_platform() as everything:
        more = account() + platform.sandbox.config() + declared(everything) + endpoint(inbox.url)
        settings = settings_of(tmp_path, more, registry=REGISTRY, **public(free_port()))
        channels = list(REGISTRY.channels.values())
        async with gateway(settings, channels, Parts(new_resolver=lambda: resolve_nothing)) as api:
            given = await _given(api, platform, everything.platform)
            url = str(api.http.base_url).rstrip("/")
            command = [str(python.with_name("schemathesis")), "--no-color", "run", f"{url}/openapi.json"]
            command += ["-H", f"X-Api-Key: {KEY}", "--checks", "all", *RUNS[run]]
            done = await trio.run_process(
                [*command, "--report", "json", "--report-json-path", "report.json"],
                cwd=tmp_path,
                env=peers.environment() | given | ({"WITHOUT_REQUEST_ID": "1"} if run == "stateful" else {}),
                capture_stdout=True,
                stderr=subprocess.STDOUT,
                check=False,
            )
            assert done.returncode == 0, done.stdout.decode()[-20_000:]
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["complete"]
    operations = report["operations"]
    assert operations["errored"] == 0
    assert run == "stateful" or operations["tested"] == operations["total"] == len(ROUTES)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def _given(api: Client, platform: Platform, reference: ReferencePlatform) -> dict[str, str]:
    """Ids of what there is, for the configuration."""
    found = await api.until(lambda all_: all(a["runtime_status"] == "running" for a in all_), "/v1/accounts")
    ids = {each["name"]: each["id"] for each in found}

    async def made(name: str, **body: object) -> str:
        return str((await api.data("POST", "/v1/accounts", {"name": name, **body}))["id"])

    line = {"provider": "line", "region": "global"}
    text = {"type": "text", "text": "hello"}
    message = {"account_id": ids["everything"], "to": {"id": "chat-1", "type": "user"}, "message": text}
    sent = await api.data("POST", "/v1/messages", message)
    await platform.write("hello", 7)
    reference.write("hello")
    [hook] = await api.data("GET", "/v1/webhook-endpoints")
    path = f"/v1/webhook-endpoints/{hook['id']}/deliveries?status=delivered"
    delivered = await api.until(lambda page: len(page["items"]) >= 2, path)
    return {
        "EVERYTHING": ids["everything"],
        "BOT": ids["bot"],
        "MADE": await made("made", provider="telegram", provider_data={"token": "7777:made"}),
        "GONE": await made("gone", provider="telegram", provider_data={"token": "8888:gone"}),
        "BY_QR": await made("qr", **line, auth_mode="qrcode"),
        "BY_CODE": await made("code", **line, auth_mode="code", provider_data={"phone": PHONE}),
        "BY_SESSION": await made("session", **line, auth_mode="session"),
        "DELIVERY": delivered["items"][0]["id"],
        "COMMAND": sent["command_id"],
    }
