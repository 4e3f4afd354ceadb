"""`demo`: the main job without any credentials. Gateway, sandbox platforms, a receiver, and somebody who writes."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import httpx
import trio

from unifyport.sandbox.control import Sandbox
from unifyport.sandbox.inspector import Inspector, Received

from .common import console, fail, run_async
from .messages import describe
from .serving import initialise

SECRET = "demo-signing-secret"  # noqa: S105  known to everybody, of a receiver that lives for a minute
TOKEN = "4242:demo-token"  # noqa: S105  a bot of the sandbox
CUSTOMER = 1001
START_SECONDS, STEP_SECONDS = 30, 15


class DemoFailed(Exception):
    """A step of the demo did not happen in time."""


class Demo:
    """One run in a directory of its own."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port
        self.config, self._key = initialise(directory, port)
        self.events: list[Received] = []
        self._news = trio.Event()
        self._sandbox = Sandbox()
        self._inspector = Inspector(SECRET, self._on_event)
        self._http = httpx.AsyncClient(trust_env=False, timeout=10.0)
        self._control = ""

    def _on_event(self, received: Received) -> None:
        self.events.append(received)
        colour = "green" if received.verdict == "valid" else "red"
        console.print(
            f"  [cyan]webhook[/cyan] {describe(received.event)}  [{colour}]signature {received.verdict}[/{colour}]"
        )
        self._news.set()
        self._news = trio.Event()

    async def run(self, *, once: bool) -> None:
        """Raises `DemoFailed`."""
        async with trio.open_nursery() as nursery:
            self._control = await nursery.start(
                lambda task_status: self._sandbox.run(port=0, task_status=task_status)
            )
            hook = await nursery.start(lambda task_status: self._inspector.run(task_status=task_status))
            self._configure(hook)
            gateway = await self._start()
            try:
                await self._round(f"http://127.0.0.1:{self.port}")
                if not once:
                    self._explain()
                    await self._live()
            finally:
                gateway.terminate()
                with trio.CancelScope(shield=True):
                    with trio.move_on_after(10):
                        await gateway.wait()
                    if gateway.poll() is None:
                        gateway.kill()
                await self._http.aclose()
            nursery.cancel_scope.cancel()

    # -- setting up -------------------------------------------------------------------------------------------

    def _configure(self, hook: str) -> None:
        with self.config.open("a", encoding="utf-8") as file:
            file.write(
                f"""
[[webhook_endpoints]]
name = "demo"
url = "{hook}"
signing_secret = "{SECRET}"

[[accounts]]
name = "demo-bot"
provider = "telegram"
credentials = {{ token = "{TOKEN}" }}

{self._sandbox.config()}"""
            )

    async def _start(self) -> trio.Process:
        console.print(
            f"[bold]starting[/bold] gateway on port {self.port}, sandbox platforms, webhook receiver"
        )
        self._log = (self.directory / "gateway.log").open("wb")
        gateway = await trio.lowlevel.open_process(
            [sys.executable, "-m", "unifyport", "serve", "-c", str(self.config)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        with trio.move_on_after(START_SECONDS):
            while gateway.poll() is None:
                if await self._ready():
                    return gateway
                await trio.sleep(0.05)
        gateway.kill()
        raise DemoFailed(
            (self.directory / "gateway.log").read_text(encoding="utf-8", errors="replace").strip()
        )

    async def _ready(self) -> bool:
        try:
            return (await self._http.get(f"http://127.0.0.1:{self.port}/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    # -- the main job -------------------------------------------------------------------------------------------

    async def _round(self, gateway: str) -> None:
        console.print("[bold]1.[/bold] the account declared in the file logs in")
        started = await self._event("account.started", "")
        account_id = started["account_id"]
        console.print("[bold]2.[/bold] a customer writes to the bot")
        question = "Is the blue one in stock?"
        order = {"from": {"id": CUSTOMER, "first_name": "Customer"}, "text": question}
        written = await self._post(f"{self._control}/sandbox/telegram/messages", order)
        event = await self._event("message.received", question)
        console.print("[bold]3.[/bold] the reply goes back through the API")
        reply = "Yes, three left."
        body = {
            "account_id": account_id,
            "to": {"id": event["data"]["conversation"]["id"], "type": event["data"]["conversation"]["type"]},
            "message": {"type": "text", "text": reply},
        }
        sent = await self._post(f"{gateway}/v1/messages", body, {"x-api-key": self._key})
        console.print(f"  [cyan]api[/cyan]     message {sent['data']['message_id']} {sent['data']['status']}")
        arrived = (await self._http.get(f"{self._control}/sandbox/telegram/messages")).json()
        if [message["text"] for message in arrived] != [reply]:
            raise DemoFailed(f"the customer did not get the reply: {arrived}")
        console.print(f"  [cyan]phone[/cyan]   the customer reads: {arrived[0]['text']!r}")
        self._verify(written)
        console.print(
            "[bold green]verified:[/bold green] inbound -> signed webhook -> reply, every signature valid"
        )

    def _verify(self, written: dict[str, Any]) -> None:
        """The demo's own judgement of what it saw."""
        bad = [received.verdict for received in self.events if received.verdict != "valid"]
        ids = [received.event["id"] for received in self.events]
        messages = [r.event for r in self.events if r.event["type"] == "message.received"]
        if bad or len(ids) != len(set(ids)):
            raise DemoFailed(f"signatures {bad}, ids {ids}")
        if [message["message_id"] for message in messages] != [written["message_id"]]:
            raise DemoFailed(f"messages received: {messages}")

    async def _event(self, name: str, text: str) -> dict[str, Any]:
        with trio.move_on_after(STEP_SECONDS):
            while True:
                for received in self.events:
                    if received.event["type"] == name and received.event.get("text", "") == text:
                        return received.event
                await self._news.wait()
        raise DemoFailed(f"no {name} arrived within {STEP_SECONDS} s")

    async def _post(
        self, url: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        response = await self._http.post(url, json=body, headers=headers)
        if not response.is_success:
            raise DemoFailed(f"{url}: HTTP {response.status_code}: {response.text}")
        answer = response.json()
        assert isinstance(answer, dict)
        return answer

    # -- afterwards ---------------------------------------------------------------------------------------------

    def _explain(self) -> None:
        console.print(
            "\nIt goes on until Ctrl-C. Type a line to write as the customer, or from another terminal:"
        )
        console.print(
            f'  curl -H \'content-type: application/json\' -d \'{{"from": {CUSTOMER}, "text": "hello"}}\''
            f" {self._control}/sandbox/telegram/messages"
        )
        console.print(f"  unifyport send -c {self.config} demo-bot {CUSTOMER} 'hello'", soft_wrap=True)
        console.print(f"  unifyport status -c {self.config}", soft_wrap=True)
        console.print(f"API key: {self._key}   log: {self.directory / 'gateway.log'}\n", soft_wrap=True)

    async def _live(self) -> None:
        limiter = trio.CapacityLimiter(1)
        while line := await trio.to_thread.run_sync(
            sys.stdin.readline, limiter=limiter, abandon_on_cancel=True
        ):
            if text := line.strip():
                order = {"from": {"id": CUSTOMER, "first_name": "Customer"}, "text": text}
                await self._post(f"{self._control}/sandbox/telegram/messages", order)
        await trio.sleep_forever()


@click.command()
@click.option("--once", is_flag=True, help="One round, then exit: 0 when everything was verified.")
@click.option("--port", default=8080, show_default=True, help="The gateway's port.")
def demo(once: bool, port: int) -> None:
    """A customer writes, the signed webhook arrives, a reply goes back: all on this machine, no credentials."""
    with tempfile.TemporaryDirectory(prefix="unifyport-demo-") as directory:
        runner = Demo(Path(directory), port)
        try:
            run_async(lambda: runner.run(once=once))
        except KeyboardInterrupt:
            console.print("\nstopped")
        except DemoFailed as failure:
            fail(f"the demo failed: {failure}")
