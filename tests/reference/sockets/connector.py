"""The connector: one WebSocket connection to log in and receive, one TCP connection for each text."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import attrs
import msgspec
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    HandshakeError,
    WebSocketConnection,
    open_websocket_url,
)

from unifyport.model.account import Identity
from unifyport.model.inbound import (
    Content,
    Conversation,
    MessageReceived,
    ProviderEvent,
    Sender,
    Unparsed,
    dedupe_key,
)
from unifyport.model.message import OutboundText
from unifyport.providers.contract.base import Batch, ConnectorContext, Link
from unifyport.providers.contract.capabilities import SendsText, Sent
from unifyport.providers.contract.errors import LoggedOut, Rejected, Transient

from .frames import FrameReader, MalformedFrame, decode, encode, pack

CALL_SECONDS = 10.0


@attrs.frozen
class Endpoints:
    """`[providers.tiktok]`: a WebSocket URL, and `host:port`."""

    events_url: str = "wss://events.reference.example"
    messages_address: str = "messages.reference.example:5223"


class SocketsConnector(SendsText):
    """One user of the platform, by a token. Implements `Connector` and `SendsText`."""

    def __init__(self, context: ConnectorContext) -> None:
        if context.proxy is not None:
            raise Transient("proxy_not_supported")
        self._token = str(context.credentials["token"])
        self._url = context.endpoints.events_url
        host, _, port = context.endpoints.messages_address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._ssl_context = context.ssl_context

    async def login(self) -> Identity:
        async with self._logged_in() as (_, user):
            return Identity(user["id"], display_name=user["name"])

    async def receive(self, link: Link) -> None:
        async with self._logged_in() as (socket, user):
            while True:
                item = (await _read(socket)).get("message")
                if not isinstance(item, dict) or not isinstance(number := item.get("number"), int):
                    raise Transient("malformed_message")  # without a number it cannot be confirmed
                link.observed()
                await link.deliver(Batch([parse(user["id"], item)]))
                await socket.send_message(encode({"confirm": number}))

    @contextlib.asynccontextmanager
    async def _logged_in(self) -> AsyncIterator[tuple[WebSocketConnection, dict[str, Any]]]:
        """A connection that the platform has accepted, and its user. Raises a failure class."""
        secure = self._ssl_context if self._url.startswith("wss:") else None
        try:
            async with open_websocket_url(self._url, secure) as socket:
                await socket.send_message(encode({"token": self._token}))
                with trio.fail_after(CALL_SECONDS):
                    answer = await _read(socket)
                if "user" not in answer:
                    raise LoggedOut("invalid_credentials")
                yield socket, answer["user"]
        except (OSError, HandshakeError, ConnectionRejected) as error:
            raise Transient(f"not_connected: {type(error).__name__}") from None
        except trio.TooSlowError:
            raise Transient("no_answer") from None
        except (ConnectionClosed, trio.BrokenResourceError):
            raise Transient("connection_lost") from None

    async def send_text(self, message: OutboundText) -> Sent:
        request = {"token": self._token, "chat": message.conversation_id, "text": message.text}
        try:
            stream = await trio.open_tcp_stream(self._host, self._port)
        except OSError as error:
            raise Transient(f"not_connected: {type(error).__name__}") from None
        async with stream:
            try:
                with trio.fail_after(CALL_SECONDS):
                    await stream.send_all(pack(request))
                    answer = await _read_frame(stream)
            except (MalformedFrame, trio.BrokenResourceError, trio.TooSlowError) as error:
                raise Transient(f"no_answer: {type(error).__name__}", maybe_applied=True) from None
        if "id" not in answer:
            raise Rejected(str(answer.get("error", "refused")))
        return Sent(str(answer["id"]))

    async def aclose(self) -> None:
        """Nothing outlives the calls above."""
        await trio.lowlevel.checkpoint()


async def _read(socket: WebSocketConnection) -> dict[str, Any]:
    message = await socket.get_message()
    try:
        return decode(message.encode() if isinstance(message, str) else message)
    except MalformedFrame:
        raise Transient("malformed_message") from None


async def _read_frame(stream: trio.SocketStream) -> dict[str, Any]:
    """The one answer on a connection. Raises `MalformedFrame`, `trio.BrokenResourceError`."""
    reader = FrameReader()
    while data := await stream.receive_some():
        if frames := reader.feed(data):
            return frames[0]
    raise trio.BrokenResourceError("closed before the answer")


class _Message(msgspec.Struct):
    number: int
    id: str
    chat: str
    text: str
    sender: str = msgspec.field(name="from")


def parse(me: str, item: dict[str, Any]) -> ProviderEvent:
    """Never raises: what cannot be read goes to quarantine."""
    raw = msgspec.json.encode(item)
    try:
        message = msgspec.convert(item, _Message)
    except msgspec.ValidationError as error:
        return Unparsed(dedupe_key("sockets", me, raw.hex()), raw, str(error))
    return MessageReceived(
        dedupe_key("sockets", me, message.id),
        Conversation(message.chat, "user"),
        Sender(message.sender),
        Content(message.id, "text", message.text),
        sent_at=1_780_000_000_000 + message.number,
    )
