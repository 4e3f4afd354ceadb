"""The WebSocket of a session: the key, then frames that the platform pushes and pings that it answers.

One task writes what was pushed, in order; a slow client keeps no caller waiting.
"""

import itertools
import os
from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import trio

from unifyport.protocols.zalo_frames import (
    Command,
    Encrypt,
    Frame,
    ZaloProtocolError,
    read_frame,
    seal_payload,
    write_frame,
)
from unifyport.protocols.zalo_frames.frames import key_frame

from ...sockets import WebSocket

MAX_WAITING = 20_000  # frames that a client has not taken
CLOSING_SECONDS = 2.0


@attrs.define
class Manner:
    """How the platform's sockets behave. `modes`: of `encrypt`, by turns. `gives_key`: it sends a key."""

    modes: tuple[Encrypt, ...] = (Encrypt.SEALED_DEFLATED,)
    gives_key: bool = True
    answers_pings: bool = True


class Listener:
    """`silent`: nothing is sent any more. `deaf`: pings are answered, but there is no news."""

    def __init__(self, websocket: WebSocket, manner: Manner) -> None:
        self.silent = False
        self.deaf = False
        self._websocket = websocket
        self._manner = manner
        self._key = os.urandom(16)
        self._modes = itertools.cycle(manner.modes)
        self._send, self._waiting = trio.open_memory_channel[bytes | tuple[int, str]](MAX_WAITING)

    def push(self, command: int, sub_command: int, data: dict[str, Any]) -> None:
        """Send data in the envelope of Zalo's frames."""
        if not self.deaf:
            self.answer(command, sub_command, data)

    def answer(self, command: int, sub_command: int, data: dict[str, Any]) -> None:
        text = msgspec.json.encode({"error_code": 0, "error_message": "", "data": data})
        self.push_text(command, sub_command, text)

    def push_text(self, command: int, sub_command: int, text: bytes) -> None:
        """Send a payload of any form, encrypted as the manner says."""
        mode = next(self._modes)
        body = seal_payload(text, mode, self._key, os.urandom(32))
        self.push_frame(Frame(command, sub_command, body))

    def push_frame(self, frame: Frame) -> None:
        self._put(write_frame(frame))

    def close(self, code: int, reason: str = "") -> None:
        """Close the connection with a code, after what was pushed."""
        self._put((code, reason))

    def reset(self) -> None:
        """Break the connection at once."""
        self._websocket.reset()

    def _put(self, item: bytes | tuple[int, str]) -> None:
        try:
            self._send.send_nowait(item)
        except (trio.WouldBlock, trio.ClosedResourceError):
            self.reset()

    async def run(self, handle: Callable[[Frame], None]) -> None:
        """Give each frame of the client but pings to `handle` until the connection ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, nursery.cancel_scope)
            if self._manner.gives_key:
                self._put(key_frame(self._key))
            while True:
                try:
                    frame = read_frame(await self._websocket.receive())
                except ZaloProtocolError:
                    self.reset()
                    return
                if frame.command == Command.PING:
                    self._ping(frame)
                elif not self.silent:
                    handle(frame)

    def _ping(self, frame: Frame) -> None:
        if self._manner.answers_pings and not self.silent:
            self.push_frame(frame)

    async def _write(self, scope: trio.CancelScope) -> None:
        async for item in self._waiting:
            if isinstance(item, tuple):
                with trio.move_on_after(CLOSING_SECONDS):
                    await self._websocket.websocket.aclose(*item)
                scope.cancel()
                return
            if not self.silent:
                await self._websocket.send(item)
