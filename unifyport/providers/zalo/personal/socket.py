"""The WebSocket of a session: frames, and the key that opens their payloads. It has no task of its own."""

import logging
from urllib.parse import urlencode

import trio

from unifyport.net.websocket import WebSocket, WebSocketFailed, WebSocketLost, open_websocket
from unifyport.protocols.zalo_frames import (
    Command,
    Frame,
    ZaloProtocolError,
    key_of,
    open_payload,
    read_frame,
)
from unifyport.protocols.zalo_frames.frames import MAX_FRAME
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import Transient

from . import cookies
from .calls import API_TYPE, API_VERSION, CHAT_URL, Session
from .errors import OTHER_CONNECTION, close_failure
from .transport import Transport, address

log = logging.getLogger(__name__)
KEY_SECONDS = 10.0


class FrameSocket:
    """An open connection. One task receives."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._key: bytes | None = None

    async def wait_for_key(self) -> None:
        """Read the server's first frame. Raises `Transient`, `Conflict`."""
        try:
            with trio.fail_after(KEY_SECONDS):
                while self._key is None:
                    self._key = key_of(await self._next_frame())
        except trio.TooSlowError:
            raise Transient("no_answer") from None
        except ZaloProtocolError as error:
            raise Transient("malformed_frame", cause=str(error)) from None

    async def receive(self) -> tuple[int, bytes]:
        """Command and JSON text of the next frame that can be read. Raises `Transient`, `Conflict`."""
        while True:
            frame = await self._next_frame()
            if not frame.body:
                return frame.command, b""
            try:
                if (key := key_of(frame)) is not None:
                    self._key = key
                    continue
                if frame.command == Command.PING:
                    return frame.command, b""
                return frame.command, open_payload(frame.body, self._key)
            except ZaloProtocolError as error:  # the frames after it are not affected
                log.warning(
                    "zalo: a frame of %d bytes (command %d) could not be read: %s",
                    len(frame.body),
                    frame.command,
                    error,
                )
                return frame.command, b""

    async def send(self, frame: bytes) -> None:
        """Raises `Transient`."""
        try:
            await self._socket.send(frame)
        except WebSocketLost:
            raise Transient("connection_lost") from None

    def close(self) -> None:
        self._socket.close()

    async def _next_frame(self) -> Frame:
        while True:
            try:
                message = await self._socket.receive()
            except WebSocketLost as lost:
                raise close_failure(lost.code) from None
            try:
                frame = read_frame(message)
            except ZaloProtocolError as error:
                log.warning("zalo: a message of %d bytes is no frame: %s", len(message), error)
                continue
            if frame.command == OTHER_CONNECTION:
                self.close()
                raise close_failure(OTHER_CONNECTION)
            return frame


async def connect(
    context: ConnectorContext, transport: Transport, session: Session, now_ms: int
) -> FrameSocket:
    """Open a connection to the first of the session's addresses that takes one, and wait for its key.

    Raises `Transient`, `Conflict`.
    """
    base = context.endpoints.personal_socket_url
    failure = "no_address"
    for url in session.websockets:
        whole = f"{url}{'&' if '?' in url else '/?' if url.count('/') == 2 else '?'}" + urlencode(
            {"zpw_ver": API_VERSION, "zpw_type": API_TYPE, "t": now_ms}
        )
        headers = {"Origin": CHAT_URL, "User-Agent": transport.device.user_agent}
        if cookie := cookies.header(transport.jar, whole):
            headers["Cookie"] = cookie
        try:
            opened = await open_websocket(
                address(whole, base),
                context.ssl_context,
                proxy=context.proxy,
                headers=headers,
                limit=MAX_FRAME,
            )
        except WebSocketFailed as failed:
            failure = failed.reason
            continue
        socket = FrameSocket(opened)
        try:
            await socket.wait_for_key()
        except BaseException:
            socket.close()
            raise
        return socket
    raise Transient(f"not_connected: {failure}")
