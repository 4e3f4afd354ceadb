"""The connector: one WebSocket connection, and a ratchet for each conversation and direction."""

import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import trio
from trio_websocket import (
    ConnectionClosed,
    ConnectionRejected,
    ConnectionTimeout,
    DisconnectionTimeout,
    HandshakeError,
    WebSocketConnection,
    open_websocket_url,
)

from unifyport.model.account import Identity
from unifyport.model.inbound import Content, Conversation, MessageReceived, Sender, dedupe_key
from unifyport.model.message import OutboundText
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import Batch, ConnectorContext, Link
from unifyport.providers.contract.capabilities import SendsText, Sent
from unifyport.providers.contract.errors import LoggedOut, Rejected, Transient

from .chain import Chain, crypt

CALL_SECONDS = 10.0
HANDSHAKE_SECONDS = 1.0
OUT, IN = "out", "in"  # names of session records; the key is the conversation


class RatchetConnector(SendsText):
    """One user of the platform, by a token. Implements `Connector` and `SendsText`."""

    def __init__(self, context: ConnectorContext) -> None:
        self._token = str(context.credentials["token"])
        self._url = context.endpoints.socket_url
        self._session = context.session
        self._locks: defaultdict[tuple[str, str], trio.Lock] = defaultdict(trio.Lock)
        self._answers: dict[str, trio.MemorySendChannel[dict[str, Any]]] = {}
        self._socket: WebSocketConnection | None = None
        self._opened, self._lost = trio.Event(), trio.Event()  # the link is up, or will not be; it is lost
        self._me = ""

    # -- the connection -------------------------------------------------------------------------------------

    async def login(self) -> Identity:
        async with self._connected():
            return Identity(self._me)

    async def receive(self, link: Link) -> None:
        try:
            async with self._connected() as self._socket:
                self._opened.set()
                while True:
                    frame = await _read(self._socket)
                    link.observed()
                    if "answer_to" in frame:
                        if (waiter := self._answers.pop(frame["answer_to"], None)) is not None:
                            waiter.send_nowait(frame)
                    else:
                        await self._take(link, frame)
        finally:
            self._lost.set()
            self._opened.set()

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[WebSocketConnection]:
        """A connection that the platform has accepted. Raises a failure class."""
        try:
            async with open_websocket_url(
                self._url, connect_timeout=HANDSHAKE_SECONDS, disconnect_timeout=HANDSHAKE_SECONDS
            ) as socket:
                await socket.send_message(msgspec.json.encode({"token": self._token}))
                with trio.fail_after(CALL_SECONDS):
                    answer = await _read(socket)
                if "user" not in answer:
                    raise LoggedOut("invalid_credentials")
                self._me = answer["user"]
                yield socket
        except (OSError, HandshakeError, ConnectionRejected) as error:
            raise Transient(f"not_connected: {type(error).__name__}") from None
        except (trio.TooSlowError, ConnectionTimeout, DisconnectionTimeout):
            raise Transient("no_answer") from None
        except (ConnectionClosed, trio.BrokenResourceError):
            raise Transient("connection_lost") from None

    async def aclose(self) -> None:
        """Nothing outlives the calls above."""
        await trio.lowlevel.checkpoint()

    async def _write(self, frame: dict[str, Any]) -> None:
        assert self._socket is not None
        try:
            await self._socket.send_message(msgspec.json.encode(frame))
        except (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            raise Transient("connection_lost", maybe_applied=True) from None

    # -- messages -------------------------------------------------------------------------------------------

    async def _take(self, link: Link, frame: dict[str, Any]) -> None:
        """Decrypt a message once: a repeat of one that is committed is only acknowledged."""
        chat, number = frame["chat"], frame["number"]
        key = dedupe_key("ratchet", self._me, chat, str(number))
        async with self._locks[IN, chat]:
            if key in await self._session.seen([key]):
                await self._session.commit(())
            else:
                stored = await self._session.get(IN, chat.encode())
                chain = Chain.load(stored, f"{self._me} from {chat}").skip_to(number)
                secret, after = chain.step()
                text = crypt(secret, bytes.fromhex(frame["bytes"])).decode()
                content = Content(f"{chat}-{number}", "text", text)
                event = MessageReceived(key, Conversation(chat, "user"), Sender(chat), content, number)
                await link.deliver(Batch([event], [SessionChange(IN, chat.encode(), after.dump())]))
        await self._write({"ack": {"chat": chat, "number": number}})

    async def send_text(self, message: OutboundText) -> Sent:
        chat = message.conversation_id
        await self._opened.wait()
        if self._lost.is_set():
            raise Transient("connection_lost")
        async with self._locks[OUT, chat]:
            chain = Chain.load(await self._session.get(OUT, chat.encode()), f"{self._me} to {chat}")
            secret, after = chain.step()
            sealed = crypt(secret, message.text.encode()).hex()
            await self._session.sending(message, [SessionChange(OUT, chat.encode(), after.dump())])
            frame = {"chat": chat, "number": chain.number, "bytes": sealed, "ref": message.client_ref}
            return await self._answer_to(frame)

    async def _answer_to(self, frame: dict[str, Any]) -> Sent:
        answers, answer = trio.open_memory_channel[dict[str, Any]](1)
        self._answers[frame["ref"]] = answers
        try:
            await self._write({"message": frame})
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._end_when_lost, nursery.cancel_scope)
                found = await answer.receive()
                nursery.cancel_scope.cancel()
                if "error" in found:
                    raise Rejected(str(found["error"]))
                return Sent(str(found["id"]))
            raise Transient("connection_lost", maybe_applied=True)
        finally:
            self._answers.pop(frame["ref"], None)

    async def _end_when_lost(self, scope: trio.CancelScope) -> None:
        await self._lost.wait()
        scope.cancel()


async def _read(socket: WebSocketConnection) -> dict[str, Any]:
    """The next frame. Raises `ConnectionClosed`."""
    return msgspec.json.decode(await socket.get_message(), type=dict[str, Any])
