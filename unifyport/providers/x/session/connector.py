"""The connection of a user by the session of a browser: a thin shell around `link.py`, which has its parts.

Experimental: X offers no such API, and may refuse requests or lock the account at any time.
"""

import logging

import trio

from unifyport.model.account import Identity
from unifyport.model.message import OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.contract.base import AnswersProbes, ConnectorContext, Link
from unifyport.providers.contract.capabilities import (
    DownloadsMedia,
    EditsMessages,
    MarksRead,
    ReactsToMessages,
    RevokesMessages,
    SendsFiles,
    SendsReplies,
    SendsText,
    Sent,
    Sink,
    Target,
)
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.contract.login import Authorization, ExportedSession, ImportsSession
from unifyport.providers.usable import usable

from ..xchat.chat import XChat
from ..xchat.files import read_handle
from . import importing
from .catch_up import CatchUp
from .classic import Classic
from .client import WebClient
from .directory import Directory
from .encrypted import Encrypted
from .link import SessionLink
from .roads import Roads
from .socket import ChatSocket, connect
from .transport import WebTransport

log = logging.getLogger(__name__)
_SAVE_SECONDS = 5.0


class SessionConnector(
    ImportsSession,
    SendsText,
    SendsFiles,
    SendsReplies,
    EditsMessages,
    RevokesMessages,
    ReactsToMessages,
    MarksRead,
    DownloadsMedia,
    Directory,
    AnswersProbes,
):
    """A session of x.com."""

    takes_pin = True

    def __init__(self, context: ConnectorContext) -> None:
        self._context = context
        self._client: WebClient | None = None
        self._socket: ChatSocket | None = None
        self._link: SessionLink | None = None
        self._ready = trio.Event()

    # -- the connection -------------------------------------------------------------------------------------

    async def import_session(self, exported: ExportedSession) -> Authorization:
        return await importing.import_session(self._context, exported)

    async def login(self) -> Identity:
        context = self._context
        self._client = client = await importing.restored(context)
        log.warning("x: this connection is experimental: X offers no such API, and may lock the account")
        try:
            identity = await importing.prove(client)
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _SAVE_SECONDS):
                await client.save()  # also cookies that came with a refusal
        transport = WebTransport(client, self._emit)
        chat = await XChat.load(transport, context.session, client.me, context.clock)
        if not chat.ready:
            log.warning("x: the account has no keys of XChat: encrypted messages cannot be read or sent")
        self._socket = socket = await connect(context, client)
        catch_up = CatchUp(client, transport)
        classic = Classic(client, context.session, context.clock, context.endpoints)
        await classic.load()
        await classic.begin()
        encrypted = Encrypted(client.me)
        await encrypted.load(context.session)
        self._link = SessionLink(
            context,
            client,
            socket,
            chat=chat,
            catch_up=catch_up,
            transport=transport,
            classic=classic,
            encrypted=encrypted,
        )
        return identity

    async def receive(self, link: Link) -> None:
        assert self._link is not None, "login comes first"
        try:
            await self._link.run(link, self._ready.set)
        finally:
            self._ready.set()

    async def probe(self) -> None:
        await (await self._up()).client.verify()

    async def aclose(self) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._client is not None:
            await self._client.aclose()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _emit(self, data: bytes) -> None:
        if self._socket is None:
            raise Transient("connection_lost")
        await self._socket.send(data)

    async def _up(self) -> SessionLink:
        """The connection, once it can be used. Raises `Transient`."""
        return await usable(self._link, self._ready)

    # -- messages -------------------------------------------------------------------------------------------

    async def send_text(self, message: OutboundText) -> Sent:
        return await self._send(message)

    async def send_file(self, message: OutboundMedia) -> Sent:
        return await self._send(message)

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await self._send(message, quoted_message_id)

    async def _send(self, message: OutboundMessage, quoted: str | None = None) -> Sent:
        link = await self._up()
        roads = Roads(
            me=link.client.me,
            chat=link.chat,
            classic=link.classic,
            encrypted=link.encrypted,
            transport=link.transport,
            session=self._context.session,
        )
        return await roads.send(message, quoted)

    async def edit_message(self, target: Target, content: str) -> None:
        await (await self._up()).chat.changing.edit(target, content)

    async def revoke_message(self, target: Target) -> None:
        await (await self._up()).chat.changing.revoke(target)

    async def react_to_message(self, target: Target, emoji: str) -> None:
        await (await self._up()).chat.changing.react(target, emoji)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        link = await self._up()
        if message_id is not None and message_id.isascii() and message_id.isdigit():
            await link.classic.mark_read(conversation_id, message_id)
        else:
            await link.chat.changing.mark_read(conversation_id, message_id)

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        link = await self._up()
        if await link.classic.download(handle, sink, limit):
            return
        file = read_handle(handle)
        if file is None:
            raise Rejected("media_not_found")
        await link.chat.download(file, sink, limit)
