"""Connections over sockets: framing of answers, bodies, half-closed and reset peers."""

import contextlib
import socket

import h11
import pytest
import trio

from tests.front.serving import GET, Peer, echo, front, post, read_all, settle
from unifyport.front.connections import TICK
from unifyport.front.exchange import Disconnected, Exchange
from unifyport.front.listener import serve_alone

CLOSE = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def h11_reads(raw: bytes, method: str = "GET") -> tuple[int, bytes, bool]:
    """(status, body, whether the connection may go on), as h11 reads a whole answer."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
    client.send(h11.EndOfMessage())
    client.receive_data(raw)
    client.receive_data(b"")
    status, body = 0, b""
    while True:
        event = client.next_event()
        if isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            assert isinstance(event, h11.EndOfMessage), event
            return status, body, client.their_state is h11.DONE


async def test_a_connection_serves_one_request_after_the_other() -> None:
    async with front(echo) as served:
        peer = await served.connect()
        for body in (b"one", b"", b"x" * 200_000):
            await peer.send(post(body))
            answer = await peer.answer()
            assert (answer.status, answer.body) == (200, b"POST / " + body)
            assert list(answer.fields) == ["x-made", "date", "content-length"]
        await peer.send(CLOSE)
        assert (await peer.answer()).fields["connection"] == "close"
        assert await peer.rest() == b""


async def test_serve_alone_serves_until_it_is_cancelled() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: serve_alone(listening, echo, most=2))
            peer = Peer(await trio.open_tcp_stream(*listening.getsockname()))
            await peer.send(GET)
            assert (await peer.answer()).body == b"GET / "
            nursery.cancel_scope.cancel()
        assert await peer.rest() == b""


async def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    async with front(echo) as served:
        peer = await served.connect()
        chunked = b"POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        await peer.send(b"".join(chunked % n for n in range(100)))
        for n in range(100):
            assert (await peer.answer()).body == b"POST /%d x" % n


async def test_at_most_64_kib_are_read_ahead() -> None:
    async def handler(exchange: Exchange) -> None:
        await trio.sleep_forever()

    async with front(handler) as served:
        peer = await served.connect()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(peer.send, GET * 10_000)
            await settle()
            [connection] = served.listener._open
            assert 0 < connection._reader.buffered <= 64 * 1024
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("streams", [False, True])
async def test_head_has_the_fields_and_no_body(streams: bool) -> None:
    async def handler(exchange: Exchange) -> None:
        if streams:
            await exchange.start(200, [])
            await exchange.write(b"abc")
            await exchange.finish()
        else:
            await exchange.respond(200, [], b"abc")

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
        for _ in range(2):
            _, fields = await peer.head()
            assert ("transfer-encoding" in fields) is streams
            assert fields.get("content-length") == (None if streams else "3")
        await peer.half_close()
        assert await peer.rest() == b""


async def test_a_stream_is_chunked() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, [])
        for piece in (b"abc", b"", b"x" * 300_000):
            await exchange.write(piece)
        await exchange.finish()

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(GET)
        await peer.half_close()
        assert h11_reads(await peer.rest()) == (200, b"abc" + b"x" * 300_000, True)


async def test_http_1_0() -> None:
    async def handler(exchange: Exchange) -> None:
        if exchange.path == b"/stream":
            await exchange.start(200, [])
            await exchange.write(b"abc")
            await exchange.finish()
        else:
            await exchange.respond(200, [], b"abc")

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = await peer.answer()
        assert (answer.body, answer.fields["connection"]) == (b"abc", "keep-alive")
        await peer.send(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        _, fields = await peer.head()
        assert fields["connection"] == "close"
        assert "transfer-encoding" not in fields
        assert await peer.rest() == b"abc"
        peer = await served.connect()
        await peer.send(b"GET / HTTP/1.0\r\n\r\n")
        assert (await peer.answer()).fields["connection"] == "close"
        assert await peer.rest() == b""


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("streams", [False, True])
async def test_some_statuses_have_no_body(status: int, streams: bool) -> None:
    async def handler(exchange: Exchange) -> None:
        if streams:
            await exchange.start(status, [(b"content-length", b"3")])
            await exchange.finish()
        else:
            await exchange.respond(status, [], b"a body that would be read as the next answer")

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(GET * 2)
        for _ in range(2):
            found, fields = await peer.head()
            assert found == status
            assert not fields.keys() & {"content-length", "transfer-encoding"}
        await peer.half_close()
        assert await peer.rest() == b""


@pytest.mark.parametrize(
    ("pieces", "body"),
    [([b"abc"], b"abc"), ([b"ab"], b"ab"), ([b"ab", b"cd"], b"ab"), ([b"abc", b""], b"abc")],
)
async def test_an_answer_is_as_long_as_it_says_or_the_connection_ends(
    pieces: list[bytes], body: bytes
) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, [(b"content-length", b"3")])
        for piece in pieces:
            await exchange.write(piece)
        await exchange.finish()

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(GET)
        _, fields = await peer.head()
        assert fields["content-length"] == "3"
        assert await peer.exactly(len(body)) == body
        if body != b"abc":
            assert await peer.rest() == b""
        else:
            await peer.send(GET)
            await peer.head()


async def test_100_continue_is_sent_when_the_handler_first_reads() -> None:
    reads = trio.Event()

    async def handler(exchange: Exchange) -> None:
        await reads.wait()
        await echo(exchange)

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        with trio.move_on_after(0.05) as waited:
            await peer.until(b"100")
        assert waited.cancelled_caught
        reads.set()
        assert await peer.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await peer.send(b"a", b"bc")
        assert (await peer.answer()).body == b"POST / abc"


EXPECTS = (
    b"POST / HTTP/1.%d\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
    b"Connection: keep-alive\r\n\r\n"
)


@pytest.mark.parametrize("request_", [EXPECTS % 1 + b"abc", EXPECTS % 1 + b"a", EXPECTS % 0])
async def test_100_continue_is_not_sent_where_nobody_waits_for_it(request_: bytes) -> None:
    async with front(echo) as served:
        peer = await served.connect()
        await peer.send(request_)
        await settle()
        await peer.send(b"abc"[len(request_.partition(b"\r\n\r\n")[2]) :])
        assert (await peer.answer()).status == 200


async def test_an_answer_that_reads_nothing_ends_the_connection() -> None:
    """The peer that waits for `100 Continue` may or may not send its body after such an answer."""

    async def handler(exchange: Exchange) -> None:
        await exchange.respond(401, [], b"no")

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(EXPECTS % 1)
        answer = await peer.answer()
        assert (answer.status, answer.fields["connection"]) == (401, "close")
        assert await peer.rest() == b""


async def test_a_body_that_came_and_was_not_read_is_skipped() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(401, [], b"no")

    async with front(handler) as served:
        peer = await served.connect()
        chunked = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
        for request in (post(b"abc"), chunked, GET):
            await peer.send(request)
            assert "connection" not in (await peer.answer()).fields


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nnonsense\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /\r\n", 400),
    ],
)
async def test_what_cannot_be_served_is_answered_and_ends_the_connection(raw: bytes, status: int) -> None:
    async with front(echo) as served:
        peer = await served.connect()
        await peer.send(GET + raw)
        await peer.answer()
        answer = await peer.answer()
        assert (answer.status, answer.fields["connection"]) == (status, "close")
        assert await peer.rest() == b""
        assert await served.works()


async def test_upgrade_is_ignored_and_the_absolute_form_is_served() -> None:
    async with front(echo) as served:
        peer = await served.connect()
        await peer.send(post(b"abc", b"Connection: upgrade\r\nUpgrade: websocket\r\n"))
        assert (await peer.answer()).body == b"POST / abc"
        await peer.send(b"GET http://example/a%20b HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await peer.answer()).body == b"GET /a%20b "


async def test_a_peer_that_sends_nothing_more_is_still_answered() -> None:
    go_on = trio.Event()

    async def handler(exchange: Exchange) -> None:
        await go_on.wait()
        await echo(exchange)

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(post(b"abc") * 2)
        await peer.half_close()
        await trio.sleep(3 * TICK)
        go_on.set()
        for _ in range(2):
            assert (await peer.answer()).body == b"POST / abc"
        assert await peer.rest() == b""


@pytest.mark.parametrize("streams", [False, True])
async def test_a_long_answer_is_whole_for_a_peer_that_sends_nothing_more(streams: bool) -> None:
    """It reads nothing for a while, so that the front waits in the middle of the answer."""
    body = b"x" * 20_000_000

    async def handler(exchange: Exchange) -> None:
        if streams:
            await exchange.start(200, [(b"content-length", b"%d" % len(body))])
            await exchange.write(body)
            await exchange.finish()
        else:
            await exchange.respond(200, [], body)

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(GET)
        await peer.half_close()
        await trio.sleep(4 * TICK)
        assert (await peer.answer()).body == body


async def test_a_stream_ends_when_its_peer_sends_nothing_more() -> None:
    ended = trio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await exchange.start(200, [])
            await exchange.write(b"first")
            await trio.sleep_forever()
        finally:
            ended.set()

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(GET)
        await peer.until(b"first")
        await peer.half_close()
        with trio.fail_after(5):
            await ended.wait()
        await served.count(0)


@pytest.mark.parametrize(("method", "cancelled"), [(b"GET", True), (b"HEAD", True), (b"POST", False)])
async def test_a_reset_cancels_what_only_reads(method: bytes, cancelled: bool) -> None:
    begun, ended, done = trio.Event(), trio.Event(), list[str]()
    go_on = trio.Event()

    async def handler(exchange: Exchange) -> None:
        begun.set()
        try:
            await go_on.wait()
            done.append("work")
            await exchange.respond(200, [], b"")
        finally:
            ended.set()

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
        await begun.wait()
        peer.reset()
        with trio.move_on_after(0.1 if not cancelled else 5):
            await ended.wait()
        await trio.sleep(0 if cancelled else 3 * TICK)
        assert ended.is_set() is cancelled
        go_on.set()
        await ended.wait()
        assert done == ([] if cancelled else ["work"])
        await served.count(0)


async def test_an_idle_peer_that_closes_is_gone_at_once() -> None:
    async with front(echo) as served:
        for request in (b"", GET):
            peer = await served.connect()
            if request:
                await peer.send(request)
                await peer.answer()
            await served.count(1)
            await peer.stream.aclose()
            with trio.fail_after(TICK):
                await served.count(0)


@pytest.mark.parametrize("started", [False, True])
async def test_a_crash_is_a_500_that_says_nothing(started: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def handler(exchange: Exchange) -> None:
        if started:
            await exchange.start(200, [])
            await exchange.write(b"first")
        raise ValueError("a secret")

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(post(b"abc"))
        if started:
            await peer.until(b"first\r\n")
            assert await peer.rest() == b""  # no last chunk
        else:
            answer = await peer.answer()
            assert (answer.status, answer.body) == (500, b"internal server error")
            assert await peer.rest() == b""
        assert [record.message for record in caplog.records] == ["a request crashed"]


async def test_a_second_answer_of_a_handler_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(200, [], b"one")
        await exchange.respond(200, [], b"two")

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(GET)
        assert (await peer.answer()).body == b"one"
        assert await peer.rest() == b""
        assert [record.message for record in caplog.records] == ["a request crashed"]


async def test_an_answer_that_was_cut_off_is_not_followed_by_another() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start(200, [])
        with trio.move_on_after(0.05):
            await exchange.write(b"x" * 50_000_000)
        await exchange.write(b"y")
        await exchange.finish()

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(GET)
        await served.count(0)
        await peer.head()
        with contextlib.suppress(trio.BrokenResourceError):
            assert b"y" not in await peer.rest()


async def test_a_read_that_is_cancelled_loses_nothing() -> None:
    async def handler(exchange: Exchange) -> None:
        body = b""
        while len(body) < 600:
            with trio.move_on_after(0.001):
                body += await exchange.read()
        await exchange.respond(200, [], body)

    async with front(handler) as served:
        peer = await served.connect()
        await peer.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(2):
            await peer.send(b"1\r\nx\r\n" * 300)
            await trio.sleep(0.005)
        await peer.send(b"0\r\n\r\n")
        assert (await peer.answer()).body == b"x" * 600


async def _wait(exchange: Exchange) -> None:
    """Do what the path says, and wait there."""
    if exchange.path == b"/works":
        await exchange.respond(200, [], b"")
        return
    try:
        if exchange.path == b"/body":
            await read_all(exchange)
        elif exchange.path == b"/stream":
            await exchange.start(200, [])
            while True:
                await exchange.write(b"x" * 65536)
        elif exchange.path == b"/long":
            await exchange.respond(200, [], b"x" * 20_000_000)
        elif exchange.path == b"/work":
            await trio.sleep(2 * TICK)
            await exchange.respond(200, [], b"x" * 1000)
        elif exchange.path == b"/refused":
            await exchange.respond(401, [], b"")
        else:
            await exchange.respond(200, [], b"")
    except Disconnected:
        if exchange.method == "PUT":
            raise


def _request(path: bytes, method: bytes = b"POST", length: int = 10) -> bytes:
    return b"%b %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (method, path, length)


PHASES = {
    "new": b"",
    "head": b"GET / HTTP",
    "idle": GET,
    "garbage": b"garbage\r\n\r\n",
    "garbage that goes on": b"garbage\r\n\r\n" + b"x" * 100_000,
    "body": _request(b"/body") + b"abc",
    "body, unhandled": _request(b"/body", b"PUT") + b"abc",
    "chunk": b"POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "expected": EXPECTS % 1,
    "work": _request(b"/work", length=0),
    "work that reads": _request(b"/work", b"GET", 0),
    "writing": _request(b"/long", b"GET", 0),
    "writing, unhandled": _request(b"/long", b"PUT", 0),
    "streaming": _request(b"/stream", length=0),
    "lingering": _request(b"/refused", length=1_000_000) + b"abc",
    "pipelined": GET * 1000,
}


@pytest.mark.parametrize("how", ["reset", "close", "half-close"])
@pytest.mark.parametrize("phase", PHASES)
async def test_a_peer_may_go_in_any_phase(phase: str, how: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged, nothing is left, and the front goes on."""
    async with front(_wait) as served:
        peers = [await served.connect() for _ in range(3)]
        for peer in peers:
            await peer.send(PHASES[phase])
        await settle(0.02)
        for peer in peers:
            if how == "reset":
                peer.reset()
            elif how == "close":
                await peer.stream.aclose()
            else:
                await peer.half_close()
        assert await served.works()
        if how == "half-close":
            for peer in peers:
                await peer.cut_off()
        with trio.fail_after(10):
            await served.count(0)
        assert await served.works()
    assert not caplog.records
