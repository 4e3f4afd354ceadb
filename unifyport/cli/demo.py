"""`demo`: the main job without any credentials.

It runs the gateway, the sandbox platforms, a webhook receiver, and the customers' side.
"""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click
import httpx
import trio

from unifyport.providers.registry import standard
from unifyport.sandbox.control import Sandbox
from unifyport.sandbox.inspector import Inspector

from .common import console, fail, run_async
from .demo_channels import CUSTOMERS, SECRET, WHATSAPP, Customer, text_of
from .demo_device import LINKED, Linked, link, write_as_customer
from .demo_inbox import DemoFailed, DemoInbox
from .demo_texts import add_settings, explain
from .serving import initialise
from .terminal import escaped

START_SECONDS = 30


class Demo:
    """One run in a directory of its own."""

    def __init__(self, directory: Path, port: int) -> None:
        self.directory = directory
        self.port = port
        self.config, self._key = initialise(directory, port)
        self._inbox = DemoInbox()
        self._sandbox = Sandbox(standard().channels.values())
        self._inspector = Inspector(SECRET, self._inbox.take)
        self._http = httpx.AsyncClient(trust_env=False, timeout=10.0)
        self._control = ""

    async def run(self, *, once: bool) -> None:
        """Raises `DemoFailed`."""
        async with trio.open_nursery() as nursery:
            self._control = await nursery.start(
                lambda task_status: self._sandbox.run(port=0, task_status=task_status)
            )
            hook = await nursery.start(lambda task_status: self._inspector.run(task_status=task_status))
            add_settings(self.config, self.port, hook, self._sandbox.config())
            gateway = await self._start()
            try:
                await self._round(f"http://127.0.0.1:{self.port}")
                self._inbox.silent = once
                if not once:
                    explain(self.config, self._control, key=self._key)
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

    # -- set-up ----------------------------------------------------------------------------------------------

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

    # -- the main job ----------------------------------------------------------------------------------------

    async def _round(self, gateway: str) -> None:
        console.print("[bold]1.[/bold] the accounts declared in the file log in")
        accounts = await self._accounts(gateway)
        console.print("[bold]2.[/bold] the WhatsApp app is told where to call, and checks it")
        await self._post(
            f"{self._control}/sandbox/whatsapp/webhooks",
            {
                "callback_url": accounts["demo-shop"]["ingress_url"],
                "app_secret": WHATSAPP["app_secret"],
                "verify_token": WHATSAPP["verify_token"],
                "phone_number_ids": [WHATSAPP["phone_number_id"]],
            },
        )
        written, sent = {}, {}
        for number, customer in enumerate(CUSTOMERS, 3):
            console.print(f"[bold]{number}.[/bold] a customer writes on {customer.channel}, and is answered")
            written[customer.channel] = await self._post(
                f"{self._control}/sandbox/{customer.channel}/messages",
                {**customer.order, "text": customer.question},
            )
            event = await self._inbox.event("message.received", customer.question)
            sent[customer.channel] = await self._reply(gateway, event, customer)
        console.print(f"[bold]{len(CUSTOMERS) + 3}.[/bold] WhatsApp says what became of it")
        for status in ("delivered", "read"):
            receipt = {"message_id": sent["whatsapp"], "status": status}
            await self._post(f"{self._control}/sandbox/whatsapp/receipts", receipt)
            await self._inbox.event(f"message.{status}", "")
        await self._inbox.until(lambda: len(self._inbox.statuses()) == 3, "message.status.updated")
        self._inbox.verify(written, sent["whatsapp"])
        for number, linked in enumerate(LINKED, len(CUSTOMERS) + 4):
            await self._linked_round(gateway, number, linked)
        console.print(
            f"[bold green]verified:[/bold green] {len(CUSTOMERS)} channels, inbound -> signed webhook ->"
            f" reply, receipts of WhatsApp, {len(LINKED)} accounts linked by QR code, every signature valid"
        )

    async def _linked_round(self, gateway: str, number: int, linked: Linked) -> None:
        """A phone links an account by its QR code; a customer writes to it, and is answered."""
        console.print(f"[bold]{number}.[/bold] a phone scans the QR code of {linked.shown}")
        started = len(self._inbox.of("account.started"))

        async def call(method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
            return await self._request(method, f"{gateway}{path}", body)

        async def order(what: str, body: dict[str, Any]) -> dict[str, Any]:
            return await self._post(f"{self._control}/sandbox/{linked.platform}/{what}", body)

        await link(linked, call, order)
        await self._inbox.until(lambda: len(self._inbox.of("account.started")) > started, "account.started")
        await write_as_customer(linked, order)
        event = await self._inbox.event("message.received", linked.question)
        conversation = event["data"]["conversation"]
        message = {"type": "text", "text": linked.reply}
        to = {"id": conversation["id"], "type": conversation["type"]}
        await call("POST", "/v1/messages", {"account_id": event["account_id"], "to": to, "message": message})
        read = (await self._http.get(f"{self._control}/sandbox/{linked.platform}/messages")).json()
        if [told["text"] for told in read] != [linked.reply]:
            raise DemoFailed(f"the phone did not get the reply: {read}")
        console.print(f"  [cyan]phone[/cyan]   the customer reads: {escaped(repr(linked.reply))}")
        self._inbox.verify_signatures()

    async def _request(self, method: str, url: str, body: dict[str, Any] | None) -> dict[str, Any]:
        response = await self._http.request(method, url, json=body, headers={"x-api-key": self._key})
        if not response.is_success:
            raise DemoFailed(f"{url}: HTTP {response.status_code}: {response.text}")
        answer = response.json()
        assert isinstance(answer, dict)
        return answer

    async def _accounts(self, gateway: str) -> dict[str, Any]:
        """The accounts by name, once all are online."""
        await self._inbox.until(
            lambda: len(self._inbox.of("account.started")) == len(CUSTOMERS), "account.started"
        )
        response = await self._http.get(f"{gateway}/v1/accounts", headers={"x-api-key": self._key})
        return {account["name"]: account for account in response.json()["data"]}

    async def _reply(self, gateway: str, event: dict[str, Any], customer: Customer) -> str:
        """Reply in the event's conversation; returns the platform's message id."""
        conversation = event["data"]["conversation"]
        body = {
            "account_id": event["account_id"],
            "to": {"id": conversation["id"], "type": conversation["type"]},
            "message": {"type": "text", "text": customer.reply},
        }
        sent = (await self._post(f"{gateway}/v1/messages", body, {"x-api-key": self._key}))["data"]
        console.print(f"  [cyan]api[/cyan]     message {escaped(sent['message_id'])} {sent['status']}")
        url = f"{self._control}/sandbox/{customer.channel}/messages"
        arrived = [text_of(message) for message in (await self._http.get(url)).json()]
        if arrived != [customer.reply]:
            raise DemoFailed(f"the customer on {customer.channel} did not get the reply: {arrived}")
        console.print(f"  [cyan]phone[/cyan]   the customer reads: {escaped(repr(arrived[0]))}")
        return str(sent["message_id"])

    async def _post(
        self, url: str, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        response = await self._http.post(url, json=body, headers=headers)
        if not response.is_success:
            raise DemoFailed(f"{url}: HTTP {response.status_code}: {response.text}")
        answer = response.json()
        assert isinstance(answer, dict)
        return answer

    # -- afterwards ------------------------------------------------------------------------------------------

    async def _live(self) -> None:
        limiter, mei = trio.CapacityLimiter(1), CUSTOMERS[0]
        while line := await trio.to_thread.run_sync(
            sys.stdin.readline, limiter=limiter, abandon_on_cancel=True
        ):
            if text := line.strip():
                await self._post(
                    f"{self._control}/sandbox/{mei.channel}/messages", {**mei.order, "text": text}
                )
        await trio.sleep_forever()


@click.command()
@click.option("--once", is_flag=True, help="One round, then exit: 0 if everything was verified.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="The gateway's port. 0: any.",
)
def demo(once: bool, port: int) -> None:
    """A customer writes, the signed webhook arrives, a reply goes back: all on this machine, without
    credentials.
    """
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
        except OSError:
            fail(f"port {port} is taken: choose another one with --port")
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="unifyport-demo-") as directory:
        runner = Demo(Path(directory), port)
        try:
            run_async(lambda: runner.run(once=once))
        except KeyboardInterrupt:
            console.print("\nstopped")
        except DemoFailed as failure:
            fail(f"the demo failed: {failure}")
