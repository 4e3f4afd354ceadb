"""WebSocket and raw TCP protocols of a platform: what a client sees, with and without faults."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, open_stream_to_socket_listener, wait_all_tasks_blocked
from trio_websocket import ConnectionClosed, ConnectionRejected, connect_websocket_url, open_websocket_url

from unifyport.sandbox.platform import LocalPlatform, WireProtocol
from unifyport.sandbox.serving import bind
from unifyport.sandbox.sockets import GARBAGE, Connection, WebSocket, tcp, websocket


class Echo(LocalPlatform):
    """Says everything again; `seen` is what it was asked."""

    name = "echo"

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[bytes] = []
        self.protocols = [
            tcp(self, "chat", ("chat_address",), self._chat),
            websocket(self, "events", ("events_url",), self._events),
        ]

    async def _chat(self, connection: Connection) -> None:
        while data := await connection.stream.receive_some():
            await self._echo(connection, data)

    async def _events(self, socket: WebSocket) -> None:
        while True:
            await self._echo(socket, await socket.receive())

    async def _echo(self, connection: Connection, data: bytes) -> None:
        async def again() -> bytes:
            await trio.lowlevel.checkpoint()
            if data == b"bug":
                raise RuntimeError("a bug of the platform")
            self.seen.append(data)
            return data

        await connection.answer("account-1", "say", again)


@contextlib.asynccontextmanager
async def serving(protocol: WireProtocol) -> AsyncIterator[trio.SocketListener]:
    listener = bind("127.0.0.1", 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(protocol.serve, listener)
        yield listener
        nursery.cancel_scope.cancel()
    assert listener.socket.fileno() == -1


@pytest.fixture
async def chat() -> Any:
    """(platform, listener) of the raw TCP protocol."""
    platform = Echo()
    async with serving(platform.protocols[0]) as listener:
        yield platform, listener


@pytest.fixture
async def events() -> Any:
    """(platform, URL) of the WebSocket protocol."""
    platform = Echo()
    async with serving(platform.protocols[1]) as listener:
        yield platform, platform.protocols[1].address_at(listener)


async def say(stream: trio.SocketStream, text: bytes) -> bytes:
    """The answer; empty or `trio.BrokenResourceError` where the connection has ended."""
    await stream.send_all(text)
    return bytes(await stream.receive_some())


async def test_raw_tcp_is_answered_and_remembered(chat: Any) -> None:
    platform, listener = chat
    async with await open_stream_to_socket_listener(listener) as stream:
        assert await say(stream, b"hello") == b"hello"
        host, port = stream.socket.getsockname()
    assert [{**call, "at": 0} for call in platform.connections] == [
        {"at": 0, "peer": f"{host}:{port}", "account": "", "method": "chat"},
        {"at": 0, "peer": f"{host}:{port}", "account": "account-1", "method": "say"},
    ]


async def test_websocket_is_answered_and_remembered(events: Any) -> None:
    platform, url = events
    async with open_websocket_url(f"{url}/any/path?x=1") as socket:
        await socket.send_message("héllo")
        assert await socket.get_message() == "héllo".encode()
    assert [call["method"] for call in platform.connections] == ["events", "say"]


@pytest.mark.parametrize("method", [None, "chat"])
async def test_a_disconnect_resets_open_connections_and_is_spent(chat: Any, method: str | None) -> None:
    platform, listener = chat
    async with await open_stream_to_socket_listener(listener) as stream:
        await say(stream, b"hello")
        platform.order_fault({"kind": "disconnect"} | ({"method": method} if method else {}))
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
    async with await open_stream_to_socket_listener(listener) as stream:
        assert await say(stream, b"again") == b"again"


async def test_a_disconnect_of_a_method_meets_the_next_call_of_it(chat: Any) -> None:
    platform, listener = chat
    async with await open_stream_to_socket_listener(listener) as stream:
        await say(stream, b"hello")
        platform.order_fault({"kind": "disconnect", "method": "say"})
        with pytest.raises(trio.BrokenResourceError):
            await say(stream, b"lost")
    assert platform.seen == [b"hello"]


async def test_a_disconnect_without_a_connection_meets_the_next_one(chat: Any) -> None:
    platform, listener = chat
    platform.order_fault({"kind": "disconnect"})
    async with await open_stream_to_socket_listener(listener) as stream:
        with pytest.raises(trio.BrokenResourceError):
            await stream.receive_some()
    async with await open_stream_to_socket_listener(listener) as stream:
        assert await say(stream, b"hello") == b"hello"


async def test_a_disconnect_of_some_seconds_meets_every_connection(chat: Any) -> None:
    platform, listener = chat
    platform.order_fault({"kind": "disconnect", "seconds": 60})
    for _ in range(3):
        async with await open_stream_to_socket_listener(listener) as stream:
            with pytest.raises(trio.BrokenResourceError):
                await stream.receive_some()
    platform.restore()
    async with await open_stream_to_socket_listener(listener) as stream:
        assert await say(stream, b"hello") == b"hello"


async def test_a_disconnect_reaches_a_websocket(events: Any) -> None:
    platform, url = events
    async with trio.open_nursery() as nursery:
        socket = await connect_websocket_url(nursery, url)
        await socket.send_message(b"hello")
        await socket.get_message()
        platform.order_fault({"kind": "disconnect"})
        with pytest.raises(ConnectionClosed):
            await socket.get_message()
        await socket.aclose()
    await wait_all_tasks_blocked()
    assert not platform.open


async def test_a_lost_answer_does_what_was_asked(chat: Any) -> None:
    platform, listener = chat
    platform.order_fault({"kind": "lost_answer"})
    async with await open_stream_to_socket_listener(listener) as stream:
        with pytest.raises(trio.BrokenResourceError):
            await say(stream, b"hello")
    assert platform.seen == [b"hello"]


async def test_garbage_takes_the_place_of_an_answer(chat: Any, events: Any) -> None:
    platform, listener = chat
    platform.order_fault({"kind": "garbage", "method": "say"})
    async with await open_stream_to_socket_listener(listener) as stream:
        assert await say(stream, b"hello") == GARBAGE
        assert await say(stream, b"again") == b"again"
    platform, url = events
    platform.order_fault({"kind": "garbage", "method": "say"})
    async with open_websocket_url(url) as socket:
        await socket.send_message(b"hello")
        assert await socket.get_message() == GARBAGE


async def test_garbage_takes_the_place_of_a_connection(chat: Any) -> None:
    platform, listener = chat
    platform.order_fault({"kind": "garbage", "method": "chat"})
    async with await open_stream_to_socket_listener(listener) as stream:
        assert await stream.receive_some() == GARBAGE
        assert await stream.receive_some() == b""


async def test_a_delay_comes_before_the_answer(chat: Any, autojump_clock: MockClock) -> None:
    platform, listener = chat
    platform.order_fault({"kind": "delay", "value": 30, "method": "say"})
    async with await open_stream_to_socket_listener(listener) as stream:
        began = trio.current_time()
        assert await say(stream, b"hello") == b"hello"
        assert trio.current_time() - began >= 30


async def test_a_bug_of_a_handler_ends_its_own_connection_only(chat: Any, caplog: Any) -> None:
    _, listener = chat
    async with (
        await open_stream_to_socket_listener(listener) as other,
        await open_stream_to_socket_listener(listener) as stream,
    ):
        assert await say(stream, b"bug") == b""
        assert "chat: a handler failed" in caplog.text
        assert await say(other, b"hello") == b"hello"


async def test_what_is_no_handshake_ends_in_time(events: Any, autojump_clock: MockClock) -> None:
    platform, url = events
    host, _, port = url.removeprefix("ws://").rpartition(":")
    async with await trio.open_tcp_stream(host, int(port)) as stream:
        assert await stream.receive_some() == b""
    await wait_all_tasks_blocked()
    assert not platform.open


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://elsewhere.example", 421), ("http://localhost:3000", None), ("http://127.0.0.1", None)],
)
async def test_pages_of_elsewhere_cannot_open_a_websocket(
    events: Any, origin: str, status: int | None
) -> None:
    _, url = events
    headers = [(b"origin", origin.encode())]
    try:
        async with open_websocket_url(url, extra_headers=headers) as socket:
            await socket.send_message(b"hello")
            assert await socket.get_message() == b"hello"
        answered = None
    except ConnectionRejected as rejected:
        answered = rejected.status_code
    assert answered == status
