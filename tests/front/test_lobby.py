"""The lobby: what becomes of connections that come in a crowd."""

import contextlib
import errno
from collections.abc import AsyncIterator

import attrs
import pytest
import trio

from unifyport.front.http1 import Head
from unifyport.front.limits import LIMITS, Limits
from unifyport.front.lobby import AT_ONCE, Lobby, Refusal

from .serving import GET, Front, Peer, echo, front, post, settle


def refuse(head: Head) -> Refusal | None:
    return Refusal(503, [(b"retry-after", b"7")], b"full") if head.path == b"/full" else None


def to_full(body: bytes = b"a body", method: bytes = b"POST") -> bytes:
    return post(body).replace(b"POST / ", method + b" /full ", 1)


@contextlib.asynccontextmanager
async def crowded(limits: Limits = LIMITS, most: int = 100) -> AsyncIterator[Front]:
    async with front(echo, refuse=refuse, limits=limits, most=most) as made:
        made.connections.note_crowd()
        yield made


async def connect(made: Front) -> Peer:
    made.connections.note_crowd()
    peer = await made.connect()
    await settle()
    return peer


async def test_a_request_is_refused_by_its_head_and_its_connection_ends() -> None:
    async with crowded() as made:
        peer = await connect(made)
        await peer.send(to_full())
        answer = await peer.answer()
        assert (answer.status, answer.body, answer.fields["retry-after"]) == (503, b"full", "7")
        assert answer.fields["connection"] == "close"
        assert "date" in answer.fields
        assert not await peer.cut_off()
        await made.count(0)


@pytest.mark.parametrize(
    "request_",
    [GET, post(b"body"), to_full()[:-1], to_full()[:20], to_full() + GET, b"\x16\x03\x01\x02\x00\x01"],
    ids=["accepted", "body", "body unfinished", "head unfinished", "another behind it", "no request"],
)
async def test_what_is_not_refused_by_its_head_is_served_as_ever(request_: bytes) -> None:
    async with front(echo) as plain:
        peer = await plain.connect()
        await peer.send(request_)
        await peer.half_close()
        expected = await peer.rest()
    async with crowded() as made:
        peer = await connect(made)
        await peer.send(request_)
        await peer.half_close()
        assert (await peer.rest()).split(b"date:")[0] == expected.split(b"date:")[0]
        await made.count(0)


async def test_a_request_that_comes_in_pieces_is_served() -> None:
    async with crowded() as made:
        peer = await connect(made)
        for piece in (b"POST /full HTTP/1.1\r\nHo", b"st: a\r\nContent-Length: 4\r\n\r\nbo", b"dy"):
            await peer.send(piece)
            await settle()
        assert (await peer.answer()).body == b"POST /full body"
        await peer.send(GET)  # it is kept alive
        assert (await peer.answer()).status == 200


async def test_without_a_crowd_there_is_no_lobby() -> None:
    async with front(echo, refuse=refuse) as made:
        peer = await made.connect()
        await peer.send(to_full())
        assert (await peer.answer()).body == b"POST /full a body"


async def test_a_guest_that_sends_nothing_goes_after_its_time_or_with_its_peer() -> None:
    async with crowded(attrs.evolve(LIMITS, head_seconds=0.3)) as made:
        silent, gone, reset = await connect(made), await connect(made), await connect(made)
        await gone.stream.aclose()
        reset.reset()
        await made.count(1)
        with trio.fail_after(5):
            assert await silent.rest() == b""
        await made.count(0)


async def test_a_guest_makes_room_for_another_connection() -> None:
    async with crowded(most=1) as made:
        first, second = await connect(made), await connect(made)
        assert await first.rest() == b""
        await second.send(GET)
        assert (await second.answer()).status == 200


async def test_guests_end_with_the_listener() -> None:
    async with crowded() as made:
        peer = await connect(made)
        made.stop.set()
        assert await peer.rest() == b""
        await made.stopped.wait()
        assert len(made.connections) == 0


async def test_a_connection_that_the_kernel_does_not_watch_is_turned_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`epoll_ctl(2)`: ENOSPC, the user's limit of watches is reached."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    async with crowded() as made:
        monkeypatch.setattr(Lobby, "enter", full)
        peer = await connect(made)
        assert (await peer.answer()).status == 503
        assert made.connections.refused == 1
        monkeypatch.undo()
        peer = await connect(made)
        await peer.send(GET)
        assert (await peer.answer()).status == 200


async def test_a_full_lobby_is_a_crowd() -> None:
    crowds: list[bool] = []

    def refuse_and_note(head: Head) -> Refusal | None:
        crowds.append(made.connections.crowded)
        return refuse(head)

    async with front(echo, refuse=refuse_and_note, most=4 * AT_ONCE) as made:
        peers = []
        for _ in range(AT_ONCE + 1):
            made.connections.note_crowd()
            peers.append(await made.connect())
        await made.count(AT_ONCE + 1)
        while made.connections.crowded:
            await trio.sleep(0.01)
        for peer in peers:
            await peer.send(to_full())
        assert {(await peer.answer()).status for peer in peers} == {503}
        assert crowds[0]
        await made.count(0)
