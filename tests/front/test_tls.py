"""TLS: versions, ALPN, names, failed and slow handshakes, certificates that are replaced."""

import contextlib
import gc
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.front.serving import GET, Front, Peer, echo, front, post, settle
from tests.tls import Authority
from unifyport.front.connections import TICK
from unifyport.front.exchange import Exchange
from unifyport.front.limits import LIMITS
from unifyport.front.tls import LOOK_SECONDS, Certificate, TlsFiles
from unifyport.front.transports import TlsTransport


class Pair:
    """The files of a certificate, which are replaced as renewals replace them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.files = TlsFiles(directory / "cert.pem", directory / "key.pem")
        self.authority: Authority
        self.renew()

    def renew(self, *hosts: str, key: bool = True) -> None:
        self.authority = Authority(self._directory)
        cert, new_key = self.authority.issue(*(hosts or ("localhost",)))
        cert.replace(self.files.cert)
        if key:
            new_key.replace(self.files.key)

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority.ca)


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


async def connect(served: Front, context: ssl.SSLContext, name: str | None = "localhost") -> Peer:
    """A connection whose handshake is done."""
    stream = trio.SSLStream(await trio.open_tcp_stream(*served.address), context, server_hostname=name)
    await stream.do_handshake()
    return Peer(stream)


async def test_requests_over_tls(pair: Pair) -> None:
    async with front(echo, certificate=Certificate(pair.files)) as served:
        peer = await connect(served, pair.trusting)
        for body in (b"one", b"x" * 300_000):
            await peer.send(post(body))
            assert (await peer.answer()).body == b"POST / " + body
        await peer.send(GET * 50)
        for _ in range(50):
            await peer.answer()
        await peer.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await peer.answer()
        assert await peer.rest() == b""  # `close_notify`: nothing was cut off


class InPieces(trio.abc.HalfCloseableStream):
    """Sends each byte by itself, and lets the front read it."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        for byte in bytes(data):
            await self._stream.send_all(bytes([byte]))
            await settle(0)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        return await self._stream.receive_some(max_bytes)

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def test_a_handshake_that_comes_byte_by_byte(pair: Pair) -> None:
    async with front(echo, certificate=Certificate(pair.files)) as served:
        raw = InPieces(await trio.open_tcp_stream(*served.address))
        stream = trio.SSLStream(raw, pair.trusting, server_hostname="localhost")
        await stream.do_handshake()
        await stream.send_all(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 ")


async def test_a_hello_that_is_not_whole_costs_no_tls_state(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = Certificate(pair.files)
    made: list[bytes] = []

    class Counted(TlsTransport):
        def __init__(self, connected: Any, context: ssl.SSLContext, begin: bytes = b"") -> None:
            made.append(begin)
            super().__init__(connected, context, begin)

    monkeypatch.setattr("unifyport.front.listener.TlsTransport", Counted)
    async with front(echo, certificate=certificate) as served:
        for begin in (b"", b"\x16\x03\x01", b"\x16\x03\x01\x02\x00" + b"x" * 511):
            peer = await served.connect()
            await peer.send(begin)
            await settle()
        assert made == []
        await peer.send(b"x")
        assert await peer.rest()  # an alert
        assert [len(begin) for begin in made] == [517]


async def test_a_refused_body_over_tls(pair: Pair, mock_clock: MockClock) -> None:
    async with front(echo, certificate=Certificate(pair.files)) as served:
        peer = await connect(served, pair.trusting)
        await peer.send(b"garbage\r\n\r\n" + b"x" * 30_000)
        assert (await peer.answer()).status == 400
        await settle()
        mock_clock.jump(LIMITS.linger_seconds + TICK)
        assert await peer.cut_off() in (True, False)
        await served.count(0)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions(pair: Pair, version: ssl.TLSVersion) -> None:
    context = pair.trusting
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if version is ssl.TLSVersion.TLSv1_1:
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = context.maximum_version = version
    else:
        context.minimum_version = context.maximum_version = version
    async with front(echo, certificate=Certificate(pair.files)) as served:
        if version is ssl.TLSVersion.TLSv1_1:
            with pytest.raises(trio.BrokenResourceError):
                await connect(served, context)
            await served.count(0)
            assert served.connections.failed_handshakes == 1
        else:
            peer = await connect(served, context)
            await peer.send(GET)
            assert (await peer.answer()).status == 200
            assert served.connections.failed_handshakes == 0


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [(["h2", "http/1.1"], "http/1.1"), (["http/1.1"], "http/1.1"), (["h2"], None), ([], None)],
)
async def test_alpn(pair: Pair, offered: list[str], chosen: str | None) -> None:
    context = pair.trusting
    if offered:
        context.set_alpn_protocols(offered)
    async with front(echo, certificate=Certificate(pair.files)) as served:
        peer = await connect(served, context)
        assert isinstance(peer.stream, trio.SSLStream)
        assert peer.stream.selected_alpn_protocol() == chosen


@pytest.mark.parametrize("name", ["localhost", "another.example", None])
async def test_one_certificate_for_every_name(pair: Pair, name: str | None) -> None:
    context = pair.trusting
    context.check_hostname = False
    async with front(echo, certificate=Certificate(pair.files)) as served:
        peer = await connect(served, context, name)
        await peer.send(GET)
        assert (await peer.answer()).status == 200


async def test_failed_handshakes_are_counted_and_hurt_nobody(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    async with front(echo, certificate=Certificate(pair.files)) as served:
        for raw in (GET, b"\x16\x03\x01\x00\x05hello", b""):
            peer = await served.connect()
            await peer.send(raw)
            await peer.half_close()
            await peer.cut_off()
        reset = await served.connect()
        await reset.send(b"\x16\x03")
        await settle()
        reset.reset()
        with pytest.raises(trio.BrokenResourceError):  # who distrusts us
            await connect(served, ssl.create_default_context())
        await served.count(0)
        assert served.connections.failed_handshakes >= 4
        peer = await connect(served, pair.trusting)
        await peer.send(GET)
        assert (await peer.answer()).status == 200
    assert not caplog.records


async def test_a_handshake_that_takes_too_long_is_given_up(pair: Pair, mock_clock: MockClock) -> None:
    async with front(echo, certificate=Certificate(pair.files)) as served:
        peers = [await served.connect() for _ in range(3)]
        await peers[0].send(b"\x16\x03\x01")
        await settle()
        mock_clock.jump(LIMITS.handshake_seconds - 1)
        await settle()
        assert len(served.connections) == 3
        mock_clock.jump(1.5)
        for peer in peers:
            await peer.cut_off()
        await served.count(0)
        assert served.connections.failed_handshakes == 3


async def test_what_tls_holds_is_freed_with_its_connection(pair: Pair) -> None:
    """Without the garbage collector, which runs seldom: it is hundreds of KiB."""

    def held() -> int:
        return sum(isinstance(known, ssl.SSLObject) for known in gc.get_objects())

    async with front(echo, certificate=Certificate(pair.files)) as served:
        gc.collect()
        gc.disable()
        try:
            for raw in (b"\x16\x03\x01\x02\x00", b"\x16\x03\x01\x00\x05hello"):
                stalled = await served.connect()
                await stalled.send(raw)
                await settle()
                stalled.socket.close()
            context = pair.trusting
            peer = await connect(served, context)
            await peer.send(GET)
            await peer.answer()
            peer.reset()
            del peer
            await served.count(0)
            await settle()
            clients = 1  # trio's side of the test is such a cycle
            assert held() <= clients
        finally:
            gc.enable()


async def test_a_slow_head_is_a_408(pair: Pair, mock_clock: MockClock) -> None:
    async with front(echo, certificate=Certificate(pair.files)) as served:
        peer = await connect(served, pair.trusting)
        await peer.send(GET[:10])
        await settle()
        mock_clock.jump(LIMITS.head_seconds + TICK)
        assert (await peer.answer()).status == 408


async def test_a_peer_that_sends_nothing_more_is_still_answered(pair: Pair) -> None:
    async with front(echo, certificate=Certificate(pair.files)) as served:
        peer = await connect(served, pair.trusting)
        await peer.send(post(b"abc") * 2)
        assert isinstance(peer.stream, trio.SSLStream)
        with contextlib.suppress(ssl.SSLError):
            peer.stream._ssl_object.unwrap()  # trio has no half-close of TLS
        await peer.stream.transport_stream.send_all(peer.stream._outgoing.read())
        for _ in range(2):
            assert (await peer.answer()).body == b"POST / abc"


async def test_tiny_records(pair: Pair) -> None:
    async with front(echo, certificate=Certificate(pair.files)) as served:
        peer = await connect(served, pair.trusting)
        for _ in range(2):
            for byte in post(b"x" * 500):
                await peer.send(bytes([byte]))
            assert (await peer.answer()).body == b"POST / " + b"x" * 500


PHASES = {
    "idle": b"",
    "head": GET[:10],
    "garbage": b"garbage\r\n\r\n",
    "body": post(b"abc")[:-1],
    "streaming": b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n",
    "long": b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n",
}


async def _answer(exchange: Exchange) -> None:
    if exchange.path == b"/stream":
        await exchange.start(200, [])
        while True:
            await exchange.write(b"x" * 65536)
    if exchange.path == b"/long":
        return await exchange.respond(200, [], b"x" * 20_000_000)
    return await echo(exchange)


@pytest.mark.parametrize("how", ["reset", "close", "close_notify"])
@pytest.mark.parametrize("phase", PHASES)
async def test_a_peer_may_go_in_any_phase(
    pair: Pair, phase: str, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with front(_answer, certificate=Certificate(pair.files)) as served:
        peers = [await connect(served, pair.trusting) for _ in range(2)]
        for peer in peers:
            await peer.send(PHASES[phase])
        await settle(0.02)
        for peer in peers:
            if how == "reset":
                peer.reset()
            elif how == "close_notify":
                await peer.stream.aclose()
            else:
                peer.socket.shutdown(socket.SHUT_RDWR)
        with trio.fail_after(10):
            await served.count(0)
        peer = await connect(served, pair.trusting)
        await peer.send(GET)
        assert (await peer.answer()).status == 200
    assert not caplog.records


# -- certificates that are replaced --------------------------------------------------------------------------


async def test_a_certificate_that_is_replaced_is_used(pair: Pair, mock_clock: MockClock) -> None:
    certificate = Certificate(pair.files)
    async with front(echo, certificate=certificate) as served, trio.open_nursery() as nursery:
        nursery.start_soon(certificate.run)
        await settle()
        before = await connect(served, pair.trusting)
        await before.send(GET)
        await before.answer()
        old, context = pair.trusting, certificate.context
        pair.renew()
        mock_clock.jump(LOOK_SECONDS)
        while certificate.context is context:
            await settle()
        assert certificate.problem is None
        peer = await connect(served, pair.trusting)
        await peer.send(GET)
        assert (await peer.answer()).status == 200
        with pytest.raises(trio.BrokenResourceError):
            await connect(served, old)
        await before.send(GET)  # connections stay
        assert (await before.answer()).status == 200
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("no file", "No such file"),
        ("no certificate", "no certificate in PEM"),
        ("the key of another one", "the key is not that of the certificate"),
    ],
)
async def test_a_pair_that_cannot_be_used_leaves_the_one_before(pair: Pair, broken: str, told: str) -> None:
    certificate, old = Certificate(pair.files), pair.trusting
    expires_at = certificate.expires_at
    if broken == "no file":
        pair.files.key.unlink()
    elif broken == "no certificate":
        pair.files.cert.write_text("hello")
    else:
        pair.renew(key=False)
    certificate.reload()
    assert certificate.problem
    assert told in certificate.problem
    assert certificate.expires_at == expires_at
    async with front(echo, certificate=certificate) as served:
        peer = await connect(served, old)
        await peer.send(GET)
        assert (await peer.answer()).status == 200
        pair.renew()
        certificate.reload()
        assert certificate.problem is None
        await connect(served, pair.trusting)


async def test_files_that_are_replaced_one_after_the_other_are_read_in_the_end(
    pair: Pair, mock_clock: MockClock
) -> None:
    certificate = Certificate(pair.files)
    context = certificate.context
    async with trio.open_nursery() as nursery:
        nursery.start_soon(certificate.run)
        await settle()
        pair.renew(key=False)
        mock_clock.jump(LOOK_SECONDS)
        while certificate.problem is None:
            await settle()
        assert certificate.context is context
        pair.renew()
        mock_clock.jump(LOOK_SECONDS)
        while certificate.problem is not None:
            await settle()
        assert certificate.context is not context
        nursery.cancel_scope.cancel()


def test_a_certificate_that_cannot_be_used_is_an_error_at_the_start(pair: Pair) -> None:
    pair.files.key.write_text("hello")
    with pytest.raises(OSError):
        Certificate(pair.files)


async def test_a_rejection_ends_when_the_files_are_as_before(pair: Pair, autojump_clock: MockClock) -> None:
    certificate = Certificate(pair.files)
    kept = pair.files.key.with_name("kept.pem")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(certificate.run)
        pair.files.key.rename(kept)
        with pytest.raises(OSError, match="No such file") as missing:
            certificate.read()
        certificate.reject(missing.value)
        assert certificate.problem == "No such file or directory"
        kept.rename(pair.files.key)
        for _ in range(1000):  # the clock does not wait for the thread that looks
            await trio.sleep(LOOK_SECONDS)
            if certificate.problem is None:
                break
        assert certificate.problem is None
        nursery.cancel_scope.cancel()


def test_a_certificate_that_expires_soon_is_warned_of_once_a_day(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = Certificate(pair.files)
    at = certificate.expires_at

    def said(now: float) -> list[str]:
        caplog.clear()
        certificate._warn_before_expiry(now)
        return [record.getMessage() for record in caplog.records]

    assert said(at - 15 * 86_400) == []
    assert "expires in 13 days" in said(at - 13 * 86_400)[0]
    assert said(at - 13 * 86_400 + 3600) == []
    assert "expires in 2 days" in said(at - 2 * 86_400)[0]
    assert "has expired" in said(at + 60 * 86_400)[0]
