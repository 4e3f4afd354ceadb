"""The chat socket: binary messages, each a Thrift `Frame`. It has no task of its own.

A token of a few minutes opens it (https://github.com/mautrix/twitter, `websocket.go`).
"""

import logging
from typing import Final
from urllib.parse import quote

import trio

from unifyport.net.websocket import WebSocket, WebSocketFailed, WebSocketLost, open_websocket
from unifyport.protocols import thrift
from unifyport.protocols.xchat import KEEP_ALIVE, MAX_FRAME, Frame, decode_frame, encode_frame
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import Transient

from . import queries
from .answers import object_in
from .client import WebClient

log = logging.getLogger(__name__)
KEEP_ALIVE_SECONDS: Final = 30.0
_REFUSED = ("http_401", "http_403")


class ChatSocket:
    """An open connection. One task receives."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> Frame:
        """The next frame; an empty one in place of one that cannot be read. Raises `Transient`."""
        try:
            message = await self._socket.receive()
        except WebSocketLost as lost:
            raise Transient("connection_lost" if lost.code is None else f"closed_{lost.code}") from None
        try:
            return decode_frame(message)
        except thrift.ThriftError as error:  # the frames after it are not affected
            log.warning("x: a frame of %d bytes could not be read: %s", len(message), error)
            return Frame()

    async def send(self, data: bytes) -> None:
        """Raises `Transient`."""
        try:
            await self._socket.send(data)
        except WebSocketLost:
            raise Transient("connection_lost", maybe_applied=True) from None

    async def keep_alive(self) -> None:
        """Until cancelled, or the connection is lost. Raises `Transient`."""
        frame = encode_frame(KEEP_ALIVE)
        while True:
            await trio.sleep(KEEP_ALIVE_SECONDS)
            await self.send(frame)

    def close(self) -> None:
        self._socket.close()


async def connect(context: ConnectorContext, client: WebClient) -> ChatSocket:
    """Open the socket with a new token; once more with another one if that is refused. Raises `Transient`,
    and what the request for the token raises.
    """
    for attempt in range(2):
        data = await client.mutate(queries.SOCKET_TOKEN, {})
        token = object_in(data, "user_get_x_chat_auth_token").get("token")
        if not isinstance(token, str) or not 0 < len(token) <= 4096:
            raise Transient("malformed_answer")
        context.secrets.register(token)
        try:
            opened = await open_websocket(
                f"{context.endpoints.chat_socket_url}?token={quote(token, safe='')}",
                context.ssl_context,
                proxy=context.proxy,
                headers=client.socket_headers(),
                limit=MAX_FRAME,
            )
        except WebSocketFailed as failed:
            if failed.reason in _REFUSED and not attempt:
                continue
            raise Transient(f"not_connected: {failed.reason}") from None
        return ChatSocket(opened)
    raise Transient("not_connected")
