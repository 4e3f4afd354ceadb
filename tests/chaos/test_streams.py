"""Five hundred readers of the event stream, of which a hundred do not read."""

import hashlib
import re
import socket
from pathlib import Path

import pytest
import trio

from tests.harness import KEY, Client, account, gateway, sandbox, settings_of
from unifyport.api.http import event_stream

pytestmark = pytest.mark.chaos

READERS, STALLED = 400, 100
MESSAGES = 30
TEXT = "x" * 4000
REQUEST = f"GET /v1/events/stream?type=message.received HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n"
LAST = b"n%03d" % (MESSAGES - 1)


async def connect(port: int, *, buffer: int | None = None) -> trio.SocketStream:
    """A reader that has its place: the head of the answer and its first line have come."""
    connected = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if buffer is not None:
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    await connected.connect(("127.0.0.1", port))
    stream = trio.SocketStream(connected)
    await stream.send_all(REQUEST.encode())
    begin = b""
    while b"\nid: " not in begin:
        begin += await stream.receive_some(256)
    return stream


async def read_all(stream: trio.SocketStream, found: list[str]) -> None:
    """Read until the last message; `found` gets a digest of the numbers of all messages, in order."""
    numbers, rest = list[bytes](), b""
    while not numbers or numbers[-1] != LAST:
        data = await stream.receive_some(256 * 1024)
        assert data, "the stream of one that reads has ended"
        rest += data
        for number in re.findall(rb'"text":"(n\d{3}) x', rest):
            if number not in numbers[-1:]:  # an event has its text in both forms
                numbers.append(number)
        rest = rest[-14:]
    found.append(hashlib.sha256(b" ".join(numbers)).hexdigest())


async def streams_of(api: Client) -> float:
    metrics = (await api("GET", "/metrics")).text
    return float(re.search(r"^unifyport_event_streams (\S+)", metrics, re.MULTILINE)[1])  # type: ignore[index]


async def test_readers_that_do_not_read_lose_their_places_and_others_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "STALLED_SECONDS", 2.0)  # shorter, for the test's sake
    found = list[str]()
    async with sandbox() as platform:
        settings = settings_of(tmp_path, account() + platform.sandbox.config())
        async with gateway(settings) as api, trio.open_nursery() as nursery:
            stalled = [await connect(api.port, buffer=4096) for _ in range(STALLED)]
            reading = [await connect(api.port) for _ in range(READERS)]
            assert await streams_of(api) == READERS + STALLED
            with trio.fail_after(60):
                async with trio.open_nursery() as readers:
                    for stream in reading:
                        readers.start_soon(read_all, stream, found)
                    for number in range(MESSAGES):
                        await platform.write(f"n{number:03} {TEXT}"[:4000])
                while await streams_of(api) > READERS:
                    await trio.sleep(0.1)  # another process would have no event to wait for either
            for stream in (*stalled, *reading):
                await stream.aclose()
            nursery.cancel_scope.cancel()
    numbers = b" ".join(b"n%03d" % number for number in range(MESSAGES))
    assert found == [hashlib.sha256(numbers).hexdigest()] * READERS
