"""Edges of sockets: none is lost, and none that was read is waited for again."""

import socket
from collections.abc import Iterator

import pytest
import trio
import trio.testing

from unifyport.net.readiness import Readable, readiness
from unifyport.net.wires import Plain

Pair = tuple[socket.socket, socket.socket]
CHUNK = 65536


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


async def waits(readable: Readable) -> bool:
    """Whether it waits, although everything that could happen has."""
    await trio.testing.wait_all_tasks_blocked()
    with trio.move_on_after(0) as scope:
        await readable.wait()
    return scope.cancelled_caught


async def test_what_came_before_the_first_wait_is_an_edge(pair: Pair) -> None:
    ours, theirs = pair
    theirs.send(b"x")
    await Readable(ours.fileno()).wait()


async def test_a_socket_that_was_drained_waits_for_more(pair: Pair) -> None:
    ours, theirs = pair
    readable = Readable(ours.fileno())
    for _ in range(3):
        theirs.send(b"x")
        await readable.wait()
        assert ours.recv(CHUNK) == b"x"
        readable.drained()
        assert await waits(readable)
    readable.close()


async def test_what_was_not_read_is_still_there(pair: Pair) -> None:
    ours, theirs = pair
    readable = Readable(ours.fileno())
    theirs.send(b"xy")
    for letter in (b"x", b"y"):
        await readable.wait()
        assert ours.recv(1) == letter
    readable.close()


async def test_the_end_behind_data_is_not_lost(pair: Pair) -> None:
    ours, theirs = pair
    plain = Plain(ours)
    theirs.send(b"x")
    theirs.close()
    with trio.fail_after(5):
        assert [await plain.receive() for _ in range(3)] == [b"x", b"", b""]
    plain.close()


async def test_more_than_a_chunk_is_read_whole(pair: Pair) -> None:
    ours, theirs = pair
    plain = Plain(ours)
    sent = b"x" * (2 * CHUNK)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * CHUNK)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * CHUNK)
    with trio.fail_after(5):
        for _ in range(3):
            left = theirs.send(sent)
            while left:
                left -= len(await plain.receive())
    assert await waits(plain._readable)
    plain.close()


async def test_data_that_was_read_with_what_came_before_is_only_a_false_alarm(pair: Pair) -> None:
    ours, theirs = pair
    plain = Plain(ours)
    received = []

    async def receive() -> None:
        received.append(await plain.receive())

    async with trio.open_nursery() as nursery:
        theirs.send(b"x")
        await plain._readable.wait()
        theirs.send(b"y")  # an edge that nobody has reported yet
        await receive()
        nursery.start_soon(receive)
        await trio.testing.wait_all_tasks_blocked()
        assert received == [b"xy"]
        theirs.send(b"z")
    assert received == [b"xy", b"z"]
    plain.close()


async def test_closing_wakes_who_waits(pair: Pair) -> None:
    readable = Readable(pair[0].fileno())

    async def wait() -> None:
        with pytest.raises(trio.ClosedResourceError):
            await readable.wait()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        readable.close()
    await wait()
    readable.close()


async def test_a_wait_that_was_cancelled_can_be_repeated(pair: Pair) -> None:
    ours, theirs = pair
    readable = Readable(ours.fileno())
    assert await waits(readable)
    theirs.send(b"x")
    await trio.testing.wait_all_tasks_blocked()
    await readable.wait()
    readable.close()


async def test_a_descriptor_that_is_used_again_is_another_socket(pair: Pair) -> None:
    ours, theirs = pair
    first = Plain(ours)
    theirs.send(b"x")
    await first.receive()
    descriptor = ours.fileno()
    theirs.send(b"of the first")
    first.close()
    again, other = socket.socketpair()
    with again, other:
        again.setblocking(False)
        assert again.fileno() == descriptor
        second = Plain(again)
        assert await waits(second._readable)
        other.send(b"y")
        assert await second.receive() == b"y"
        second.close()
    assert descriptor not in readiness()._watched


async def test_readiness_gives_way_to_other_tasks(pair: Pair) -> None:
    ours, theirs = pair
    readable, turns = Readable(ours.fileno()), 0

    async def others() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    theirs.send(b"x")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others)
        for _ in range(100):
            await readable.wait()
        nursery.cancel_scope.cancel()
    assert turns >= 90
    readable.close()


def test_each_run_has_its_own(pair: Pair) -> None:
    ours, theirs = pair

    async def main() -> None:
        plain = Plain(ours.dup())
        theirs.send(b"x")
        assert await plain.receive() == b"x"
        plain.close()

    for _ in range(2):
        trio.run(main)
