"""UnifyPort as a subject, by its ordinary command line and configuration file; of any checkout."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
import httpx

from unifyport.storage.sealing import KeyRing

from .process import ROOT, PeerFailed, Process, free_port, started
from .rig import Rig
from .subject import Setup, Subject
from .traffic import APP_SECRET, SIGNING_SECRET, Door, bot_token, customer, phone_number_id, text_of
from .wire import post

KEY = "bench_key_" + "k" * 32
SECRET_TOKEN = "x-telegram-bot-api-secret-token"
READY_SECONDS = 300.0
_PAUSE = 0.05
_PACE_OFF = 'pace = {{ account = "off", user = "off" }}'
_CONFIG = f"""
[server]
bind = "127.0.0.1:{{port}}"
public_url = "http://127.0.0.1:{{port}}"
[security]
master_key = {{{{ file = "master.key" }}}}
webhook_allow = ["127.0.0.0/8"]
[[api_keys]]
name = "bench"
key = "{KEY}"
[[webhook_endpoints]]
name = "sink"
url = "{{hook}}"
subscribed_events = ["message.received"]
signing_secret = "{SIGNING_SECRET}"
[providers.whatsapp]
graph_api_url = "{{platforms}}"
media_url = "{{platforms}}"
{{whatsapp}}{_PACE_OFF}
[providers.telegram]
bot_api_url = "{{platforms}}"
{_PACE_OFF}
"""


def whatsapp_account(number: int) -> str:
    phone = phone_number_id(number)
    return (
        f'[[accounts]]\nname = "whatsapp-{number}"\nprovider = "whatsapp"\n[accounts.credentials]\n'
        f'access_token = "token-{phone}"\nphone_number_id = "{phone}"\n'
        f'app_secret = "{APP_SECRET}"\nverify_token = "verify"\n'
    )


def telegram_account(number: int, receive: str = "webhook") -> str:
    return (
        f'[[accounts]]\nname = "telegram-{number}"\nprovider = "telegram"\nreceive = "{receive}"\n'
        f'[accounts.credentials]\ntoken = "{bot_token(number)}"\n'
    )


def config_of(rig: Rig, port: int, setup: Setup) -> str:
    accounts = [whatsapp_account(number) for number in range(setup.whatsapp)]
    accounts += [telegram_account(number, setup.receive) for number in range(setup.telegram)]
    text = _CONFIG.format(port=port, hook=rig.hook, platforms=rig.platforms.url, whatsapp=setup.whatsapp_more)
    return "\n".join([text, setup.more, *accounts])


@attrs.define
class Gateway(Subject):
    """A running gateway, and its API."""

    def http(self, method: str, path: str, body: Any = None) -> httpx.Response:
        url, headers = f"http://127.0.0.1:{self.port}{path}", {"x-api-key": KEY}
        with httpx.Client(trust_env=False, timeout=30, headers=headers) as client:
            return client.request(method, url, json=body)

    def data(self, method: str, path: str, body: Any = None) -> Any:
        response = self.http(method, path, body)
        if response.is_error:
            raise PeerFailed(f"{method} {path}: HTTP {response.status_code}: {response.text[:300]}")
        return response.json()["data"]

    def running(self, channel: str) -> int:
        """How many accounts of a channel are online."""
        pattern = rf'^unifyport_accounts{{channel="{channel}",runtime_status="running"}} (\S+)$'
        match = re.search(pattern, self.http("GET", "/metrics").text, re.MULTILINE)
        return int(float(match[1])) if match else 0

    def until_running(self, **counts: int) -> None:
        """Wait until so many accounts of each channel are online."""
        deadline = time.monotonic() + READY_SECONDS
        while True:
            self.process.check()
            with contextlib.suppress(httpx.TransportError):
                if all(self.running(channel) >= count for channel, count in counts.items()):
                    return
            if time.monotonic() > deadline:
                raise PeerFailed(f"its accounts are not online: {self.process.said()}")
            time.sleep(_PAUSE)

    def ids(self) -> dict[str, str]:
        """Ids of the first accounts, by name."""
        return {each["name"]: each["id"] for each in self.data("GET", "/v1/accounts?limit=200")}


def python_of(checkout: Path) -> tuple[list[str], dict[str, str]]:
    """The command of a checkout's Python, and the environment in which it imports the checkout."""
    own = checkout / ".venv" / "bin" / "python"
    command = str(own) if own.exists() else sys.executable
    return [command, "-m"], {"PYTHONPATH": str(checkout)}


@contextlib.contextmanager
def gateway(rig: Rig, where: Path, setup: Setup, *module: str) -> Iterator[Gateway]:
    """A gateway whose accounts are online. A directory that was used before keeps its database.

    `module`: what is run in place of the command line; it gets `-c CONFIG`.
    """
    port = free_port()
    key, config = where / "master.key", where / "unifyport.toml"
    if not key.exists():
        key.write_text(KeyRing.new_key())
        key.chmod(0o600)
    config.write_text(config_of(rig, port, setup))
    checkout = setup.gateway or ROOT
    python, environment = python_of(checkout)
    if setup.gateway is not None:
        _fit(config, [*python, "unifyport", "config", "check", "-c", str(config)], environment)
    command = [*python, *(module or ("unifyport", "serve")), "-c", str(config)]
    rig.platforms.doors.clear()  # a webhook of the subject before would be another program's
    with started(command, where, cwd=checkout, environment=environment) as process:
        subject = _subject(process, port)
        subject.until_running(whatsapp=setup.whatsapp, telegram=setup.telegram)
        subject.doors.update(_doors(rig, subject.ids()))
        yield subject


def _fit(config: Path, check: list[str], environment: dict[str, str]) -> None:
    """Leave the pace out of the file if the check refuses it: old versions do not know the option."""
    done = subprocess.run(
        check,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        cwd=config.parent,
    )
    if "pace: unknown key" in done.stdout + done.stderr:
        config.write_text(config.read_text().replace(_PACE_OFF.format(), ""))


def _subject(process: Process, port: int) -> Gateway:
    ids: dict[str, str] = {}

    def send(channel: str, number: int) -> bytes:
        if not ids:
            ids.update(subject.ids())
        body = {
            "account_id": ids[f"{channel}-0"],
            "to": {"id": str(customer(number)), "type": "user"},
            "message": {"type": "text", "text": text_of(number)},
        }
        return post("/v1/messages", json.dumps(body).encode(), {"x-api-key": KEY})

    subject = Gateway(process, port, {}, send)
    return subject


def _doors(rig: Rig, ids: dict[str, str]) -> dict[str, Door]:
    found = {}
    if "whatsapp-0" in ids:
        found["whatsapp"] = Door(f"/ingress/whatsapp/{ids['whatsapp-0']}")
    if bot := rig.platforms.doors.get(bot_token().partition(":")[0]):
        url, secret = bot
        found["telegram"] = Door(urlsplit(url).path, {SECRET_TOKEN: secret})
    return found
