"""The load of the benchmarks: what it takes for a message, and that it notices what went wrong."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from scripts.benchmarks.loop import Connection, Loop, message_end
from scripts.benchmarks.platforms import Platforms
from scripts.benchmarks.process import PeerFailed
from scripts.benchmarks.rig import Load, Rig
from scripts.benchmarks.tracker import Tracker
from scripts.benchmarks.traffic import CONVERSATIONS, number_in, signed, text_of
from scripts.benchmarks.wire import post
from unifyport.delivery.signing import SIGNATURE, TIMESTAMP, sign

SECRET = "bench-signing-secret"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 -\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "message",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_a_message_ends_where_its_last_byte_is(message: bytes) -> None:
    for length in range(len(message)):
        assert message_end(bytearray(message[:length])) is None
    found = message_end(bytearray(message + b"the next"))
    assert found is not None
    assert found[1] == len(message)


def test_the_tracker_counts_repeats_and_what_is_out_of_order() -> None:
    tracker = Tracker()
    tracker.expect(range(3 * CONVERSATIONS))
    for number in (0, 1, CONVERSATIONS, 2 * CONVERSATIONS + 1, CONVERSATIONS + 1, 1, 4 * CONVERSATIONS):
        tracker.arrive(number)
    assert len(tracker.arrived) == 5
    assert (tracker.repeated, tracker.misordered) == (2, 1)  # the last one is of an earlier run


class Service:
    """A service that forwards each message to the receiver, once for each answer of `copies`."""

    def __init__(self, loop: Loop, hook: str, copies: Callable[[int], int], secret: str = SECRET) -> None:
        self._loop = loop
        self._copies = copies
        self._secret = secret
        self._hook_port = int(hook.split(":")[2].split("/")[0])
        self._refused: set[int] = set()
        self.refuse_first = False
        self.port = loop.listen(self._take)

    def _take(self, connection: Connection, head: bytes, body: bytes) -> None:
        number = number_in(body)
        assert number is not None
        if self.refuse_first and number not in self._refused:
            self._refused.add(number)
            connection.send(BUSY)
            return
        connection.send(OK)
        headers = {TIMESTAMP: "now", SIGNATURE: sign(self._secret, "now", body)}
        for _ in range(self._copies(number)):
            receiver = self._loop.connect(self._hook_port, lambda *_: None, lambda _: None)
            receiver.send(post("/hook", body, headers))


@contextlib.contextmanager
def service(
    copies: Callable[[int], int] = lambda _: 1, secret: str = SECRET
) -> Iterator[tuple[Rig, Service]]:
    with Rig() as rig, Loop() as loop:
        yield rig, loop.call(lambda: Service(loop, rig.hook, copies, secret))


def load(found: Service, count: int = 64, callers: int = 4) -> Load:
    def request(number: int) -> bytes:
        return post("/in", json.dumps({"text": text_of(number)}).encode(), {})

    return Load(found.port, callers, count, request)


def test_a_run_counts_what_arrived() -> None:
    with service() as (rig, found):
        run = rig.inbound(load(found))
    assert (run.count, len(run.answers), len(run.arrivals)) == (64, 64, 64)
    assert (run.repeated, run.misordered, run.refused) == (0, 0, 0)
    assert run.answers == sorted(run.answers)


def test_repeats_are_counted() -> None:
    with service(lambda number: 1 + (number % 64 == 7)) as (rig, found):
        assert rig.inbound(load(found)).repeated == 1


def test_a_request_that_is_refused_comes_again() -> None:
    with service() as (rig, found):
        found.refuse_first = True
        run = rig.inbound(load(found, count=8))
    assert (run.count, run.refused) == (8, 8)


def test_a_message_that_does_not_arrive_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts.benchmarks.rig._ARRIVAL_SECONDS", 0.0)
    with service(lambda number: number % 64 != 7) as (rig, found):
        with pytest.raises(PeerFailed, match="of 64 messages did not arrive"):
            rig.inbound(load(found))


def test_a_wrong_signature_fails_the_run() -> None:
    with service(secret="another secret") as (rig, found):
        with pytest.raises(PeerFailed, match="no valid signature"):
            rig.inbound(load(found))


def test_a_connection_that_is_closed_fails_the_run() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Rig() as rig:

        def close_it() -> None:
            connection, _ = listener.accept()
            connection.recv(1)
            connection.close()

        threading.Thread(target=close_it, daemon=True).start()
        with pytest.raises(PeerFailed, match="closed before its answer"):
            rig.inbound(Load(listener.getsockname()[1], 1, 1, lambda _: post("/", b"", {})))


def test_a_signature_is_checked_as_a_receiver_does() -> None:
    head = f"POST /hook HTTP/1.1\r\n{TIMESTAMP}: now\r\n{SIGNATURE}: {sign(SECRET, 'now', b'body')}".encode()
    assert signed(head, b"body")
    assert not signed(head, b"other")
    assert not signed(b"POST /hook HTTP/1.1", b"body")


def test_the_platforms_forget_a_connection_that_is_closed() -> None:
    with Loop() as loop:
        platforms = loop.call(lambda: Platforms(loop))
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", platforms.port)) as connection:
                connection.sendall(b"GET /1 HTTP/1.1\r\n\r\n")
                assert connection.recv(1)
                assert len(loop.call(lambda: set(platforms._open))) == 1
            deadline = time.monotonic() + 10
            while loop.call(lambda: len(platforms._open)):
                assert time.monotonic() < deadline
