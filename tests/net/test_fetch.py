"""Fetching what a customer's URL names: the guard is asked about each hop, and nothing is unbounded."""

import ipaddress
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
import trio

from unifyport.net.clients import ConnectionLost, NotConnected, TooLarge, ssl_context
from unifyport.net.fetch import Fetched, FetchRefused, fetch
from unifyport.net.guard import Address, AddressGuard, UrlNotAllowed

LOOPBACK = (ipaddress.ip_network("127.0.0.1/32"),)
Answer = Callable[[bytes], bytes]


async def resolve(host: str) -> Sequence[Address]:
    await trio.lowlevel.checkpoint()
    return [ipaddress.ip_address("127.0.0.1" if host == "files.example" else "10.0.0.7")]


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[int]:
    """Answers each connection once, with what `answer` makes of the request."""

    async def serve(stream: trio.SocketStream) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += await stream.receive_some()
        with suppress(trio.BrokenResourceError):
            await stream.send_all(answer(request))

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(
            lambda task_status: trio.serve_tcp(serve, 0, host="127.0.0.1", task_status=task_status)
        )
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


async def get(url: str, *, limit: int = 1000, timeout: float = 5.0) -> tuple[Fetched, bytes]:
    content = bytearray()

    async def sink(chunk: bytes) -> None:
        await trio.lowlevel.checkpoint()
        content.extend(chunk)

    guard = AddressGuard(resolve, LOOPBACK)
    fetched = await fetch(guard, ssl_context(), url, sink, limit=limit, timeout=timeout)
    return fetched, bytes(content)


def ok(body: bytes, more: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n%bconnection: close\r\n\r\n%b" % (more, body)


async def test_a_body_that_is_encoded_is_not_the_file() -> None:
    async with server(lambda request: ok(b"x", b"content-encoding: gzip\r\n")) as port:
        with pytest.raises(FetchRefused, match="content_encoding"):
            await get(f"http://files.example:{port}/a.png")


async def test_a_file_is_fetched_under_its_own_name() -> None:
    requests: list[bytes] = []

    def answer(request: bytes) -> bytes:
        requests.append(request)
        return ok(b"pixels")

    async with server(answer) as port:
        fetched, content = await get(f"http://files.example:{port}/a%20b.png?x=1")
    assert (fetched, content) == (Fetched("image/png", 6), b"pixels")
    [request] = requests
    assert request.startswith(b"GET /a%20b.png?x=1 HTTP/1.1\r\n")
    assert f"host: files.example:{port}".encode() in request.lower()
    assert b"cookie" not in request.lower()
    assert b"authorization" not in request.lower()


async def test_a_server_may_name_its_file() -> None:
    named = b'content-disposition: attachment; filename="b\xc3\xa1o gi\xc3\xa1.pdf"\r\n'
    async with server(lambda request: ok(b"x", named)) as port:
        fetched, _ = await get(f"http://files.example:{port}/x")
    assert fetched == Fetched("image/png", 1, "báo giá.pdf")


async def test_a_redirect_is_followed_when_it_may_be() -> None:
    def answer(request: bytes) -> bytes:
        if request.startswith(b"GET /old"):
            return b"HTTP/1.1 302 Found\r\nlocation: /new\r\nconnection: close\r\n\r\n"
        return ok(b"new")

    async with server(answer) as port:
        assert (await get(f"http://files.example:{port}/old"))[1] == b"new"


@pytest.mark.parametrize(
    "location",
    [
        "http://10.0.0.7/",
        "https://private.example/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://2130706434/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
    ],
)
async def test_a_redirect_to_where_nobody_may_go_is_refused(location: str) -> None:
    def answer(request: bytes) -> bytes:
        return f"HTTP/1.1 302 Found\r\nlocation: {location}\r\nconnection: close\r\n\r\n".encode()

    async with server(answer) as port:
        with pytest.raises(UrlNotAllowed):
            await get(f"http://files.example:{port}/")


async def test_redirects_have_an_end() -> None:
    loop = b"HTTP/1.1 307 Again\r\nlocation: /again\r\nconnection: close\r\n\r\n"
    async with server(lambda request: loop) as port:
        with pytest.raises(FetchRefused, match="too_many_redirects"):
            await get(f"http://files.example:{port}/")


async def test_what_is_too_large_ends_while_it_comes() -> None:
    async with server(lambda request: ok(b"x" * 5000)) as port:
        with pytest.raises(TooLarge):
            await get(f"http://files.example:{port}/", limit=1000)


async def test_what_is_no_file_says_its_status() -> None:
    async with server(lambda request: b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n") as port:
        with pytest.raises(FetchRefused, match="http_404"):
            await get(f"http://files.example:{port}/")


async def test_time_is_bounded_however_slow_it_is(autojump_clock: trio.testing.MockClock) -> None:
    async def never(host: str) -> Sequence[Address]:
        await trio.sleep_forever()
        raise AssertionError

    async def sink(chunk: bytes) -> None:
        raise AssertionError

    with pytest.raises(ConnectionLost, match="timeout"):
        await fetch(AddressGuard(never), ssl_context(), "https://slow.example/", sink, limit=1, timeout=30)
    assert trio.current_time() == 30


async def test_a_server_that_is_not_there_was_not_connected() -> None:
    async with server(lambda request: b"") as port:
        pass
    with pytest.raises(NotConnected):
        await get(f"http://files.example:{port}/")
