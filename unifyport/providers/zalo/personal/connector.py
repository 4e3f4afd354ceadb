"""The connection of a personal account: a thin shell around `link.py`, which has its parts.

Zalo Web has one connection at a time: a browser that opens it ends ours (`Conflict`), and ours ends the
browser's.
"""

import logging

import trio

from unifyport.model.account import Identity
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.contract.base import AnswersProbes, ConnectorContext, Link
from unifyport.providers.contract.capabilities import (
    DownloadsMedia,
    MarksRead,
    ReactsToMessages,
    RevokesMessages,
    SendsContacts,
    SendsFiles,
    SendsReplies,
    SendsText,
    Sent,
    ShowsTyping,
    Sink,
    Target,
)
from unifyport.providers.contract.errors import LoggedOut
from unifyport.providers.contract.login import (
    Authorization,
    Authorizes,
    Dialog,
    ExportedSession,
    ImportsSession,
)
from unifyport.providers.usable import usable

from ..downloads import download
from . import cookies, linking
from .conversations import Conversations
from .groups import Groups
from .link import PersonalLink
from .login_info import limits_call, read_limits
from .records import (
    COOKIES,
    PROXY,
    load_client_id,
    load_device,
    load_marks,
    proxy_change,
    proxy_digest,
)
from .sends import Sends
from .socket import connect
from .transport import Transport

log = logging.getLogger(__name__)


class PersonalConnector(
    SendsText,
    SendsFiles,
    SendsReplies,
    RevokesMessages,
    ReactsToMessages,
    MarksRead,
    ShowsTyping,
    DownloadsMedia,
    SendsContacts,
    Conversations,
    Groups,
    AnswersProbes,
):
    """A session of Zalo Web."""

    def __init__(self, context: ConnectorContext) -> None:
        self._context = context
        self._transport: Transport | None = None
        self._link: PersonalLink | None = None
        self._ready = trio.Event()

    # -- the connection -------------------------------------------------------------------------------------

    async def login(self) -> Identity:
        context, records = self._context, self._context.session
        device = await load_device(records)
        stored = await records.get(COOKIES)
        if stored is None:
            raise LoggedOut("not_linked")
        await self._look_at_proxy()
        self._transport = transport = Transport(context, device, cookies.restored(stored))
        session = await linking.log_in(transport, context.clock.now_ms())
        limits = read_limits(await transport.ask(limits_call(device)))
        await transport.save()
        socket = await connect(context, transport, session, context.clock.now_ms())
        self._link = PersonalLink(
            context,
            transport,
            session,
            limits,
            socket,
            marks=await load_marks(records),
            last_client_id=await load_client_id(records),
        )
        return Identity(session.uid)

    async def _look_at_proxy(self) -> None:
        """Zalo may refuse cookies that come from another address than they were made for."""
        known = await self._context.session.get(PROXY)
        if known == proxy_digest(self._context.proxy):
            return
        if known is not None:
            log.warning("zalo: the session is used through another proxy: Zalo may end it")
        await self._context.session.commit([proxy_change(self._context.proxy)])

    async def receive(self, link: Link) -> None:
        assert self._link is not None, "login comes first"
        try:
            await self._link.run(link, self._ready.set)
        finally:
            self._ready.set()

    async def probe(self) -> None:
        await (await self._up()).probe()

    async def aclose(self) -> None:
        if self._link is not None:
            await self._link.aclose()
        elif self._transport is not None:
            await self._transport.aclose()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def _up(self) -> PersonalLink:
        """The connection, once it can be used. Raises `Transient`."""
        return await usable(self._link, self._ready)

    async def _sends(self) -> Sends:
        return Sends(await self._up())

    # -- messages -------------------------------------------------------------------------------------------

    async def send_text(self, message: OutboundText) -> Sent:
        return await (await self._sends()).send(message)

    async def send_file(self, message: OutboundMedia) -> Sent:
        return await (await self._sends()).send(message)

    async def send_contacts(self, message: OutboundContacts) -> Sent:
        return await (await self._sends()).send_card(message)

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await (await self._sends()).send(message, quoted_message_id)

    async def revoke_message(self, target: Target) -> None:
        await (await self._sends()).revoke(target)

    async def react_to_message(self, target: Target, emoji: str) -> None:
        await (await self._sends()).react(target, emoji)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        await (await self._sends()).mark_read(conversation_id, message_id)

    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        await (await self._sends()).show_typing(conversation_id)

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        link = await self._up()
        hosts = self._context.endpoints.media_hosts
        await download(link.transport.http, handle, sink, hosts=hosts, limit=limit)


class QrConnector(PersonalConnector, Authorizes):
    """Logged in by a QR code that the phone scans."""

    async def authorize(self, dialog: Dialog) -> Authorization:
        return await linking.Linking(self._context, dialog).run()


class SessionConnector(PersonalConnector, ImportsSession):
    """With a session that was exported from a browser."""

    async def import_session(self, exported: ExportedSession) -> Authorization:
        return await linking.import_session(self._context, exported)
