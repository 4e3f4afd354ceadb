"""One open connection: the server's side of the handshake, then stanzas both ways.

One task encrypts and writes what is pushed, in the order of the calls; nobody waits for a slow client.
"""

from collections.abc import Callable
from typing import TypeVar

import attrs
import trio
from google.protobuf.message import DecodeError, Message

from unifyport.protocols.binary_node import Node, decode, encode
from unifyport.protocols.noise import NoiseError, Responder, Transport
from unifyport.protocols.noise.handshake import Part
from unifyport.protocols.whatsapp.login_pb2 import ClientPayload, HandshakeMessage

from ...sockets import Cut, WebSocket
from .trust import ServerKeys

PROLOGUE = b"WA\x06\x03"  # "WA", and the versions of the protocol and of the token tables
HANDSHAKE_SECONDS = 20.0
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

    def __init__(self, websocket: WebSocket, transport: Transport, frames: "Frames", hello: Hello) -> None:
        self.hello = hello
        self.batches = False  # the client asks for what was kept in batches
        self.silent = False  # the client's stanzas are dropped without an answer
        self._websocket = websocket
        self._transport = transport
        self._frames = frames
        self._waiting: list[Node | None] = []
        self._news = trio.Event()
        self._closing = False

    def push(self, node: Node) -> None:
        """Send a stanza after all that were pushed before; one that comes after `close` is dropped."""
        if self._closing:
            return
        if len(self._waiting) >= MAX_WAITING:
            self.reset()
        self._waiting.append(node)
        self._news.set()

    def close(self) -> None:
        """Close the connection once everything that was pushed is sent."""
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
                    node = decode(self._transport.decrypt(frame))
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
                    scope.cancel()
                    return
                await self._frames.send(self._transport.encrypt(encode(node)))


class Frames:
    """Frames of a WebSocket: 3 bytes of length and the bytes; the first one of a client has a prologue."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket
        self._buffer = bytearray()

    async def prologue(self) -> None:
        await self._fill(len(PROLOGUE))
        if bytes(self._buffer[: len(PROLOGUE)]) != PROLOGUE:
            raise BadClient("the prologue is not WhatsApp's")
        del self._buffer[: len(PROLOGUE)]

    async def next(self) -> bytes:
        await self._fill(3)
        size = int.from_bytes(self._buffer[:3], "big")
        await self._fill(3 + size)
        frame = bytes(self._buffer[3 : 3 + size])
        del self._buffer[: 3 + size]
        return frame

    async def send(self, frame: bytes) -> None:
        await self._websocket.send(len(frame).to_bytes(3, "big") + frame)

    async def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            self._buffer += await self._websocket.receive()


async def shake_hands(websocket: WebSocket, keys: ServerKeys) -> Link:
    """Answer a client's handshake. Raises `BadClient`, `Cut`, `trio_websocket.ConnectionClosed`."""
    frames = Frames(websocket)
    with trio.move_on_after(HANDSHAKE_SECONDS):
        await frames.prologue()
        noise = Responder(keys.static, PROLOGUE)
        try:
            first = _read(HandshakeMessage(), await frames.next())
            noise.read(Part(first.clientHello.ephemeral, payload=None))
            part = noise.write(keys.chain)
            answer = HandshakeMessage()
            answer.serverHello.ephemeral, answer.serverHello.static = part.ephemeral, part.static
            answer.serverHello.payload = part.payload or b""
            await frames.send(answer.SerializeToString())
            last = _read(HandshakeMessage(), await frames.next())
            payload = noise.read(Part(static=last.clientFinish.static, payload=last.clientFinish.payload))
        except NoiseError as error:
            raise BadClient(str(error)) from error
        hello = Hello(noise.remote_static, _read(ClientPayload(), payload))
        return Link(websocket, noise.finish(), frames, hello)
    raise Cut


_M = TypeVar("_M", bound=Message)


def _read(message: _M, data: bytes) -> _M:
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise BadClient("not a message of the handshake") from error
    return message
