"""The connection of a device: stanzas over Noise over a WebSocket. It has no task of its own."""

import logging
import time
from collections import deque
from urllib.parse import urlsplit

import trio

from unifyport.net.websocket import WebSocket, WebSocketFailed, WebSocketLost, open_websocket
from unifyport.protocols.binary_node import MalformedNode, Node, decode, encode
from unifyport.protocols.curve import KeyPair
from unifyport.protocols.noise import NoiseError
from unifyport.protocols.whatsapp.certificates import UntrustedServer
from unifyport.protocols.whatsapp.connection import ClientHandshake
from unifyport.protocols.whatsapp.frames import FrameReader, MalformedFrame
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import Transient

log = logging.getLogger(__name__)
HANDSHAKE_SECONDS = 20.0
SILENCE_SECONDS = 90.0  # the platform answers pings, which are sent each 25 s
_DAMAGED = (NoiseError, MalformedFrame, MalformedNode)


class NodeSocket:
    """An open connection. One task receives; a stanza is sealed and written under one lock, as the other side
    must get them in the order in which they were sealed.
    """

    def __init__(self, socket: WebSocket, handshake: ClientHandshake, reader: FrameReader) -> None:
        self._socket = socket
        self._channel = handshake.channel
        self._reader = reader
        self._frames: deque[bytes] = deque()
        self._sealing = trio.Lock()

    async def send(self, node: Node) -> None:
        """Raises `Transient`. Cancelled while it is written: the connection is closed."""
        data = encode(node)
        del node
        async with self._sealing:
            try:
                await self._socket.send(self._channel.seal(data))
            except WebSocketLost:
                raise Transient("connection_lost", maybe_applied=True) from None

    async def receive(self) -> tuple[Node, int]:
        """The next stanza that can be read, and its size in bytes. Raises `Transient`."""
        while True:
            frame = await self._next_frame()
            try:
                return decode(self._channel.open(frame)), len(frame)
            except NoiseError:
                raise Transient("malformed_frame") from None
            except MalformedNode as error:  # the stanzas after it are not affected
                log.warning("whatsapp: a stanza of %d bytes could not be read: %s", len(frame), error)

    async def _next_frame(self) -> bytes:
        while not self._frames:
            try:
                with trio.fail_after(SILENCE_SECONDS):
                    self._frames.extend(self._reader.feed(await self._socket.receive()))
            except WebSocketLost:
                raise Transient("connection_lost") from None
            except trio.TooSlowError:
                raise Transient("no_answer") from None
            except MalformedFrame:
                raise Transient("malformed_frame") from None
        return self._frames.popleft()

    def close(self) -> None:
        self._socket.close()


async def connect(context: ConnectorContext, noise: KeyPair, payload: bytes) -> NodeSocket:
    """Open a connection and introduce the device by `payload`. Raises `Transient`."""
    endpoints = context.endpoints
    headers = {"Origin": _origin(endpoints.device_url)}  # as a page of that host has it
    try:
        socket = await open_websocket(
            endpoints.device_url, context.ssl_context, proxy=context.proxy, headers=headers
        )
    except WebSocketFailed as failed:
        raise Transient(f"not_connected: {failed.reason}") from None
    try:
        with trio.fail_after(HANDSHAKE_SECONDS):
            return await _introduce(socket, noise, payload, root=bytes.fromhex(endpoints.device_root_key))
    except trio.TooSlowError:
        socket.close()
        raise Transient("no_answer") from None
    except WebSocketLost:
        socket.close()
        raise Transient("connection_lost") from None
    except UntrustedServer:
        socket.close()
        raise Transient("untrusted_server") from None
    except _DAMAGED:
        socket.close()
        raise Transient("malformed_handshake") from None
    except BaseException:
        socket.close()
        raise


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{'https' if parts.scheme == 'wss' else 'http'}://{parts.netloc}"


async def _introduce(socket: WebSocket, noise: KeyPair, payload: bytes, *, root: bytes) -> NodeSocket:
    handshake, reader = ClientHandshake(noise, root), FrameReader()
    await socket.send(handshake.hello())
    frames: list[bytes] = []
    while not frames:
        frames = reader.feed(await socket.receive())
    if len(frames) > 1:
        raise MalformedFrame("frames before the handshake has ended")
    await socket.send(handshake.respond(frames[0], payload, now=time.time()))
    return NodeSocket(socket, handshake, reader)
