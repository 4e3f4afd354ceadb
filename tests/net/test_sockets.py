"""The delivery client on real sockets of this machine, with and without TLS,
among receivers that mean no good.
"""

import contextlib
import errno
import ipaddress
import os
import resource
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import trio
import trio.testing

from tests.tls import Authority
from unifyport.delivery.client import HttpDeliveryClient
from unifyport.delivery.scripted import answer
from unifyport.delivery.verdict import Attempt, Verdict, judge
from unifyport.net.clients import ssl_context
from unifyport.net.guard import Address, AddressGuard
from unifyport.net.sockets import Sockets
from unifyport.net.sweeper import Sweeper
from unifyport.net.wire import Wire

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]
Handle = Callable[[Stream], Awaitable[None]]

SHORT, LONG = 0.2, 10.0  # time-outs: one that is waited for, and one that never is
LARGE = os.urandom(1024) * 5 * 1024
LOOPBACK = tuple(ipaddress.ip_network(text) for text in ("127.0.0.0/8", "::1/128"))


class World:
    """A client, and the URL of what listens."""

    def __init__(self, backend: Sockets, url: str) -> None:
        self.backend = backend
        self.url = url
        self.guard = AddressGuard(resolve, LOOPBACK)
        self.sweeper = Sweeper()
        self.client = self.new_client()
        self.connections = 0

    def new_client(self) -> HttpDeliveryClient:
        return HttpDeliveryClient(self.guard, self.backend, self.sweeper)

    async def post(self, body: bytes = b"{}", timeout: float = LONG) -> Attempt:
        return await self.client.post(self.url, b"", body, timeout)

    async def dial(self) -> Wire:
        target = await self.guard.target(self.url)
        return await self.backend.connect(target, target.addresses[0])


async def resolve(host: str) -> Sequence[Address]:
    await trio.lowlevel.checkpoint()
    return [ipaddress.ip_address("127.0.0.1")]


@contextlib.asynccontextmanager
async def receiver(
    handle: Handle,
    speaks: ssl.SSLContext | None = None,
    trusts: Path | None = None,
    *,
    at: str = "127.0.0.1",
    url: str | None = None,
) -> AsyncIterator[World]:
    """Listens, and does to each connection what `handle` says."""
    [listener] = await trio.open_tcp_listeners(0, host=at)
    port = listener.socket.getsockname()[1]
    scheme = "http" if speaks is None else "https"
    world = World(
        Sockets(ssl_context(trusts)), (url or f"{scheme}://shop.example:PORT/").replace("PORT", str(port))
    )

    async def serve(stream: trio.SocketStream) -> None:
        world.connections += 1
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        secured = (
            trio.SSLStream(stream, speaks, server_side=True, https_compatible=True) if speaks else stream
        )
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with secured:
                await handle(secured)

    listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, serve, [listener])
            nursery.start_soon(world.sweeper.run)
            yield world
            world.client.close()
            nursery.cancel_scope.cancel()


async def request(stream: Stream, most: int = 65536) -> bytes:
    """A whole one, read in pieces of `most` bytes; its body. Nothing when the client has hung up."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (piece := await stream.receive_some(most)):
            return b""
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    pieces: list[bytes | bytearray] = [body]
    left = int(head.rpartition(b"content-length: ")[2]) - len(body)
    while left:
        pieces.append(await stream.receive_some(min(most, left)))
        left -= len(pieces[-1])
    return b"".join(pieces)


async def polite(stream: Stream) -> None:
    while await request(stream):
        await stream.send_all(answer(200, b"ok"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(params=["TCP", "TLSv1_2", "TLSv1_3"])
def speaks(request: pytest.FixtureRequest, authority: Authority) -> ssl.SSLContext | None:
    """What both sides speak."""
    return None if request.param == "TCP" else _server(authority, request.param)


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def tls(request: pytest.FixtureRequest, authority: Authority) -> ssl.SSLContext:
    return _server(authority, request.param)


def _server(authority: Authority, version: str, *hosts: str) -> ssl.SSLContext:
    context = authority.server(*(hosts or ("shop.example", "other.example", "127.0.0.1", "::1")))
    context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    return context


# -- receivers that mean no good -----------------------------------------------------------------------------


HEAD = b"HTTP/1.1 200 OK\r\n"


def says(*pieces: bytes) -> Handle:
    """Reads a request, says that, and hangs up."""

    async def handle(stream: Stream) -> None:
        await request(stream)
        for piece in pieces:
            await stream.send_all(piece)

    return handle


def without_end(begin: bytes, piece: bytes, pause: float = 0) -> Handle:
    """Goes on saying the same."""

    async def handle(stream: Stream) -> None:
        await request(stream)
        await stream.send_all(begin)
        while True:
            await stream.send_all(piece)
            await trio.sleep(pause)

    return handle


async def silent(stream: Stream) -> None:
    await request(stream)
    await trio.sleep_forever()


async def deaf(stream: Stream) -> None:
    await stream.receive_some(1)
    await trio.sleep_forever()


async def resets(stream: Stream) -> None:
    await request(stream)
    tcp = stream.transport_stream if isinstance(stream, trio.SSLStream) else stream
    tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    await trio.aclose_forcefully(tcp)


async def answers_early_and_hangs_up(stream: Stream) -> None:
    await stream.receive_some(1)
    await stream.send_all(answer(413, b"too large"))


HOSTILE: dict[str, tuple[Handle, int | str, float]] = {
    "says nothing": (silent, "timeout", SHORT),
    "says its head byte by byte": (without_end(b"", b"\r", 0.02), "timeout", SHORT),
    "says headers byte by byte": (without_end(HEAD, b"x", 0.02), "timeout", SHORT),
    "says headers without end": (without_end(HEAD, b"x: y\r\n" * 99), "response_headers_too_large", LONG),
    "says interim answers without end": (
        *(without_end(b"", b"HTTP/1.1 100 -\r\n\r\n" * 99), "response_headers_too_large", LONG),
    ),
    "says its body byte by byte": (without_end(HEAD + b"\r\n", b"x", 0.02), 200, SHORT),
    "says a body without end": (without_end(HEAD + b"\r\n", b"x" * 9999), 200, LONG),
    "has 100 MB to say": (without_end(HEAD + b"content-length: 100000000\r\n\r\n", b"x" * 9999), 200, LONG),
    "hangs up": (says(), "connection_lost", LONG),
    "hangs up within its head": (says(HEAD), "connection_lost", LONG),
    "hangs up within its body": (says(HEAD + b"content-length: 9\r\n\r\nok"), 200, LONG),
    "resets": (resets, "connection_lost", LONG),
    "speaks something else": (says(b"220 mail.example ESMTP\r\n"), "invalid_response", LONG),
    "says more than it promised": (says(HEAD + b"content-length: 2\r\n\r\nokay"), 200, LONG),
    "answers twice": (says(answer(200, b"ok") + answer(404)), 200, LONG),
}


@pytest.mark.parametrize(("handle", "what", "timeout"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_hostile_receiver_takes_neither_time_nor_memory(
    speaks: ssl.SSLContext | None, authority: Authority, handle: Handle, what: int | str, timeout: float
) -> None:
    async with receiver(handle, speaks, authority.ca) as world:
        for attempts in range(
            1, 3 if timeout == LONG else 2
        ):  # of the first, nothing is in the way of the second
            attempt = await world.post(timeout=timeout)
            assert what in (attempt.status, attempt.error)
            assert attempt.response_size < 200_000
            assert (attempt.ms >= timeout * 1000) is (timeout == SHORT)
            assert attempt.ms < 5000
            assert world.connections == attempts


async def test_of_an_answer_of_100_mb_little_leaves_its_sender(
    speaks: ssl.SSLContext | None, authority: Authority
) -> None:
    sent = 0

    async def handle(stream: Stream) -> None:
        nonlocal sent
        await request(stream)
        await stream.send_all(HEAD + b"content-length: 100000000\r\n\r\n")
        while sent < 100_000_000:
            await stream.send_all(b"x" * 10_000)
            sent += 10_000

    async with receiver(handle, speaks, authority.ca) as world:
        assert (await world.post()).status == 200
        await trio.testing.wait_all_tasks_blocked()
        assert 0 < sent < 4_000_000  # what both ends buffer


async def test_a_receiver_that_does_not_read_ends_in_time(
    speaks: ssl.SSLContext | None, authority: Authority
) -> None:
    async with receiver(deaf, speaks, authority.ca) as world:
        attempt = await world.post(LARGE, timeout=SHORT)
        assert attempt.error == "timeout"


async def test_an_answer_before_the_body_was_read_counts(
    speaks: ssl.SSLContext | None, authority: Authority
) -> None:
    async with receiver(answers_early_and_hangs_up, speaks, authority.ca) as world:
        attempt = await world.post(LARGE)
        assert (attempt.status, attempt.response_size) == (413, 9)


async def test_an_answer_before_the_body_is_read_leaves_a_good_connection(
    speaks: ssl.SSLContext | None, authority: Authority
) -> None:
    async def handle(stream: Stream) -> None:
        await stream.send_all(answer(200, b"early"))
        assert await request(stream) == LARGE
        await polite(stream)

    async with receiver(handle, speaks, authority.ca) as world:
        assert [(await world.post(body)).response_size for body in (LARGE, b"{}")] == [5, 2]
        assert world.connections == 1


# -- receivers that are only slow, or elsewhere --------------------------------------------------------------


async def test_a_large_body_arrives_whole_at_a_slow_reader(
    speaks: ssl.SSLContext | None, authority: Authority
) -> None:
    bodies = []

    async def handle(stream: Stream) -> None:
        while body := await request(stream, most=4096):
            bodies.append(body)
            await stream.send_all(answer(204))

    async with receiver(handle, speaks, authority.ca) as world:
        assert [(await world.post(body)).status for body in (LARGE, b"{}", LARGE)] == [204] * 3
        assert bodies == [LARGE, b"{}", LARGE]
        assert world.connections == 1


@pytest.mark.parametrize(
    ("at", "host"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "shop.example"), ("::1", "[::1]")]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_addresses_and_names(authority: Authority, scheme: str, at: str, host: str) -> None:
    speaks = _server(authority, "TLSv1_3") if scheme == "https" else None
    async with receiver(polite, speaks, authority.ca, at=at, url=f"{scheme}://{host}:PORT/") as world:
        attempts = [await world.post() for _ in range(3)]
        assert [(attempt.status, attempt.response) for attempt in attempts] == [(200, None)] * 3
        assert world.connections == 1


async def test_nobody_listens() -> None:
    async with receiver(polite) as world:
        pass
    attempt = await world.post()
    assert attempt.error == "connection_refused"


@pytest.mark.parametrize(
    ("host", "code", "error"),
    [
        ("127.0.0.1", errno.ENETUNREACH, "network_unreachable"),
        ("127.0.0.1", errno.EHOSTUNREACH, "host_unreachable"),
        ("127.0.0.1", errno.ETIMEDOUT, "connect_timeout"),
        ("127.0.0.1", errno.EACCES, "connect_error"),
        ("127.0.0.1", errno.EADDRNOTAVAIL, "local_resources"),  # no port is left here
        ("[::1]", errno.EADDRNOTAVAIL, "network_unreachable"),  # this machine has no IPv6
    ],
)
async def test_what_the_system_says_has_a_name(
    monkeypatch: pytest.MonkeyPatch, host: str, code: int, error: str
) -> None:
    monkeypatch.setattr(socket.socket, "connect_ex", lambda self, where: code)
    world = World(Sockets(ssl_context()), f"http://{host}:9/")
    assert (await world.post()).error == error


async def test_without_descriptors_it_is_nobodys_failure() -> None:
    async with receiver(polite) as world:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, limits[1]))
        try:
            attempt = await world.post()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert (attempt.error, judge(attempt)) == ("local_resources", Verdict.NOT_TRIED)
        assert (await world.post()).status == 200


# -- TLS -----------------------------------------------------------------------------------------------------


async def test_who_is_not_who_the_url_says_is_told_nothing(tls: ssl.SSLContext, authority: Authority) -> None:
    heard = []

    async def handle(stream: Stream) -> None:
        heard.append(await request(stream))

    expired = authority.server("shop.example", expired=True)
    for speaks, trusts, host in (
        (tls, None, "shop.example"),
        (tls, authority.ca, "wrong.example"),
        (tls, authority.ca, "127.0.0.2"),
        (expired, authority.ca, "shop.example"),
        (authority.server("shop.example", san=False), authority.ca, "shop.example"),  # a common name only
    ):
        async with receiver(handle, speaks, trusts, at="0.0.0.0", url=f"https://{host}:PORT/") as world:
            assert (await world.post()).error == "certificate_not_trusted"
            assert world.connections == 1
    assert heard == []


async def hangs_up(stream: Stream) -> None:
    await stream.receive_some(1)


async def speaks_http(stream: Stream) -> None:
    await stream.receive_some(65536)
    await stream.send_all(answer(400, b"The plain HTTP request was sent to HTTPS port"))


@pytest.mark.parametrize(
    ("handle", "error", "timeout"),
    [(deaf, "connect_timeout", SHORT), (hangs_up, "tls_error", LONG), (speaks_http, "tls_error", LONG)],
)
async def test_where_https_should_be_is_something_else(handle: Handle, error: str, timeout: float) -> None:
    async with receiver(handle, url="https://shop.example:PORT/") as world:
        attempt = await world.post(timeout=timeout)
        assert attempt.error == error
        assert timeout == LONG or timeout * 1000 <= attempt.ms < 5000


async def test_no_version_before_1_2_is_spoken(authority: Authority) -> None:
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old = _server(authority, "TLSv1_1")
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with receiver(polite, old, authority.ca) as world:
        assert (await world.post()).error == "tls_error"


def counting(resumed: list[bool | None]) -> Handle:
    """Closes after each answer, and notes whether the session was known."""

    async def handle(stream: Stream) -> None:
        assert isinstance(stream, trio.SSLStream)
        await request(stream)
        resumed.append(stream.session_reused)
        await stream.send_all(answer(204, more="connection: close\r\n"))

    return handle


async def test_sessions_are_resumed_by_all_clients_of_a_process(
    tls: ssl.SSLContext, authority: Authority
) -> None:
    resumed: list[bool | None] = []
    async with receiver(counting(resumed), tls, authority.ca) as world:
        for client in (world.client, world.client, world.new_client()):
            assert (await client.post(world.url, b"", b"{}", LONG)).status == 204
    assert resumed == [False, True, True]


async def test_sessions_are_resumed_only_where_they_were_made(
    tls: ssl.SSLContext, authority: Authority
) -> None:
    resumed: list[bool | None] = []
    async with receiver(counting(resumed), tls, authority.ca) as world:
        for name in ("shop.example", "other.example", "shop.example"):
            url = world.url.replace("shop.example", name)
            assert (await world.client.post(url, b"", b"{}", LONG)).status == 204
    assert resumed == [False, False, True]


async def test_a_session_does_not_stand_for_a_certificate(authority: Authority) -> None:
    """A receiver that forgot the session must prove its name again."""
    good, bad = _server(authority, "TLSv1_3"), _server(authority, "TLSv1_3", "wrong.example")
    async with receiver(counting([]), good, authority.ca) as world:
        assert (await world.post()).status == 204
        async with receiver(counting([]), bad, authority.ca) as other:
            there = ("shop.example", int(other.url.rstrip("/").rpartition(":")[2]))
            [other.backend._sessions[there]] = world.backend._sessions.values()
            assert (await other.post()).error == "certificate_not_trusted"
            assert not other.backend._sessions


# -- a connection alone --------------------------------------------------------------------------------------


async def test_a_connection_that_was_closed_here_says_so(
    speaks: ssl.SSLContext | None, authority: Authority
) -> None:
    async with receiver(silent, speaks, authority.ca) as world:
        wire = await world.dial()
        assert not wire.stale()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(close_when_blocked, wire)
            with pytest.raises(trio.ClosedResourceError):
                await wire.receive()
        with pytest.raises(trio.ClosedResourceError):
            await wire.receive()
        with pytest.raises(OSError, match="Bad file descriptor"):
            await wire.send(b"x")
        wire.close()
        assert wire.stale()


async def test_closing_wakes_whoever_sends(speaks: ssl.SSLContext | None, authority: Authority) -> None:
    async with receiver(deaf, speaks, authority.ca) as world:
        wire = await world.dial()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(close_when_blocked, wire)
            with pytest.raises(trio.ClosedResourceError):
                await wire.send(LARGE * 4)
        assert wire.stale()


async def close_when_blocked(wire: Wire) -> None:
    await trio.testing.wait_all_tasks_blocked(0.01)
    wire.close()


@pytest.mark.parametrize("what", [b"x", b""], ids=["it speaks", "it hangs up"])
async def test_an_idle_connection_is_stale_as_soon_as_the_peer_does_anything(
    speaks: ssl.SSLContext | None, authority: Authority, what: bytes
) -> None:
    now, done = trio.Event(), trio.Event()

    async def handle(stream: Stream) -> None:
        await stream.send_all(answer(204))
        await now.wait()
        if what:
            await stream.send_all(what)
        else:
            await stream.aclose()
        done.set()
        await trio.sleep_forever()

    async with receiver(handle, speaks, authority.ca) as world:
        wire = await world.dial()
        await wire.receive()
        assert not wire.stale()
        assert not wire.stale()
        now.set()
        await done.wait()
        assert wire.stale()
        wire.close()


async def test_a_burst_of_tiny_records_leaves_the_others_their_turn(
    tls: ssl.SSLContext, authority: Authority
) -> None:
    count, sent, turns = 2000, trio.Event(), 0

    async def handle(stream: Stream) -> None:
        for _ in range(count):
            await stream.send_all(b"x")
        sent.set()
        await trio.sleep_forever()

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with receiver(handle, tls, authority.ca) as world, trio.open_nursery() as nursery:
        wire = await world.dial()
        await sent.wait()
        nursery.start_soon(others)
        for _ in range(count):
            assert await wire.receive() == b"x"
        assert turns >= count * 0.9
        wire.close()
        nursery.cancel_scope.cancel()
