"""What a suite knows of a subject: its process, where its platforms call it, and how it is asked to send."""

from collections.abc import Callable
from pathlib import Path

import attrs

from .process import Process
from .traffic import WEBHOOKS, Door


@attrs.frozen
class Setup:
    """What a subject is started with: numbers of accounts, and for the gateway more of its file
    (`whatsapp_more`: of `[providers.whatsapp]`).

    `receive`: how Telegram accounts receive. `gateway`: another checkout of UnifyPort.
    """

    whatsapp: int = 1
    telegram: int = 1
    receive: str = "webhook"
    more: str = ""
    whatsapp_more: str = ""
    gateway: Path | None = None


@attrs.define
class Subject:
    """A running subject. `send`: channel and number -> the request that sends that message."""

    process: Process
    port: int
    doors: dict[str, Door]
    send: Callable[[str, int], bytes]

    def inbound(self, channel: str) -> Callable[[int], bytes]:
        """Number -> the request of the platform that brings that message."""
        make, door = WEBHOOKS[channel], self.doors[channel]
        return lambda number: make(door, number)

    def outbound(self, channel: str) -> Callable[[int], bytes]:
        return lambda number: self.send(channel, number)
