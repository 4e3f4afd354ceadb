"""The PROXY protocol: its headers, and who may and must send one."""

import ipaddress
import socket
import ssl
import struct
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.front.serving import GET, Peer, front, settle
from tests.tls import Authority
from unifyport.front.exchange import Exchange
from unifyport.front.limits import LIMITS
from unifyport.front.proxy_protocol import ProxyHeaderError, read_client
from unifyport.front.tls import Certificate, TlsFiles

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V4 = socket.inet_pton(socket.AF_INET, "203.0.113.9") + socket.inet_pton(socket.AF_INET, "10.0.0.1")
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::9") + socket.inet_pton(socket.AF_INET6, "::1")
PORTS = struct.pack("!HH", 1234, 443)
LOOPBACK = [ipaddress.ip_network("127.0.0.1/32")]
V1 = b"PROXY TCP4 203.0.113.9 10.0.0.1 1234 443\r\n"


def v2(command: int, family: int, addresses: bytes, length: int | None = None) -> bytes:
    return (
        SIGNATURE
        + struct.pack("!BBH", command, family, len(addresses) if length is None else length)
        + addresses
    )


VALID = [
    (V1, "203.0.113.9"),
    (b"PROXY TCP6 2001:DB8:0::9 ::1 1234 443\r\n", "2001:db8::9"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff::1 65535 65535\r\n", None),
    (b"PROXY TCP6 " + b" ".join([b"ffff:" * 7 + b"ffff"] * 2) + b" 65535 65535\r\n", "ffff:" * 7 + "ffff"),
    (v2(0x21, 0x11, V4 + PORTS), "203.0.113.9"),
    (v2(0x21, 0x21, V6 + PORTS), "2001:db8::9"),
    (v2(0x21, 0x11, V4 + PORTS + b"\x04\x00\x01x"), "203.0.113.9"),  # and an extension
    (v2(0x20, 0x00, b""), None),
    (v2(0x20, 0x11, V4 + PORTS), None),  # the proxy's own, whatever it says
]
INVALID = [
    b"",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00",
    V1[:-5],
    b"PROXY TCP4\r\n",
    b"PROXY TCP4 203.0.113.9 10.0.0.1 1234\r\n",
    b"PROXY TCP4 203.0.113.9 10.0.0.1 1234 443 5\r\n",
    b"PROXY  TCP4 203.0.113.9 10.0.0.1 1234 443\r\n",
    b"PROXY TCP4 2001:db8::9 ::1 1234 443\r\n",
    b"PROXY TCP4 203.0.113.9 ::1 1234 443\r\n",
    b"PROXY TCP4 203.0.113.009 10.0.0.1 1234 443\r\n",
    b"PROXY TCP4 203.0.113.9 10.0.0.1 70000 443\r\n",
    b"PROXY TCP4 203.0.113.9 10.0.0.1 1234 -1\r\n",
    b"PROXY TCP6 fe80::1%lo ::1 1234 443\r\n",
    b"PROXY UDP4 203.0.113.9 10.0.0.1 1234 443\r\n",
    b"PROXY TCP4 203.0.113.9 10.0.0.1 1234 443\n" + b"x" * 100,
    b"PROXY UNKNOWN " + b"x" * 200 + b"\r\n",
    v2(0x21, 0x11, V4),  # without ports
    v2(0x21, 0x12, V4 + PORTS),  # UDP
    v2(0x21, 0x31, b"x" * 216),  # a local socket
    v2(0x21, 0x00, b""),
    v2(0x22, 0x11, V4 + PORTS),
    v2(0x11, 0x11, V4 + PORTS),
    v2(0x21, 0x11, V4 + PORTS, 20),  # longer than what comes
    v2(0x21, 0x11, b"x" * 2000),
]


async def read(raw: bytes, piece: int) -> tuple[str | None, bytes]:
    """(client, what was not read)."""
    left = raw

    async def receive(most: int) -> bytes:
        nonlocal left
        await trio.lowlevel.checkpoint()
        taken, left = left[: min(most, piece)], left[min(most, piece) :]
        return taken

    return await read_client(receive), left


@pytest.mark.parametrize("piece", [1, 1000])
@pytest.mark.parametrize(("raw", "client"), VALID)
async def test_a_header_names_the_client(raw: bytes, client: str | None, piece: int) -> None:
    assert await read(raw + GET, piece) == (client, GET)


@pytest.mark.parametrize("piece", [1, 1000])
@pytest.mark.parametrize("raw", INVALID)
async def test_what_is_no_header(raw: bytes, piece: int) -> None:
    with pytest.raises(ProxyHeaderError):
        await read(raw, piece)


async def whom(exchange: Exchange) -> None:
    await exchange.respond(200, [], f"{exchange.client} {exchange.scheme}".encode())


FORWARDED = b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\n\r\n"


@pytest.mark.parametrize(
    ("header", "client"),
    [
        (V1, b"203.0.113.9"),  # no trusted proxy: what its request reports means nothing
        (v2(0x21, 0x21, V6 + PORTS), b"2001:db8::9"),
        (b"PROXY TCP4 127.0.0.1 10.0.0.1 1234 443\r\n", b"198.51.100.1"),  # a trusted proxy before the proxy
        (v2(0x20, 0x00, b""), b"198.51.100.1"),
    ],
)
async def test_the_client_is_told_to_the_application(header: bytes, client: bytes) -> None:
    async with front(whom, trusted=LOOPBACK, proxy_protocol=True) as served:
        peer = await served.connect()
        for piece in (header[:5], header[5:] + FORWARDED + FORWARDED):
            await peer.send(piece)
            await settle()
        for _ in range(2):
            assert (await peer.answer()).body == client + b" http"


async def test_a_connection_without_a_header_is_closed() -> None:
    async with front(whom, trusted=LOOPBACK, proxy_protocol=True) as served:
        for raw in (GET, INVALID[-1]):
            peer = await served.connect()
            await peer.send(raw)
            assert await peer.cut_off() in (True, False)
        await served.count(0)
        assert not served.connections.refused


async def test_only_trusted_proxies_may_connect() -> None:
    async with front(whom, trusted=LOOPBACK, proxy_protocol=True) as served:
        peer = await served.connect("127.0.0.2")
        await peer.send(V1 + GET)
        assert await peer.cut_off() in (True, False)
        assert not peer._buffer
        peer = await served.connect("127.0.0.1")
        await peer.send(V1 + GET)
        assert (await peer.answer()).status == 200


async def test_a_slow_header_is_given_up(mock_clock: MockClock) -> None:
    async with front(whom, trusted=LOOPBACK, proxy_protocol=True) as served:
        peers = [await served.connect() for _ in range(2)]
        await peers[1].send(V1[:20])
        await settle()
        mock_clock.jump(LIMITS.handshake_seconds + 0.5)
        for peer in peers:
            assert await peer.rest() == b""
        await served.count(0)


async def test_the_header_comes_before_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate = Certificate(TlsFiles(*authority.issue("localhost")))
    async with front(whom, trusted=LOOPBACK, proxy_protocol=True, certificate=certificate) as served:
        plain = await trio.open_tcp_stream(*served.address)
        await plain.send_all(V1)
        trusting = ssl.create_default_context(cafile=authority.ca)
        peer = Peer(trio.SSLStream(plain, trusting, server_hostname="localhost"))
        await peer.send(GET)
        assert (await peer.answer()).body == b"203.0.113.9 https"
        bare = await trio.open_tcp_stream(*served.address)
        hidden = trio.SSLStream(bare, trusting, server_hostname="localhost")
        with pytest.raises(trio.BrokenResourceError):
            await hidden.do_handshake()
