"""Scripted receivers for tests, behind the same seam as the network: no sockets, no threads, any clock.

`react` gets each complete request (head and body) and returns steps, which are played when the client reads:

    bytes    are received          a number   that many seconds pass
    END      the receiver closes   RESET      the connection is reset   SILENCE   no more bytes ever come
    GONE     the connection looks alive, but takes no further request

After the last step the connection stays open for the next request.
"""

import enum
import re
from collections.abc import Callable, Iterable

import trio

from unifyport.net.guard import Address, Target
from unifyport.net.wire import DialFailed, NothingSent, Wire

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")


class Ends(enum.Enum):
    END = "end"
    RESET = "reset"
    SILENCE = "silence"
    GONE = "gone"


END, RESET, SILENCE, GONE = Ends
Step = bytes | float | Ends
React = Callable[[bytes], Iterable[Step]]


def answer(status: int, body: bytes = b"", *, more: str = "") -> bytes:
    """A complete answer; `more`: further header lines."""
    return f"HTTP/1.1 {status} -\r\n{more}content-length: {len(body)}\r\n\r\n".encode() + body


class ScriptedWire:
    """See `wire.Wire`."""

    def __init__(self, react: React) -> None:
        self._react = react
        self._received = b""
        self._steps: list[Step] = []
        self._closed = trio.Event()

    async def send(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        if self._closed.is_set():
            raise trio.ClosedResourceError
        if self._steps[:1] == [GONE]:
            raise NothingSent
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head + b"\r\n")
        if end and len(body) >= (0 if length is None else int(length[1])):
            self._steps += self._react(self._received)
            self._received = b""

    async def receive(self) -> bytes:
        while True:
            await trio.lowlevel.checkpoint()
            if self._closed.is_set():
                raise trio.ClosedResourceError
            match self._steps.pop(0) if self._steps else SILENCE:
                case bytes() as data:
                    return data
                case Ends.END:
                    self._steps.insert(0, END)
                    return b""
                case Ends.RESET | Ends.GONE:
                    raise ConnectionResetError
                case Ends.SILENCE:
                    await self._closed.wait()
                case seconds:
                    with trio.move_on_after(seconds):
                        await self._closed.wait()

    def stale(self) -> bool:
        return self._steps[:1] not in ([], [GONE]) or self._closed.is_set()

    def close(self) -> None:
        self._closed.set()


class ScriptedBackend:
    """See `wire.Backend`.

    `dialled`: the addresses, in the order of the dials. `refuse`: the reason why a dial fails, or None.
    """

    def __init__(self, react: React, refuse: Callable[[Address], str | None] = lambda _: None) -> None:
        self.react = react
        self.refuse = refuse
        self.dialled: list[str] = []

    async def connect(self, target: Target, address: Address) -> Wire:
        await trio.lowlevel.checkpoint()
        self.dialled.append(str(address))
        if (reason := self.refuse(address)) is not None:
            raise DialFailed(reason)
        return ScriptedWire(lambda request: self.react(request))
