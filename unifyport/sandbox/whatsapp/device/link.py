"""One open connection: the server's side of the handshake, then stanzas both ways.

One task encrypts and writes what is pushed, in the order of the calls; a slow client keeps no caller waiting.
"""

from collections import deque
from collections.abc import Callable

import attrs
import trio
from google.protobuf.message import DecodeError

from unifyport.protocols.binary_node import Node, decode, encode
from unifyport.protocols.noise import NoiseError
from unifyport.protocols.whatsapp.connection import Channel, ServerHandshake
from unifyport.protocols.whatsapp.frames import FrameReader, MalformedFrame
from unifyport.protocols.whatsapp.login_pb2 import ClientPayload

from ...sockets import Cut, WebSocket
from .trust import ServerKeys

HANDSHAKE_SECONDS = 20.0
CLOSING_SECONDS = 2.0  # for a client to read what came last and to close by itself
MAX_WAITING = 20_000  # stanzas that a client has not taken


class BadClient(Exception):
    """What a client sent is not the protocol: the connection is closed."""


@attrs.frozen
class Hello:
    """Who connects. `static`: its Noise key. `payload`: what it tells of itself."""

    static: bytes
    payload: ClientPayload


class Link:
    """A connection after its handshake."""

    def __init__(self, websocket: WebSocket, channel: Channel, frames: "Frames", hello: Hello) -> None:
        self.hello = hello
        self.batches = False  # the client asks for what was kept in batches
        self.silent = False  # the client's stanzas are dropped without an answer
        self._websocket = websocket
        self._channel = channel
        self._frames = frames
        self._waiting: list[Node | bytes | None] = []
        self._news = trio.Event()
        self._closing = False

    def push(self, node: Node | bytes) -> None:
        """Send a stanza after all that were pushed before; one that comes after `close` is dropped.

        Bytes are sent as a stanza, whatever they are.
        """
        if self._closing:
            return
        if len(self._waiting) >= MAX_WAITING:
            self.reset()
        self._waiting.append(node)
        self._news.set()

    def close(self) -> None:
        """Close the connection once everything that was pushed is sent and the client had time to read it."""
        if not self._closing:
            self._waiting.append(None)
            self._news.set()
        self._closing = True

    def reset(self) -> None:
        """Break the connection at once."""
        self._closing = True
        self._websocket.reset()

    async def run(self, handle: Callable[[Node], None]) -> None:
        """Give each stanza of the client to `handle` until the connection ends. Raises `BadClient`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, nursery.cancel_scope)
            while True:
                frame = await self._frames.next()
                try:
                    node = decode(self._channel.open(frame))
                except (NoiseError, ValueError) as error:
                    raise BadClient(str(error)) from error
                handle(node)

    async def _write(self, scope: trio.CancelScope) -> None:
        while True:
            await self._news.wait()
            self._news = trio.Event()
            waiting, self._waiting = self._waiting, []
            for node in waiting:
                if node is None:
                    await trio.sleep(CLOSING_SECONDS)
                    scope.cancel()
                    return
                data = node if isinstance(node, bytes) else encode(node)
                await self._websocket.send(self._channel.seal(data))


class Frames:
    """The frames of a client, one at a time, however its WebSocket messages cut them."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._reader = FrameReader(reads_prologue=True)
        self._read: deque[bytes] = deque()

    async def next(self) -> bytes:
        """Raises `BadClient`, `trio_websocket.ConnectionClosed`."""
        while not self._read:
            try:
                self._read += self._reader.feed(await self._websocket.receive())
            except MalformedFrame as error:
                raise BadClient(str(error)) from error
        return self._read.popleft()


async def shake_hands(websocket: WebSocket, keys: ServerKeys) -> Link:
    """Answer a client's handshake. Raises `BadClient`, `Cut`, `trio_websocket.ConnectionClosed`."""
    frames = Frames(websocket)
    handshake = ServerHandshake(keys.static, keys.chain)
    with trio.move_on_after(HANDSHAKE_SECONDS):
        try:
            await websocket.send(handshake.reply(await frames.next()))
            payload = ClientPayload.FromString(handshake.finish(await frames.next()))
        except (NoiseError, DecodeError) as error:
            raise BadClient(str(error)) from error
        return Link(websocket, handshake.channel, frames, Hello(handshake.client_static, payload))
    raise Cut
