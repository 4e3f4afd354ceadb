"""Groups, supergroups and channels: members, names, join requests, invitations.

A group that is made is a basic one (https://core.telegram.org/api/channel); Telegram turns it into a
supergroup by itself when it needs to be one.
"""

from typing import TYPE_CHECKING, Any, Final, Literal

from telethon.tl import functions, types

from unifyport.model import directory
from unifyport.model.times import rfc3339
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND, GROUP_NOT_FOUND
from unifyport.providers.contract.errors import Rejected

from .group_members import chat_member_request, member_of, members_of
from .peer import GROUP, USER, Peer, peer_of

if TYPE_CHECKING:
    from .link import UserLink

_REQUESTS: Final = 200
_ADMIN: Final = types.ChatAdminRights(
    change_info=True,
    delete_messages=True,
    ban_users=True,
    invite_users=True,
    pin_messages=True,
    manage_call=True,
    other=True,
)


class Groups:
    """Calls of one account. Every method raises failure classes."""

    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    async def _call(self, request: Any, peer: Peer, *, repeatable: bool = True) -> Any:
        """Call about a group, and take what the answer says of the account's updates."""
        found = await self._parts.rpc.call(request, peer=str(peer.id), repeatable=repeatable)
        self._parts.changes.take(found, peer.id)
        return found

    async def _group(self, group_id: str, *, missing: str = GROUP_NOT_FOUND) -> Peer:
        """A group, supergroup or channel. Raises `Rejected`."""
        try:
            id_ = await self._parts.chats.resolve(group_id)
        except Rejected as error:
            raise Rejected(missing, error.detail, code=error.code) from None
        found = await self._parts.peers.get(id_)
        if found is None or found.type == USER:
            raise Rejected(missing, "it is no group that this account knows")
        return found

    async def _channel(self, peer: Peer) -> Any:
        return await self._parts.peers.input_channel(peer.id)

    # -- what there is ---------------------------------------------------------------------------------------

    async def get(self, group_id: str) -> directory.Group:
        peer = await self._group(group_id)
        full, count = await self._full(peer)
        peer = await self._parts.peers.get(peer.id) or peer  # its name is as new as the rest
        extra: dict[str, Any] = {"type": peer.type}
        if peer.username:
            extra["username"] = peer.username
        return directory.Group(
            str(peer.id),
            str(peer.id),
            peer.title,
            description=full.about or None,
            member_count=count,
            extra=extra,
        )

    async def _full(self, peer: Peer) -> tuple[Any, int | None]:
        if peer.type == GROUP:
            answer = await self._parts.rpc.call(functions.messages.GetFullChatRequest(peer.number))
            await self._parts.chats.learn([*answer.users, *answer.chats])
            members = getattr(answer.full_chat.participants, "participants", None)
            return answer.full_chat, len(members) if members is not None else None
        answer = await self._parts.rpc.call(
            functions.channels.GetFullChannelRequest(await self._channel(peer))
        )
        await self._parts.chats.learn([*answer.users, *answer.chats])
        return answer.full_chat, answer.full_chat.participants_count

    async def members(
        self, conversation_id: str, after: str | None, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        id_ = await self._parts.chats.resolve(conversation_id)
        if id_ > 0:
            known = await self._parts.peers.get(id_)
            if known is None:
                raise Rejected(CONVERSATION_NOT_FOUND)
            return directory.Page([member_of(known, None)])
        peer = await self._group(conversation_id, missing=CONVERSATION_NOT_FOUND)
        start = int(after) if after and after.isascii() and after.isdigit() and len(after) < 10 else 0
        if peer.type == GROUP:
            return await self._members_of_chat(peer, start, limit)
        request = functions.channels.GetParticipantsRequest(
            await self._channel(peer), types.ChannelParticipantsRecent(), start, min(limit, 200), 0
        )
        answer = await self._parts.rpc.call(request, peer=str(peer.id))
        entities = [*getattr(answer, "users", []), *getattr(answer, "chats", [])]
        await self._parts.chats.learn(entities)
        listed = getattr(answer, "participants", [])
        end = start + len(listed)
        more = bool(listed) and end < getattr(answer, "count", 0)
        return directory.Page(members_of(listed, entities), str(end) if more else None)

    async def _members_of_chat(
        self, peer: Peer, start: int, limit: int
    ) -> directory.Page[directory.ConversationMember]:
        answer = await self._parts.rpc.call(functions.messages.GetFullChatRequest(peer.number))
        await self._parts.chats.learn([*answer.users, *answer.chats])
        listed = getattr(answer.full_chat.participants, "participants", [])
        page, end = listed[start : start + limit], start + limit
        return directory.Page(members_of(page, answer.users), str(end) if end < len(listed) else None)

    # -- changes ---------------------------------------------------------------------------------------------

    async def create(self, name: str, members: list[str]) -> str:
        users = [
            await self._parts.peers.input_user(await self._parts.chats.resolve(each)) for each in members
        ]
        answer = await self._parts.rpc.call(
            functions.messages.CreateChatRequest(users, name), repeatable=False
        )
        self._parts.changes.take(answer)
        made = getattr(answer, "updates", answer)
        chats = getattr(made, "chats", [])
        await self._parts.chats.learn([*getattr(made, "users", []), *chats])
        for chat in chats:
            if (peer := peer_of(chat)) is not None:
                return str(peer.id)
        raise Rejected("unexpected_answer", "Telegram does not say which group it made")

    async def leave(self, group_id: str) -> None:
        peer = await self._group(group_id)
        if peer.type == GROUP:
            request: Any = functions.messages.DeleteChatUserRequest(peer.number, types.InputUserSelf())
        else:
            request = functions.channels.LeaveChannelRequest(await self._channel(peer))
        await self._call(request, peer)

    async def change_member(
        self, group_id: str, action: Literal["add", "remove", "promote", "demote"], member_id: str
    ) -> None:
        peer = await self._group(group_id)
        id_ = await self._parts.chats.resolve(member_id)
        user = await self._parts.peers.input_user(id_)
        if peer.type == GROUP:
            await self._call(chat_member_request(peer.number, action, user), peer)
            return
        channel = await self._channel(peer)
        match action:
            case "add":
                answer = await self._call(functions.channels.InviteToChannelRequest(channel, [user]), peer)
                if getattr(answer, "missing_invitees", None):
                    raise Rejected("contact_not_reachable", "this person's settings do not allow it")
            case "remove":
                participant = await self._parts.peers.input_peer(id_)
                for banned in (True, None):  # they may come back by an invitation
                    rights = types.ChatBannedRights(None, view_messages=banned)
                    await self._call(functions.channels.EditBannedRequest(channel, participant, rights), peer)
            case _:
                rights = _ADMIN if action == "promote" else types.ChatAdminRights()
                await self._call(functions.channels.EditAdminRequest(channel, user, rights, ""), peer)

    async def change_info(self, group_id: str, name: str | None, description: str | None) -> None:
        peer = await self._group(group_id)
        if description is not None:
            there = await self._parts.peers.input_peer(peer.id)
            await self._unless_same(functions.messages.EditChatAboutRequest(there, description), peer)
        elif name is not None and peer.type == GROUP:
            await self._unless_same(functions.messages.EditChatTitleRequest(peer.number, name), peer)
        elif name is not None:
            channel = await self._channel(peer)
            await self._unless_same(functions.channels.EditTitleRequest(channel, name), peer)

    async def set_picture(self, group_id: str, picture: directory.Picture) -> None:
        """Telegram writes a service message of each picture, so the last call is not repeated."""
        peer = await self._group(group_id)
        photo = types.InputChatUploadedPhoto(await self._parts.media.upload_picture(picture))
        if peer.type == GROUP:
            request: Any = functions.messages.EditChatPhotoRequest(peer.number, photo)
        else:
            request = functions.channels.EditPhotoRequest(await self._channel(peer), photo)
        await self._unless_same(request, peer, repeatable=False)

    async def _unless_same(self, request: Any, peer: Peer, *, repeatable: bool = True) -> None:
        try:
            await self._call(request, peer, repeatable=repeatable)
        except Rejected as error:
            if error.code not in ("CHAT_NOT_MODIFIED", "CHAT_ABOUT_NOT_MODIFIED"):
                raise

    # -- who may come in -------------------------------------------------------------------------------------

    async def requests(self, group_id: str) -> list[directory.GroupJoinRequest]:
        peer = await self._group(group_id)
        there = await self._parts.peers.input_peer(peer.id)
        request = functions.messages.GetChatInviteImportersRequest(
            there, None, types.InputUserEmpty(), _REQUESTS, requested=True
        )
        answer = await self._parts.rpc.call(request, peer=str(peer.id))
        await self._parts.chats.learn(answer.users)
        return [
            directory.GroupJoinRequest(
                str(each.user_id), requested_at=rfc3339(int(each.date.timestamp() * 1000))
            )
            for each in answer.importers
        ]

    async def decide(
        self, group_id: str, action: Literal["approve", "reject"], member_ids: list[str]
    ) -> None:
        """One call for each; the first that is refused ends it."""
        peer = await self._group(group_id)
        there = await self._parts.peers.input_peer(peer.id)
        users = [
            await self._parts.peers.input_user(await self._parts.chats.resolve(each)) for each in member_ids
        ]
        for user in users:
            approved = True if action == "approve" else None
            request = functions.messages.HideChatJoinRequestRequest(there, user, approved=approved)
            await self._call(request, peer)

    async def set_approval(self, group_id: str, enabled: bool) -> None:
        peer = await self._group(group_id)
        if peer.type == GROUP:
            raise Rejected("not_supported", "Telegram asks for approval in supergroups and channels only")
        request = functions.channels.ToggleJoinRequestRequest(await self._channel(peer), enabled)
        await self._unless_same(request, peer)

    async def invite_code(self, group_id: str) -> directory.GroupInviteCode:
        """The link that the group has; the platform makes one if there is none."""
        peer = await self._group(group_id)
        full, _ = await self._full(peer)
        invite = getattr(full, "exported_invite", None)
        if not isinstance(invite, types.ChatInviteExported):
            there = await self._parts.peers.input_peer(peer.id)
            invite = await self._call(functions.messages.ExportChatInviteRequest(there), peer)
        link = str(invite.link)
        return directory.GroupInviteCode(link, link.rpartition("/")[2].removeprefix("+"))
