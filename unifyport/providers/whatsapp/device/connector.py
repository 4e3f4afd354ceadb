"""The connection of a linked device: a thin shell around `link.py`, which has its parts.

One connection serves `login` and `receive`: the platform takes a second one for a replacement of the first.
"""

from typing import Literal

import trio

from unifyport.model import directory
from unifyport.model.account import Identity
from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage, OutboundText
from unifyport.protocols.whatsapp.payload import login_payload
from unifyport.providers.contract.base import AnswersProbes, ConnectorContext, Link
from unifyport.providers.contract.capabilities import (
    BlocksContacts,
    ChangesGroupMembers,
    CreatesGroups,
    DecidesJoinRequests,
    DownloadsMedia,
    EditsMessages,
    InvitesToGroups,
    LeavesGroups,
    ListsConversationMembers,
    ListsGroups,
    ListsJoinRequests,
    MarksRead,
    ReactsToMessages,
    ReadsBlocklist,
    ReadsGroups,
    RevokesMessages,
    SendsContacts,
    SendsFiles,
    SendsReplies,
    SendsText,
    Sent,
    SetsGroupPictures,
    SetsJoinApproval,
    ShowsTyping,
    Sink,
    Target,
    UnblocksContacts,
)
from unifyport.providers.contract.errors import LoggedOut
from unifyport.providers.contract.login import Authorization, Authorizes, Dialog, LogsOut
from unifyport.providers.usable import usable

from .appearance import appearance_of
from .group_calls import GroupCalls
from .keys import RECORD, DeviceKeys
from .link import DeviceLink
from .linking import Linking
from .pairing import identity_of
from .records import Records
from .sends import Sends
from .socket import connect
from .unlinking import unlink


class DeviceConnector(
    SendsText,
    SendsFiles,
    SendsContacts,
    SendsReplies,
    EditsMessages,
    RevokesMessages,
    ReactsToMessages,
    MarksRead,
    ShowsTyping,
    DownloadsMedia,
    ListsConversationMembers,
    ListsGroups,
    ReadsGroups,
    CreatesGroups,
    LeavesGroups,
    ChangesGroupMembers,
    SetsGroupPictures,
    ListsJoinRequests,
    DecidesJoinRequests,
    SetsJoinApproval,
    InvitesToGroups,
    ReadsBlocklist,
    BlocksContacts,
    UnblocksContacts,
    AnswersProbes,
    LogsOut,
):
    """A device that is linked."""

    def __init__(self, context: ConnectorContext) -> None:
        self._context = context
        self._records = Records(context.session)
        self._link: DeviceLink | None = None
        self._ready = trio.Event()

    # -- the connection -------------------------------------------------------------------------------------

    async def login(self) -> Identity:
        self._link = link = await self._open()
        await link.log_in()
        return identity_of(link.keys)

    async def _open(self) -> DeviceLink:
        stored = await self._records.get(*RECORD)
        if stored is None:
            raise LoggedOut("not_linked")
        keys = DeviceKeys.load(stored)
        payload = login_payload(appearance_of(self._context.endpoints), keys.me, logins=keys.logins)
        socket = await connect(self._context, keys.noise_pair, payload)
        return DeviceLink(self._context, self._records, keys, socket)

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
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def log_out(self) -> None:
        """Unlink the device: the phone's list of devices loses it."""
        link = await self._open()
        try:
            await link.log_in()
            await unlink(link)
        finally:
            await link.aclose()

    async def _up(self) -> DeviceLink:
        """The connection, once it can be used. Raises `Transient`."""
        return await usable(self._link, self._ready)

    # -- messages -------------------------------------------------------------------------------------------

    async def send_text(self, message: OutboundText) -> Sent:
        return await Sends(await self._up()).send(message)

    async def send_file(self, message: OutboundMedia) -> Sent:
        return await Sends(await self._up()).send(message)

    async def send_contacts(self, message: OutboundContacts) -> Sent:
        return await Sends(await self._up()).send(message)

    async def send_reply(self, message: OutboundMessage, quoted_message_id: str) -> Sent:
        return await Sends(await self._up()).send(message, quoted_message_id)

    async def edit_message(self, target: Target, content: str) -> None:
        await Sends(await self._up()).edit(target, content)

    async def revoke_message(self, target: Target) -> None:
        await Sends(await self._up()).revoke(target)

    async def react_to_message(self, target: Target, emoji: str) -> None:
        await Sends(await self._up()).react(target, emoji)

    async def mark_read(self, conversation_id: str, message_id: str | None) -> None:
        await Sends(await self._up()).mark_read(conversation_id, message_id)

    async def show_typing(self, conversation_id: str, message_id: str | None) -> None:
        await Sends(await self._up()).show_typing(conversation_id)

    async def download(self, handle: bytes, sink: Sink, limit: int) -> None:
        link = await self._up()
        await link.media.fetch(handle, link.socket, sink, limit)

    # -- groups and contacts --------------------------------------------------------------------------------

    async def list_conversation_members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        return await GroupCalls(await self._up()).list_members(conversation_id, after, limit)

    async def list_groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]:
        return await GroupCalls(await self._up()).list_groups(after, limit)

    async def get_group(self, group_id: str) -> directory.Group:
        return await GroupCalls(await self._up()).get(group_id)

    async def create_group(self, name: str, members: list[str]) -> str:
        return await GroupCalls(await self._up()).create(name, members)

    async def leave_group(self, group_id: str) -> None:
        await GroupCalls(await self._up()).leave(group_id)

    async def update_group_members(
        self, group_id: str, action: Literal["add", "remove", "promote", "demote"], member_id: str
    ) -> None:
        await GroupCalls(await self._up()).change_member(group_id, action, member_id)

    async def update_group_info(
        self, group_id: str, name: str | None, description: str | None, avatar_url: str | None
    ) -> None:
        await GroupCalls(await self._up()).change_info(group_id, name, description)

    async def set_group_picture(self, group_id: str, picture: directory.Picture) -> None:
        await GroupCalls(await self._up()).set_picture(group_id, picture)

    async def list_group_join_requests(self, group_id: str) -> list[directory.GroupJoinRequest]:
        return await GroupCalls(await self._up()).list_requests(group_id)

    async def update_group_join_requests(
        self, group_id: str, action: Literal["approve", "reject"], member_ids: list[str]
    ) -> None:
        await GroupCalls(await self._up()).decide(group_id, action, member_ids)

    async def set_group_join_approval_mode(self, group_id: str, enabled: bool) -> None:
        await GroupCalls(await self._up()).set_approval(group_id, enabled)

    async def get_group_invite_code(self, group_id: str) -> directory.GroupInviteCode:
        return await GroupCalls(await self._up()).invite_code(group_id)

    async def list_blocklist(self) -> directory.ContactBlocklist:
        return await GroupCalls(await self._up()).blocklist()

    async def block_contact(self, contact_id: str) -> None:
        await GroupCalls(await self._up()).set_blocked(contact_id, True)

    async def unblock_contact(self, contact_id: str) -> None:
        await GroupCalls(await self._up()).set_blocked(contact_id, False)


class QrConnector(DeviceConnector, Authorizes):
    """Linked by a QR code that the phone scans."""

    async def authorize(self, dialog: Dialog) -> Authorization:
        return await Linking(self._context, dialog).run()


class CodeConnector(DeviceConnector, Authorizes):
    """Linked by a code of eight characters that is typed on the phone."""

    async def authorize(self, dialog: Dialog) -> Authorization:
        from unifyport.providers.whatsapp import PHONE

        phone = (PHONE.read(self._context.credentials) or "").removeprefix("+")
        return await Linking(self._context, dialog, phone).run()
