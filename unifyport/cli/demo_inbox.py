"""What the demo's webhook receiver has got: printed, waited for, and checked."""

from collections.abc import Callable
from typing import Any

import trio

from unifyport.sandbox.inspector import Received

from .common import console
from .messages import describe
from .terminal import escaped

STEP_SECONDS = 15


class DemoFailed(Exception):
    """A step of the demo did not happen in time."""


class DemoInbox:
    """`silent`: nothing is printed any more."""

    def __init__(self) -> None:
        self.events: list[Received] = []
        self.silent = False
        self._news = trio.Event()

    def take(self, received: Received) -> None:
        self.events.append(received)
        if self.silent:
            return  # the round is over
        colour = "green" if received.verdict == "valid" else "red"
        console.print(
            f"  [cyan]webhook[/cyan] {escaped(describe(received.event))}"
            f"  [{colour}]signature {received.verdict}[/{colour}]"
        )
        self._news.set()
        self._news = trio.Event()

    def of(self, name: str) -> list[dict[str, Any]]:
        return [received.event for received in self.events if received.event["type"] == name]

    def statuses(self) -> list[tuple[str, str]]:
        """What WhatsApp said of messages."""
        told = [event for event in self.of("message.status.updated") if event["provider"] == "whatsapp"]
        return [(event["message_id"], event["status"]) for event in told]

    def verify_signatures(self) -> None:
        """Raises `DemoFailed`."""
        if bad := [received.verdict for received in self.events if received.verdict != "valid"]:
            raise DemoFailed(f"signatures {bad}")

    def verify(self, written: dict[str, Any], sent: str) -> None:
        """Check everything that was received. Raises `DemoFailed`."""
        self.verify_signatures()
        ids = [received.event["id"] for received in self.events]
        if len(ids) != len(set(ids)):
            raise DemoFailed(f"ids {ids}")
        messages = {event["provider"]: event["message_id"] for event in self.of("message.received")}
        if messages != {channel: order["message_id"] for channel, order in written.items()}:
            raise DemoFailed(f"messages received: {messages}")
        statuses = self.statuses()
        if statuses != [(sent, "sent"), (sent, "delivered"), (sent, "read")]:
            raise DemoFailed(f"statuses received: {statuses}")

    async def until(self, enough: Callable[[], bool], what: str) -> None:
        with trio.move_on_after(STEP_SECONDS):
            while not enough():
                await self._news.wait()
            return
        raise DemoFailed(f"{what} did not arrive within {STEP_SECONDS} s")

    async def event(self, name: str, text: str) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [event for event in self.of(name) if event.get("text", "") == text]

        await self.until(lambda: bool(found()), name)
        return found()[0]
