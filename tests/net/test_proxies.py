"""Proxies on loopback that a test writes: what they are told, and what becomes of their answers."""

import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import attrs
import pytest
import trio

from tests.tls import Authority
from unifyport.delivery.scripted import answer
from unifyport.model.proxy import Proxy
from unifyport.net.calls import CallClient
from unifyport.net.clients import NotConnected, ssl_context

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]
Script = list[tuple[bytes, bytes]]  # what the proxy must be told, and what it then answers
HOST = "platform.example"
LOGIN = base64.b64encode(b"user:pass").decode()


@attrs.define
class Peer:
    """A proxy that plays its script, and then is the platform itself."""

    port: int
    told: list[bytes] = attrs.field(factory=list)
    connections: int = 0


@contextlib.asynccontextmanager
async def proxy(script: Script, speaks: ssl.SSLContext | None = None) -> AsyncIterator[Peer]:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    peer = Peer(listener.socket.getsockname()[1])

    async def serve(stream: trio.SocketStream) -> None:
        peer.connections += 1
        with contextlib.suppress(trio.BrokenResourceError):
            async with stream:
                for expected, reply in script:
                    peer.told.append(await _read(stream, len(expected)))
                    await stream.send_all(reply)
                if not script or script[-1][1]:
                    await _answer(trio.SSLStream(stream, speaks, server_side=True) if speaks else stream)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        with trio.fail_after(20):
            yield peer
        nursery.cancel_scope.cancel()


async def _read(stream: Stream, count: int) -> bytes:
    data = b""
    while len(data) < count and (more := await stream.receive_some(count - len(data))):
        data += more
    return data


async def _answer(stream: Stream) -> None:
    while True:
        data = b""
        while not data.endswith(b"\r\n\r\n{}"):
            if not (more := await stream.receive_some()):
                return
            data += more
        await stream.send_all(answer(200, data))


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


async def call(peer: Peer, kind: str, url: str, *, login: bool = True, ca: Path | None = None) -> bytes:
    """What the platform was told, in two calls."""
    user = ("user", "pass") if login else ("", "")
    client = CallClient(ssl_context(ca), connections=1, proxy=Proxy(kind, "127.0.0.1", peer.port, *user))
    try:
        for _ in range(2):
            response = await client.request("POST", url, content=b"{}", timeout=10)
        return response.body
    finally:
        await client.aclose()


def connect(where: str, *, login: bool = True) -> bytes:
    more = f"Proxy-Authorization: Basic {LOGIN}\r\n" if login else ""
    return f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{more}\r\n".encode()


HELLO = (b"\x05\x01\x02", b"\x05\x02")
PASSWORD = (b"\x01\x04user\x04pass", b"\x01\x00")
NAMED = b"\x05\x01\x00\x03\x10platform.example\x01\xbb"
BOUND = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x12\x34"
CONNECTED = b"HTTP/1.1 200 Connection established\r\nx: y\r\n\r\n"

ROADS: dict[str, tuple[str, Script]] = {
    "http": ("http", [(connect(f"{HOST}:443"), CONNECTED)]),
    "http, an old one": ("http", [(connect(f"{HOST}:443"), b"HTTP/1.0 200\r\n\r\n")]),
    "socks5": ("socks5", [HELLO, PASSWORD, (NAMED, BOUND)]),
    "socks5, at a name": ("socks5", [HELLO, PASSWORD, (NAMED, b"\x05\x00\x00\x03\x01x\x12\x34")]),
    "socks5, at IPv6": ("socks5", [HELLO, PASSWORD, (NAMED, b"\x05\x00\x00\x04" + bytes(18))]),
}


@pytest.mark.parametrize(("kind", "script"), ROADS.values(), ids=ROADS.keys())
async def test_through_a_proxy_tls_is_with_the_platform(
    authority: Authority, kind: str, script: Script
) -> None:
    async with proxy(script, authority.server(HOST)) as peer:
        told = await call(peer, kind, f"https://{HOST}/x", ca=authority.ca)
    assert told.startswith(b"POST /x HTTP/1.1\r\nHost: platform.example\r\n")
    assert LOGIN.encode() not in told
    assert (peer.told, peer.connections) == ([expected for expected, _ in script], 1)


@pytest.mark.parametrize(("kind", "script"), ROADS.values(), ids=ROADS.keys())
async def test_the_certificate_must_be_for_the_platform(
    authority: Authority, kind: str, script: Script
) -> None:
    async with proxy(script, authority.server("127.0.0.1", "proxy.example")) as peer:
        with pytest.raises(NotConnected, match="proxy_error"):
            await call(peer, kind, f"https://{HOST}/x", ca=authority.ca)


async def test_without_a_login(authority: Authority) -> None:
    for kind, script in (
        ("http", [(connect(f"{HOST}:443", login=False), CONNECTED)]),
        ("socks5", [(b"\x05\x01\x00", b"\x05\x00"), (NAMED, BOUND)]),
    ):
        async with proxy(script, authority.server(HOST)) as peer:
            await call(peer, kind, f"https://{HOST}/x", login=False, ca=authority.ca)
        assert peer.told == [expected for expected, _ in script]


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("1.2.3.4:8081", b"\x01\x01\x02\x03\x04\x1f\x91"),
        ("[::2]:80", b"\x04" + bytes(15) + b"\x02\x00\x50"),
        ("localhost", b"\x03\x09localhost\x00\x50"),
    ],
)
async def test_socks5_carries_plain_http_too(host: str, where: bytes) -> None:
    script = [HELLO, PASSWORD, (b"\x05\x01\x00" + where, BOUND)]
    async with proxy(script) as peer:
        told = await call(peer, "socks5", f"http://{host}/x")
    assert told.startswith(b"POST /x HTTP/1.1\r\n")
    assert peer.told == [expected for expected, _ in script]


async def test_an_http_proxy_gets_plain_requests_itself() -> None:
    async with proxy([]) as peer:
        told = await call(peer, "http", f"http://{HOST}/x")
    assert told.startswith(f"POST http://{HOST}/x HTTP/1.1\r\n".encode())
    assert f"\r\nProxy-Authorization: Basic {LOGIN}\r\n".encode() in told


ASKED = connect(f"{HOST}:443")
REFUSED: dict[str, tuple[str, Script]] = {
    "http, wrong password": ("http", [(ASKED, b"HTTP/1.1 407 -\r\ncontent-length: 0\r\n\r\n"), (b"", b"")]),
    "http, forbidden": ("http", [(ASKED, b"HTTP/1.1 403 -\r\n\r\n"), (b"", b"")]),
    "http, nonsense": ("http", [(ASKED, b"220 smtp\r\n\r\n"), (b"", b"")]),
    "http, 2000": ("http", [(ASKED, b"HTTP/1.1 2000 -\r\n\r\n"), (b"", b"")]),
    "http, hangs up": ("http", [(ASKED, b"")]),
    "http, without end": ("http", [(ASKED, b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 9999), (b"", b"")]),
    "http, speaks on": ("http", [(ASKED, CONNECTED + b"evil"), (b"", b"")]),
    "socks5, other version": ("socks5", [(HELLO[0], b"\x04\x02"), (b"", b"")]),
    "socks5, no method": ("socks5", [(HELLO[0], b"\x05\xff"), (b"", b"")]),
    "socks5, no login": ("socks5", [(HELLO[0], b"\x05\x00"), (b"", b"")]),
    "socks5, wrong password": ("socks5", [HELLO, (PASSWORD[0], b"\x01\x01"), (b"", b"")]),
    "socks5, unreachable": ("socks5", [HELLO, PASSWORD, (NAMED, b"\x05\x04" + BOUND[2:]), (b"", b"")]),
    "socks5, hangs up": ("socks5", [HELLO, PASSWORD, (NAMED, BOUND[:5]), (b"", b"")]),
    "socks5, speaks on": ("socks5", [HELLO, PASSWORD, (NAMED, BOUND + b"evil"), (b"", b"")]),
}


@pytest.mark.parametrize(("kind", "script"), REFUSED.values(), ids=REFUSED.keys())
async def test_a_proxy_that_does_not_connect_has_passed_nothing_on(kind: str, script: Script) -> None:
    async with proxy(script) as peer:
        with pytest.raises(NotConnected, match="proxy_error"):
            await call(peer, kind, f"https://{HOST}/x")


async def test_a_name_that_no_host_can_have() -> None:
    host = "x" * 70 + ".example"
    async with proxy([]) as peer:
        with pytest.raises(NotConnected, match="unsupported_url"):
            await call(peer, "http", f"https://{host}/x")


async def test_nobody_is_the_proxy() -> None:
    async with proxy([]) as peer:
        pass
    with pytest.raises(NotConnected, match="proxy_error"):
        await call(peer, "socks5", f"https://{HOST}/x")


async def test_a_silent_proxy_ends_in_time(autojump_clock: trio.testing.MockClock) -> None:
    async def wait() -> None:
        await trio.sleep_forever()

    async with silent(wait) as port:
        client = CallClient(ssl_context(), connections=1, proxy=Proxy("http", "127.0.0.1", port))
        with pytest.raises(NotConnected, match="proxy_error"):
            await client.request("POST", f"https://{HOST}/", timeout=20)
        await client.aclose()


@contextlib.asynccontextmanager
async def silent(wait: Callable[[], Awaitable[None]]) -> AsyncIterator[int]:
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")

    async def serve(stream: trio.SocketStream) -> None:
        await wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        yield listener.socket.getsockname()[1]
        nursery.cancel_scope.cancel()
