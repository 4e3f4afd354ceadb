"""What integration tests share: a gateway in this process or in its own, a sandbox, and a receiver."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import trio

from unifyport.config.settings import Settings, load
from unifyport.delivery import signing
from unifyport.providers.contract.base import Channel
from unifyport.providers.registry import Registry, standard
from unifyport.sandbox.control import Sandbox
from unifyport.sandbox.serving import listen, new_app
from unifyport.sandbox.telegram.bot import TelegramPlatform
from unifyport.sandbox.whatsapp.cloud import WhatsAppPlatform
from unifyport.server import Parts, Server
from unifyport.storage.sealing import KeyRing

KEY = "test_key_" + "k" * 32
SECRET = "receiver-secret"
TOKEN = "4242:sandbox-token"
BOT = "4242"
NUMBER = "106540352242922"  # a WhatsApp business number
APP_SECRET = "app-secret-of-the-test"
VERIFY_TOKEN = "verify-token-of-the-test"
CUSTOMER = "6590000001"
front = "native"  # the server of gateways in tests; `conftest.py` sets it for tests that are marked `front`


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_config(
    directory: Path, *, port: int = 0, more: str = "", server: str = "", security: str = ""
) -> Path:
    """A configuration with one API key; `more` is appended."""
    ring = directory / "master.key"
    if not ring.exists():
        ring.write_text(KeyRing.new_key())
        ring.chmod(0o600)
    path = directory / "unifyport.toml"
    path.write_text(
        f"""
[server]
bind = "127.0.0.1:{port}"
front = "{front}"
{server}
[security]
master_key = {{ file = "master.key" }}
webhook_allow = ["127.0.0.0/8", "::1/128"]
{security}
[[api_keys]]
name = "test"
key = "{KEY}"
{more}
"""
    )
    return path


def account(name: str = "bot", token: str = TOKEN) -> str:
    return f'\n[[accounts]]\nname = "{name}"\nprovider = "telegram"\ncredentials = {{ token = "{token}" }}\n'


def whatsapp_data(number: str = NUMBER, **more: str) -> dict[str, str]:
    """The credentials of a Cloud API account."""
    return {
        "access_token": f"access-token-{number}",
        "phone_number_id": number,
        "app_secret": APP_SECRET,
        "verify_token": VERIFY_TOKEN,
        **more,
    }


def whatsapp(name: str = "shop", number: str = NUMBER, **more: str) -> str:
    lines = ", ".join(f'{key} = "{value}"' for key, value in whatsapp_data(number, **more).items())
    return f'\n[[accounts]]\nname = "{name}"\nprovider = "whatsapp"\ncredentials = {{ {lines} }}\n'


def endpoint(url: str, *, name: str = "receiver", retry: str = "", events: str = "[]") -> str:
    return (
        f'\n[[webhook_endpoints]]\nname = "{name}"\nurl = "{url}"\nsigning_secret = "{SECRET}"\n'
        f"subscribed_events = {events}\n" + (f"retry_policy = {retry}\n" if retry else "")
    )


class Receiver:
    """A webhook receiver: keeps deliveries in the order of arrival; `answer` chooses the status of each."""

    def __init__(self, answer: Callable[[dict[str, Any]], int] = lambda _: 204) -> None:
        self.deliveries: list[dict[str, Any]] = []  # every attempt that was answered with 2xx
        self.attempts = 0
        self.headers: list[dict[str, str]] = []  # of every attempt
        self.bad_signatures = 0
        self.answer = answer
        self.url = ""
        self._news = trio.Event()
        self._app = new_app("receiver")
        self._app.add_url_rule("/hook", "hook", self._hook, methods=["POST"])

    async def _hook(self) -> tuple[bytes, int]:
        from quart import request

        body = await request.get_data(cache=False, as_text=False, parse_form_data=False)
        headers = request.headers
        self.attempts += 1
        self.headers.append({name.lower(): value for name, value in headers.items()})
        timestamp, signature = headers[signing.TIMESTAMP], headers.get(signing.SIGNATURE, "")
        if not signing.verify(SECRET, timestamp, body, signature):
            self.bad_signatures += 1
        import json

        event = json.loads(body)
        assert headers[signing.EVENT_ID] == event["id"]
        status = self.answer(event)
        if status < 300:
            self.deliveries.append(event)
            self._news.set()
            self._news = trio.Event()
        return b"", status

    def replace(self, hook: Callable[[], Any]) -> None:
        """Another one answers in its place."""
        self._app.view_functions["hook"] = hook

    async def run(
        self, port: int = 0, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
    ) -> None:
        async with trio.open_nursery() as nursery:
            self.url = await nursery.start(listen, self._app, "127.0.0.1", port) + "/hook"
            task_status.started(self.url)

    def of(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.deliveries if event["type"] == name]

    async def until(self, enough: Callable[[], Any], seconds: float = 20) -> None:
        """Wait until `enough()`; fails the test when it does not come true in time."""
        with trio.move_on_after(seconds):
            while not enough():
                await self._news.wait()
            return
        raise AssertionError(f"after {seconds} s: {[event['type'] for event in self.deliveries][-20:]}")


class Client:
    """The v1 API with a key; answers are httpx responses."""

    def __init__(self, base_url: str, key: str | None = KEY) -> None:
        headers = {"x-api-key": key} if key else {}
        self.http = httpx.AsyncClient(base_url=base_url, headers=headers, trust_env=False, timeout=30)

    @property
    def port(self) -> int:
        port = self.http.base_url.port
        assert port is not None
        return port

    async def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        if body is not None:
            more["json"] = body
        return await self.http.request(method, path, **more)

    async def data(self, method: str, path: str, body: Any = None) -> Any:
        response = await self(method, path, body)
        assert response.is_success, response.text
        return response.json()["data"]

    async def until(self, check: Callable[[Any], bool], path: str, seconds: float = 10) -> Any:
        """GET `path` until `check(data)`."""
        data = None
        with trio.move_on_after(seconds):
            while True:
                data = await self.data("GET", path)
                if check(data):
                    return data
                await trio.lowlevel.checkpoint()
        raise AssertionError(f"{path} stayed {data}")


class Platform:
    """A sandbox in this process, driven through its control port as users drive it."""

    def __init__(self, sandbox: Sandbox, control: str) -> None:
        self.sandbox = sandbox
        self.http = httpx.AsyncClient(base_url=control, trust_env=False, timeout=30)

    @property
    def telegram(self) -> TelegramPlatform:
        platform = self.sandbox.platforms["telegram"]
        assert isinstance(platform, TelegramPlatform)
        return platform

    @property
    def cloud(self) -> WhatsAppPlatform:
        platform = self.sandbox.platforms["whatsapp"]
        assert isinstance(platform, WhatsAppPlatform)
        return platform

    async def post(self, path: str, order: dict[str, Any]) -> Any:
        response = await self.http.post(f"/sandbox/telegram/{path}", json=order)
        assert response.is_success, response.text
        return response.json()

    async def write(self, text: str, sender: int = 1, **more: Any) -> Any:
        order = {"to": BOT, "from": sender, "text": text, **more}
        with trio.fail_after(10):
            while True:
                response = await self.http.post("/sandbox/telegram/messages", json=order)
                if "connected: none" not in response.text:
                    break
                await trio.sleep(0.02)  # a gateway in a process of its own has no event to wait for
        assert response.is_success, response.text
        return response.json()

    async def sent(self, channel: str = "telegram") -> Any:
        return (await self.http.get(f"/sandbox/{channel}/messages")).json()

    async def calls(self, channel: str) -> Any:
        return (await self.http.get(f"/sandbox/{channel}/webhooks")).json()

    async def whatsapp(self, what: str, order: dict[str, Any]) -> Any:
        response = await self.http.post(f"/sandbox/whatsapp/{what}", json=order)
        assert response.is_success, response.text
        return response.json()

    async def connect(self, url: str, *numbers: str, secret: str = APP_SECRET) -> None:
        """The app dashboard: these numbers' events go to `url`."""
        await self.whatsapp(
            "webhooks",
            {
                "callback_url": url,
                "app_secret": secret,
                "verify_token": VERIFY_TOKEN,
                "phone_number_ids": list(numbers or (NUMBER,)),
            },
        )


@contextlib.asynccontextmanager
async def sandbox(registry: Registry | None = None) -> AsyncIterator[Platform]:
    """The local platforms of a registry, of the standard one if none is given."""
    platforms = Sandbox((registry or standard()).channels.values())
    async with trio.open_nursery() as nursery:
        url = await nursery.start(lambda task_status: platforms.run(port=0, task_status=task_status))
        yield Platform(platforms, url)
        nursery.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def receiver(answer: Callable[[dict[str, Any]], int] = lambda _: 204) -> AsyncIterator[Receiver]:
    inbox = Receiver(answer)
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: inbox.run(task_status=task_status))
        yield inbox
        nursery.cancel_scope.cancel()


@contextlib.asynccontextmanager
async def gateway(
    settings: Settings, channels: list[Channel] | None = None, parts: Parts | None = None
) -> AsyncIterator[Client]:
    """A whole server in this process, on any free port."""
    registry = standard() if channels is None else Registry(channels)
    async with trio.open_nursery() as nursery:
        [url, *_] = await nursery.start(
            lambda task_status: Server(settings, registry, parts).run(task_status=task_status)
        )
        yield Client(url)
        nursery.cancel_scope.cancel()


def settings_of(
    directory: Path, more: str = "", registry: Registry | None = None, **sections: Any
) -> Settings:
    return load(write_config(directory, more=more, **sections), registry or standard())


def public(port: int) -> dict[str, Any]:
    """A gateway that knows where platforms reach it."""
    return {"port": port, "server": f'public_url = "http://127.0.0.1:{port}"'}


class Process:
    """A gateway in a process of its own, to be killed."""

    def __init__(self, config: Path, port: int, script: Path | None = None) -> None:
        self.config, self.port = config, port
        self.client = Client(f"http://127.0.0.1:{port}")
        self._command = (
            [sys.executable, "-m", "unifyport", "serve"] if script is None else [sys.executable, str(script)]
        )
        self._process: trio.Process | None = None
        self.log = config.with_name("gateway.log")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self, seconds: float = 20) -> None:
        await self.start_with({})
        assert self._process is not None
        with trio.move_on_after(seconds):
            while self._process.poll() is None:
                with contextlib.suppress(httpx.TransportError):
                    if (await self.client.http.get("/readyz")).status_code == 200:
                        return
                await trio.sleep(0.02)  # a process has no event to wait for
        raise AssertionError(self.log.read_text()[-4000:])

    async def start_with(self, environment: dict[str, str]) -> None:
        """Start it with these variables more, and do not wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = await trio.lowlevel.open_process(
                [*self._command, "-c", str(self.config)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), **environment},
            )

    async def ended(self, seconds: float = 60) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self._process is not None
        with trio.fail_after(seconds):
            return await self._process.wait()

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    async def stop(self, seconds: float = 30) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        with trio.fail_after(seconds):
            return await self._process.wait()
