"""Limits on time, and a graceful stop: by a clock that tests move."""

import contextlib
import os
import socket
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.front.serving import GET, Front, Peer, echo, front, post, read_all, settle
from tests.tls import Authority
from unifyport.front.connections import TICK
from unifyport.front.exchange import BodyTooSlow, Disconnected, Exchange
from unifyport.front.limits import LIMITS
from unifyport.front.listener import ACCEPTS
from unifyport.front.tls import Certificate, TlsFiles

LONG = b"x" * 20_000_000  # more than the kernel takes at once


async def later(clock: MockClock, seconds: float) -> None:
    """Let so many seconds pass, tick by tick where there are few of them."""
    step = min(TICK, seconds)
    for _ in range(round(seconds / step)):
        clock.jump(step)
        await settle(0.001)


async def open_and_send(served: Front, data: bytes) -> Peer:
    peer = await served.connect()
    await peer.send(data)
    await settle()
    return peer


async def test_who_sends_nothing_is_closed_without_an_answer(mock_clock: MockClock) -> None:
    async with front(echo) as served:
        peer = await open_and_send(served, b"")
        await later(mock_clock, LIMITS.head_seconds - 1)
        assert len(served.connections) == 1
        await later(mock_clock, 1.5)
        assert await peer.rest() == b""
        await served.count(0)


async def test_a_slow_head_is_a_408(mock_clock: MockClock) -> None:
    """Its time runs from its first byte, whatever comes after."""
    async with front(echo) as served:
        peer = await open_and_send(served, GET)
        await peer.answer()
        await later(mock_clock, 30)
        for byte in (GET[at : at + 1] for at in range(9)):
            await peer.send(byte)
            await later(mock_clock, 1)
        await later(mock_clock, 1.5)
        answer = await peer.answer()
        assert (answer.status, answer.fields["connection"]) == (408, "close")
        assert await peer.rest() == b""


async def test_an_idle_connection_is_closed(mock_clock: MockClock) -> None:
    async with front(echo) as served:
        peer = await open_and_send(served, GET)
        await peer.answer()
        await later(mock_clock, LIMITS.idle_seconds - 1)
        await peer.send(GET)
        await peer.answer()
        await later(mock_clock, LIMITS.idle_seconds - 1)
        assert len(served.connections) == 1
        await later(mock_clock, 1.5)
        assert await peer.rest() == b""


@pytest.mark.parametrize("catches", [False, True])
async def test_a_slow_body_is_a_408(mock_clock: MockClock, catches: bool) -> None:
    async def handler(exchange: Exchange) -> None:
        try:
            await read_all(exchange)
        except BodyTooSlow:
            if not catches:
                raise
            await exchange.respond(408, [], b"request timeout")

    async with front(handler) as served:
        peer = await open_and_send(served, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n")
        for _ in range(4):
            await peer.send(b"x" * 2000)
            await later(mock_clock, 1)
        await later(mock_clock, 1)
        answer = await peer.answer()
        assert (answer.status, answer.body) == (408, b"request timeout")
        assert answer.fields["connection"] == "close"
        await later(mock_clock, 1.5)
        assert await peer.rest() == b""


async def test_a_body_that_is_just_fast_enough_is_read(mock_clock: MockClock) -> None:
    async with front(echo) as served:
        peer = await open_and_send(served, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 63000\r\n\r\n")
        for _ in range(30):
            await peer.send(b"x" * 2100)
            await later(mock_clock, 1)
        assert (await peer.answer()).body == b"POST / " + b"x" * 63000


async def test_the_time_that_the_handler_takes_is_not_the_peers(mock_clock: MockClock) -> None:
    async def handler(exchange: Exchange) -> None:
        first = await exchange.read()
        await trio.sleep(60)
        await exchange.respond(200, [], first + await read_all(exchange))

    async with front(handler) as served:
        peer = await open_and_send(served, post(b"abc")[:-1])
        await later(mock_clock, 60)
        await peer.send(b"c")
        assert (await peer.answer()).body == b"abc"


async def test_who_takes_nothing_of_an_answer_is_closed(mock_clock: MockClock) -> None:
    gone = trio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            await exchange.respond(200, [], LONG)
        except Disconnected:
            gone.set()
            raise

    async with front(handler) as served:
        peer = await open_and_send(served, GET)
        await later(mock_clock, LIMITS.write_seconds - 1)
        assert not gone.is_set()
        await later(mock_clock, 1.5)
        assert gone.is_set()
        await served.count(0)
        await peer.cut_off()


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="an option of Linux and macOS")
async def test_the_kernel_holds_little_for_a_peer_that_takes_nothing() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(200, [], LONG)

    async with front(handler) as served:
        peer = await open_and_send(served, GET)
        [connection] = served.listener._open
        with socket.socket(fileno=os.dup(connection.fileno())) as accepted:
            held = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
        assert held == LIMITS.unsent_bytes
        peer.reset()


async def test_who_takes_an_answer_slowly_gets_all_of_it(mock_clock: MockClock) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(200, [], LONG)

    async with front(handler) as served:
        peer = await open_and_send(served, GET)
        await peer.head()
        for _ in range(10):
            assert len(await peer.exactly(len(LONG) // 10)) == len(LONG) // 10
            await later(mock_clock, LIMITS.write_seconds - 1)
        peer.reset()


async def test_a_refused_body_is_drained_for_a_second(mock_clock: MockClock) -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.respond(413, [], b"too long")

    async with front(handler) as served:
        peer = await open_and_send(served, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n")
        await peer.send(b"x" * 10_000)
        assert (await peer.answer()).status == 413
        assert await peer.rest() == b""  # so the peer knows that nothing more comes
        await peer.send(b"x" * 10_000)
        await settle()
        assert len(served.connections) == 1
        await later(mock_clock, LIMITS.linger_seconds + TICK)
        await served.count(0)
        assert await served.works()


async def test_a_refused_body_is_drained_up_to_its_bound(mock_clock: MockClock) -> None:
    async with front(echo) as served:
        peer = await open_and_send(served, b"garbage\r\n\r\n")
        assert (await peer.answer()).status == 400
        await peer.send(b"x" * (LIMITS.linger_bytes - 1))
        await settle()
        assert len(served.connections) == 1
        await peer.send(b"x")
        await served.count(0)


# -- stop ----------------------------------------------------------------------------------------------------


async def test_a_stop_closes_what_is_idle_and_answers_what_is_in_work(mock_clock: MockClock) -> None:
    go_on = trio.Event()

    async def handler(exchange: Exchange) -> None:
        if exchange.path == b"/work":
            await go_on.wait()
        await echo(exchange)

    async with front(handler) as served:
        idle = await open_and_send(served, GET)
        await idle.answer()
        quiet = await open_and_send(served, b"")
        partial = await open_and_send(served, GET[:10])
        working = await open_and_send(served, b"GET /work HTTP/1.1\r\nHost: a\r\n\r\n" + GET)
        sending = await open_and_send(served, post(b"abc")[:-1])
        served.stop.set()
        for peer in (idle, quiet, partial):
            assert await peer.rest() == b""
        await settle()
        assert not served.stopped.is_set()
        go_on.set()
        await sending.send(b"c")
        for peer in (working, sending):
            assert (await peer.answer()).fields["connection"] == "close"
        assert await sending.rest() == b""
        await later(mock_clock, LIMITS.linger_seconds + TICK)  # the second request of `working` is not read
        assert await working.rest() == b""
        await served.stopped.wait()


async def test_a_stop_cuts_off_what_does_not_end(mock_clock: MockClock) -> None:
    ended = trio.Event()

    async def handler(exchange: Exchange) -> None:
        try:
            if exchange.method == "POST":
                await read_all(exchange)
            await exchange.start(200, [])
            await exchange.write(b"first")
            await trio.sleep_forever()
        finally:
            ended.set()

    async with front(handler, limits=attrs.evolve(LIMITS, body_rate=0)) as served:
        stream = await open_and_send(served, GET)
        upload = await open_and_send(served, post(b"abc")[:-1])
        served.stop.set()
        await settle()
        await later(mock_clock, LIMITS.stop_seconds - 0.5)
        assert not ended.is_set()
        await later(mock_clock, 1)
        await served.stopped.wait()
        assert b"first" in await stream.rest()
        await upload.cut_off()


async def test_a_connection_that_comes_with_the_stop_is_closed(mock_clock: MockClock) -> None:
    """It is accepted in the same turn of the loop, before its task has run."""
    async with front(echo) as served:
        peers = [await served.connect() for _ in range(5)]
        served.stop.set()
        for peer in peers:
            await peer.cut_off()
        await served.stopped.wait()


@pytest.mark.parametrize("tls", [False, True])
async def test_connections_that_are_closed_before_they_are_served_end_alone(
    mock_clock: MockClock, caplog: pytest.LogCaptureFixture, tmp_path: Path, tls: bool
) -> None:
    """Many lose their places in the turn of the loop in which they were accepted."""
    files = TlsFiles(*Authority(tmp_path).issue("localhost"))
    async with front(echo, most=2, certificate=Certificate(files) if tls else None) as served:
        peers = [socket.socket() for _ in range(30)]
        for peer in peers:
            peer.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                peer.connect(served.address)
        await settle()
        assert sum(served.connections.closed.values()) == len(peers) - 1
        assert tls or await served.works()
        for peer in peers:
            peer.close()
    assert not caplog.records


@pytest.mark.parametrize("count", [3 * ACCEPTS, 5 * ACCEPTS])
async def test_it_is_a_crowd_while_more_wait_than_are_accepted_at_once(
    mock_clock: MockClock, count: int
) -> None:
    async with front(echo, most=1000) as served:
        with contextlib.ExitStack() as callers:
            for _ in range(count):
                callers.enter_context(socket.create_connection(served.address))
            assert not served.connections.crowded
            await served.count(count)
            assert served.connections.crowded == (count > 4 * ACCEPTS)
            await later(mock_clock, TICK)
            assert not served.connections.crowded
            await served.works()
            assert not served.connections.crowded
