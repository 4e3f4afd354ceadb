"""The chat socket: `/ws?token=…`, binary Thrift messages both ways.

https://github.com/mautrix/twitter (`websocket.go`), a client of the web application.
"""

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import trio
import trio_websocket

from unifyport.protocols import thrift
from unifyport.protocols.xchat import (
    Frame,
    MessageEvent,
    decode_event,
    decode_frame,
    encode_frame,
)

from ...sockets import WebSocket
from ..chat.shapes import ChatEvent

MAX_WAITING = 1000  # events that a slow client has not read


class Follower:
    """One open socket of a user. `keep_alives`: how many the client has sent."""

    def __init__(self, user: str) -> None:
        self.user = user
        self.keep_alives = 0
        self._send, self.waiting = trio.open_memory_channel[Frame](MAX_WAITING)

    def push(self, frame: Frame) -> None:
        """Raises `trio.WouldBlock` for a client that does not read."""
        self._send.send_nowait(frame)


class ChatSocket:
    """`drop`: how many events are told to no socket, so that a gap appears. `twice`: how many are told two
    times. `read`: what is done with a mark that a client has sent.
    """

    def __init__(
        self, user_of: Callable[[str], str | None], read: Callable[[str, MessageEvent], None]
    ) -> None:
        self._user_of = user_of
        self._read = read
        self.followers: set[Follower] = set()
        self.drop = 0
        self.twice = 0

    def tell(self, event: ChatEvent, users: set[str]) -> None:
        """Tell an event to the sockets of these users; the server does not wait for them."""
        if self.drop:
            self.drop -= 1
            return
        told = Frame(message_event=decode_event(event.encoded))
        self._push(told, users)
        if self.twice:
            self.twice -= 1
            self._push(told, users)

    def _push(self, frame: Frame, users: set[str]) -> None:
        for follower in list(self.followers):
            if follower.user in users:
                try:
                    follower.push(frame)
                except trio.WouldBlock:
                    self.followers.discard(follower)

    async def attend(self, connection: WebSocket) -> None:
        """Serve one socket. A token that is void is refused by closing with 1008."""
        parts = urlsplit(connection.path)
        token = parse_qs(parts.query).get("token", [""])[0]
        user = self._user_of(token)
        if user is None or parts.path != "/ws":
            await connection.websocket.aclose(1008, "token")
            return
        follower = Follower(user)
        self.followers.add(follower)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, follower, connection)
                await self._listen(follower, connection)
                nursery.cancel_scope.cancel()
        finally:
            self.followers.discard(follower)

    async def _write(self, follower: Follower, connection: WebSocket) -> None:
        async for frame in follower.waiting:
            await connection.send(encode_frame(frame))

    async def _listen(self, follower: Follower, connection: WebSocket) -> None:
        while True:
            try:
                data = await connection.receive()
            except trio_websocket.ConnectionClosed:
                return
            try:
                frame = decode_frame(data)
            except thrift.ThriftError:
                await connection.websocket.aclose(1003, "no message")
                return
            if frame.instruction is not None and frame.instruction.keep_alive is not None:
                follower.keep_alives += 1
            for event in frame.events:
                self._read(follower.user, event)
