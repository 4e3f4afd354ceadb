"""The connection of a device that is logged in: its parts, and what they do for each command."""

import trio

from unifyport.model import directory
from unifyport.model.account import Identity
from unifyport.model.json_text import UNREADABLE
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.providers.contract.base import AnswersProbes, ConnectorContext, KeepsTokens, Link
from unifyport.providers.contract.capabilities import (
    BlocksContacts,
    DownloadsMedia,
    ListsContacts,
    ListsConversationMembers,
    ListsGroups,
    MarksRead,
    ReactsToMessages,
    ReadsBlocklist,
    ReadsContacts,
    ReadsConversations,
    ReadsGroups,
    RevokesMessages,
    SendsContacts,
    SendsFiles,
    SendsReplies,
    SendsText,
    Sent,
    Sink,
    Target,
    UnblocksContacts,
)
from unifyport.providers.contract.errors import LoggedOut
from unifyport.providers.contract.login import Authorization, Authorizes, Dialog, LogsOut

from . import call_structures as of
from .gateway import Gateway
from .linking import Linking, identity_of
from .parts import Parts
from .people import FOUND_BY_USER
from .records import ME, Me, Records

SWEEP_SECONDS = 3600.0


class LineDeviceConnector(
    SendsText,
    SendsFiles,
    SendsContacts,
    SendsReplies,
    RevokesMessages,
    ReactsToMessages,
    MarksRead,
    DownloadsMedia,
    ReadsConversations,
    ListsConversationMembers,
    ListsContacts,
    ReadsContacts,
    ReadsBlocklist,
    BlocksContacts,
    UnblocksContacts,
    ListsGroups,
    ReadsGroups,
    AnswersProbes,
    KeepsTokens,
    Authorizes,
    LogsOut,
):
    """A device of one account."""

    def __init__(self, context: ConnectorContext) -> None:
        self._context = context
        self._gateway = Gateway(context)
        self._known: Parts | None = None

    # -- the connection -------------------------------------------------------------------------------------

    async def authorize(self, dialog: Dialog) -> Authorization:
        return await Linking(self._context, self._gateway, dialog).run()

    async def login(self) -> Identity:
        parts = await self._parts()
        profile = await parts.talk.read("getProfile", of.ReasonArguments(FOUND_BY_USER))
        return identity_of(profile, self._context.endpoints.device_picture_url)

    async def receive(self, link: Link) -> None:
        parts = await self._parts()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(parts.sync.run, link)
            while True:
                await parts.echoes.sweep()
                await trio.sleep(SWEEP_SECONDS)

    async def keep_fresh(self) -> None:
        await (await self._parts()).tokens.keep_fresh()

    async def probe(self) -> None:
        await (await self._parts()).talk.read("getLastOpRevision", of.NoArguments())

    async def log_out(self) -> None:
        await (await self._parts()).talk.write("logoutV2", of.NoArguments())

    async def aclose(self) -> None:
        self._known = None
        await self._gateway.aclose()

    async def _parts(self) -> Parts:
        """Raises `LoggedOut` where there is no session that can be read."""
        if self._known is None:
            records = Records(self._context.session)
            stored = await records.get(*ME)
            if stored is None:
                raise LoggedOut("not_linked")
            try:
                me = Me.load(stored)
            except UNREADABLE:
                raise LoggedOut("session_unreadable") from None
            self._known = Parts(self._context, self._gateway, records, me)
        return self._known

    # -- messages -------------------------------------------------------------------------------------------

    async def send_text(self, message: OutboundText) -> Sent:
        return await (await self._parts()).sends.send(message)

    async def send_file(self, message: OutboundMedia) -> Sent:
        return await (await self._parts()).sends.send(message)

    async def send_contacts(self, message: OutboundContacts) -> Sent:
        return await (await self._parts()).sends.send(message)

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await (await self._parts()).sends.send(message, quoted_message_id)

    async def revoke_message(self, target: Target) -> None:
        await (await self._parts()).sends.unsend(target)

    async def react_to_message(self, target: Target, emoji: str) -> None:
        await (await self._parts()).sends.react(target, emoji)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        await (await self._parts()).sends.mark_read(conversation_id, message_id)

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        await (await self._parts()).media.fetch(handle, sink, limit)

    # -- chats, contacts, groups ----------------------------------------------------------------------------

    async def get_conversation(self, conversation_id: str) -> directory.Conversation:
        return await (await self._parts()).directory.get_conversation(conversation_id)

    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        return await (await self._parts()).directory.list_members(conversation_id, after, limit)

    async def list_contacts(
        self, q: str | None, updated_since: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Contact]:
        return await (await self._parts()).directory.list_contacts(q, after, limit)

    async def get_contact(self, contact_id: str) -> directory.Contact:
        return await (await self._parts()).directory.get_contact(contact_id)

    async def list_blocklist(self) -> directory.ContactBlocklist:
        return await (await self._parts()).directory.blocklist()

    async def block_contact(self, contact_id: str) -> None:
        await (await self._parts()).directory.set_blocked(contact_id, True)

    async def unblock_contact(self, contact_id: str) -> None:
        await (await self._parts()).directory.set_blocked(contact_id, False)

    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]:
        return await (await self._parts()).directory.list_groups(after, limit)

    async def get_group(self, group_id: str) -> directory.Group:
        return await (await self._parts()).directory.get_group(group_id)
