"""Callers of the gateway who ask again until they have an answer, all of them on one epoll.

A caller is a state and a socket, so that ten thousand cost the rig little: what is measured is the gateway.
"""

import errno
import heapq
import re
import select
import socket
import time
from collections.abc import Callable

import attrs
import trio

ADDRESSES = 8  # of callers: one alone may have half of the front's connections
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CUT_OFF_PAUSE = 1.0  # seconds until a caller whose connection was cut tries again
_UNDER_WAY = (errno.EINPROGRESS, errno.EWOULDBLOCK)


@attrs.frozen
class Answered:
    """An answer: its status, its head with the status line, and the seconds from the connect to its end."""

    status: int
    head: bytes
    seconds: float


@attrs.define(eq=False)
class _Caller:
    address: str
    request: bytes
    connection: socket.socket | None = None
    began: float = 0.0
    sent: bool = False
    received: bytearray = attrs.field(factory=bytearray)


class Callers:
    """Each request is sent on a connection of its own, all at once.

    `judge` gets each answer. It returns the seconds after which the caller asks again, or None at the end.
    """

    def __init__(self, port: int, judge: Callable[[Answered], float | None]) -> None:
        self.cut_off = 0  # connections that ended without an answer
        self._port = port
        self._judge = judge
        self._epoll = select.epoll()
        self._open: dict[int, _Caller] = {}
        self._waiting: list[tuple[float, int, _Caller]] = []  # a heap: when, a number, who

    async def run(self, requests: list[bytes]) -> None:
        """Returns when all callers are content. Cancelled: all connections are closed."""
        try:
            for number, request in enumerate(requests):
                self._connect(_Caller(f"127.0.0.{2 + number % ADDRESSES}", request))
            while self._open or self._waiting:
                next_try = self._waiting[0][0] - time.monotonic() if self._waiting else 1.0
                with trio.move_on_after(max(0.0, next_try)):
                    await trio.lowlevel.wait_readable(self._epoll.fileno())
                for number, events in self._epoll.poll(0):
                    self._go_on(self._open[number], events)
                while self._waiting and self._waiting[0][0] <= time.monotonic():
                    self._connect(heapq.heappop(self._waiting)[2])
        finally:
            for caller in list(self._open.values()):
                self._close(caller)
            self._epoll.close()

    def _connect(self, caller: _Caller) -> None:
        connection = socket.socket()
        connection.setblocking(False)
        connection.bind((caller.address, 0))
        caller.connection, caller.began, caller.sent = connection, time.monotonic(), False
        caller.received.clear()
        self._open[connection.fileno()] = caller
        self._epoll.register(connection, select.EPOLLOUT)
        if (error := connection.connect_ex(("127.0.0.1", self._port))) not in (0, *_UNDER_WAY):
            raise OSError(error, "connect")

    def _go_on(self, caller: _Caller, events: int) -> None:
        assert caller.connection is not None
        try:
            if not caller.sent:
                caller.connection.sendall(caller.request)
                caller.sent = True
                self._epoll.modify(caller.connection, select.EPOLLIN)
                return
            data = caller.connection.recv(65536)
        except OSError:
            data = b""
        caller.received += data
        if not data:
            self.cut_off += 1
            self._close(caller)
            self._ask_again(caller, _CUT_OFF_PAUSE)
        elif (answer := self._read(caller)) is not None:
            self._close(caller)
            if (wait := self._judge(answer)) is not None:
                self._ask_again(caller, wait)

    def _read(self, caller: _Caller) -> Answered | None:
        head, ended, body = bytes(caller.received).partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not ended or length is None or len(body) < int(length[1]):
            return None
        return Answered(int(head[9:12]), head, time.monotonic() - caller.began)

    def _close(self, caller: _Caller) -> None:
        assert caller.connection is not None
        del self._open[caller.connection.fileno()]
        caller.connection.close()
        caller.connection = None

    def _ask_again(self, caller: _Caller, seconds: float) -> None:
        heapq.heappush(self._waiting, (time.monotonic() + seconds, id(caller), caller))
