"""A small HTTP/1.1 on epoll, for both ends of a load: about 10 microseconds of CPU for a message.

It runs in a thread of its own. It knows keep-alive, Content-Length and chunked bodies, and expects no
pipelining. All methods belong to the loop's thread, except `call`, `start` and `stop`.
"""

import contextlib
import heapq
import itertools
import os
import re
import select
import socket
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_LAST_CHUNK = b"0\r\n\r\n"
_READ = 64 * 1024
_AT_ONCE = 512  # events of one wait

OnMessage = Callable[["Connection", bytes, bytes], None]  # connection, head, body
OnClose = Callable[["Connection"], None]


def message_end(buffer: bytearray) -> tuple[int, int] | None:
    """Where the first message's head and the message itself end; None if it is incomplete."""
    head = buffer.find(b"\r\n\r\n")
    if head < 0:
        return None
    if match := _LENGTH.search(buffer, 0, head):
        end = head + 4 + int(match[1])
        return (head, end) if len(buffer) >= end else None
    if _CHUNKED.search(buffer, 0, head):
        last = buffer.find(_LAST_CHUNK, head + 4)
        return (head, last + len(_LAST_CHUNK)) if last >= 0 else None
    return head, head + 4


class Connection:
    """One end. `on_message` is called for each message, `on_close` when the peer has closed."""

    __slots__ = ("_buffer", "_loop", "_on_close", "_on_message", "_socket", "_unsent")

    def __init__(self, loop: "Loop", sock: socket.socket, on_message: OnMessage, on_close: OnClose) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop = loop
        self._socket = sock
        self._on_message = on_message
        self._on_close = on_close
        self._buffer = bytearray()
        self._unsent = bytearray()
        loop.watch(sock, select.EPOLLIN, self._ready)

    def send(self, data: bytes) -> None:
        """Send now what the socket takes, and the rest when it can."""
        if not self._unsent:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                pass
            except OSError:
                return  # the close is reported by the loop
            if data:
                self._loop.modify(self._socket, select.EPOLLIN | select.EPOLLOUT)
        self._unsent += data

    def close(self) -> None:
        """Close without a call of `on_close`. Idempotent."""
        self._loop.forget(self._socket)
        self._socket.close()

    def _ready(self, events: int) -> None:
        if events & select.EPOLLOUT:
            self._flush()
        if events & ~select.EPOLLOUT:
            self._read()

    def _flush(self) -> None:
        with contextlib.suppress(OSError):
            del self._unsent[: self._socket.send(self._unsent)]
        if not self._unsent:
            self._loop.modify(self._socket, select.EPOLLIN)

    def _read(self) -> None:
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self._on_close(self)
            return
        self._buffer += data
        while (found := message_end(self._buffer)) is not None:
            head, end = found
            message = bytes(self._buffer[:head]), bytes(self._buffer[head + 4 : end])
            del self._buffer[:end]
            self._on_message(self, *message)


class Loop:
    """Waits for sockets and for times. Use it as a context manager: it then runs in its thread."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._ready: dict[int, Callable[[int], None]] = {}
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._called: list[Callable[[], None]] = []
        self._bell = os.eventfd(0, os.EFD_NONBLOCK)
        self._running = True
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> "Loop":
        self._epoll.register(self._bell, select.EPOLLIN)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.call(self._end)
        self._thread.join()

    def call(self, function: Callable[[], T]) -> T:
        """Run a function in the loop's thread, from another one. Returns or raises as it does."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        self._called.append(run)
        os.eventfd_write(self._bell, 1)
        return future.result()

    def later(self, seconds: float, function: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.perf_counter() + seconds, next(self._order), function))

    def listen(
        self,
        on_message: OnMessage,
        on_accept: Callable[[Connection], None] | None = None,
        on_close: OnClose = lambda _: None,
    ) -> int:
        """Serve on a free port of loopback. Returns the port."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        listener.setblocking(False)

        def accept(_: int) -> None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    connection = Connection(self, listener.accept()[0], on_message, on_close)
                    if on_accept is not None:
                        on_accept(connection)

        self.watch(listener, select.EPOLLIN, accept)
        return int(listener.getsockname()[1])

    def connect(self, port: int, on_message: OnMessage, on_close: OnClose) -> Connection:
        return Connection(self, socket.create_connection(("127.0.0.1", port), 10), on_message, on_close)

    def watch(self, sock: socket.socket, events: int, ready: Callable[[int], None]) -> None:
        self._ready[sock.fileno()] = ready
        self._epoll.register(sock, events)

    def modify(self, sock: socket.socket, events: int) -> None:
        if sock.fileno() in self._ready:
            self._epoll.modify(sock, events)

    def forget(self, sock: socket.socket) -> None:
        if self._ready.pop(sock.fileno(), None) is not None:
            self._epoll.unregister(sock)

    def _end(self) -> None:
        self._running = False

    def _guarded(self, function: Callable[..., None], *arguments: int) -> None:
        """A mistake of one message must not end the loop: the run fails because no answer comes."""
        try:
            function(*arguments)
        except Exception:
            traceback.print_exc()

    def _run(self) -> None:
        while self._running:
            timeout = max(0.0, self._later[0][0] - time.perf_counter()) if self._later else -1
            for file, events in self._epoll.poll(timeout, _AT_ONCE):
                if file == self._bell:
                    os.eventfd_read(self._bell)
                elif (ready := self._ready.get(file)) is not None:  # an earlier one may have closed it
                    self._guarded(ready, events)
            while self._called:
                self._called.pop(0)()
            while self._later and self._later[0][0] <= time.perf_counter():
                self._guarded(heapq.heappop(self._later)[2])
