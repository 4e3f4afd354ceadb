"""The conversations, contacts and groups of an account."""

from typing import TYPE_CHECKING, Any, Final

import msgspec
from telethon.tl import functions, types

from unifyport.model import directory
from unifyport.model.times import rfc3339
from unifyport.providers.contract.capabilities import CONTACT_NOT_FOUND, CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import Rejected

from ..bot.people import conversation, full_name
from ..bot.shapes import Chat
from .peer import CHANNEL, SUPERGROUP, USER, Peer, id_of, input_peer_of, peer_of

if TYPE_CHECKING:
    from .link import UserLink

_PAGE: Final = 100
_MOST_PAGES: Final = 10  # of one call, for types that are rare
_BLOCKED: Final = 1000


class _Cursor(msgspec.Struct, array_like=True):
    """Where the next page of conversations begins: after this message of this peer."""

    date: int
    message: int
    peer: int


class Lists:
    """Calls of one account. Every method raises failure classes."""

    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    async def conversations(
        self, wanted: list[str], label_id: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Conversation]:
        if label_id is not None:
            raise Rejected("labels_not_supported", "Telegram's folders are not labels")
        found: list[directory.Conversation] = []
        cursor = _read_cursor(after)
        for _ in range(_MOST_PAGES):
            page, cursor = await self._dialogs(cursor, min(limit - len(found), _PAGE))
            found += [each for each in page if not wanted or each.type in wanted]
            if cursor is None or len(found) >= limit:
                break
        return directory.Page(found, _cursor_text(cursor))

    async def _dialogs(
        self, cursor: _Cursor | None, limit: int
    ) -> tuple[list[directory.Conversation], _Cursor | None]:
        date, number, peer = None, 0, types.InputPeerEmpty()
        if cursor is not None:
            date, number = cursor.date, cursor.message
            peer = await self._parts.peers.input_peer(cursor.peer)
        request = functions.messages.GetDialogsRequest(
            date, number, peer, limit, 0, exclude_pinned=cursor is not None
        )
        answer = await self._parts.rpc.call(request)
        if isinstance(answer, types.messages.DialogsNotModified):
            return [], None
        entities = [*answer.users, *answer.chats]
        await self._parts.chats.learn(entities)
        known = {found.id: found for each in entities if (found := peer_of(each)) is not None}
        messages = {(id_of(each.peer_id), each.id): each for each in answer.messages}
        shown = [
            self._shown(dialog, known[id_of(dialog.peer)], messages)
            for dialog in answer.dialogs
            if isinstance(dialog, types.Dialog) and id_of(dialog.peer) in known
        ]
        return shown, _next_cursor(answer, messages, cursor)

    def _shown(self, dialog: Any, peer: Peer, messages: dict[tuple[int, int], Any]) -> directory.Conversation:
        there = _conversation(peer)
        last = messages.get((peer.id, dialog.top_message))
        muted = dialog.notify_settings.mute_until
        return directory.Conversation(
            there.id,
            there.type,
            there.title,
            unread_count=max(dialog.unread_count, 1 if dialog.unread_mark else 0),
            is_pinned=bool(dialog.pinned),
            is_muted=muted is not None and muted.timestamp() > self._parts.context.clock.now_ms() / 1000,
            last_message_at=_when(last),
            last_message_text=getattr(last, "message", None) or None,
            username=peer.username or None,
            extra={"archived": True} if dialog.folder_id == 1 else None,
        )

    async def conversation(self, conversation_id: str) -> directory.Conversation:
        id_ = await self._parts.chats.resolve(conversation_id)
        peer = await self._parts.peers.input_peer(id_)
        answer = await self._parts.rpc.call(
            functions.messages.GetPeerDialogsRequest([types.InputDialogPeer(peer)])
        )
        await self._parts.chats.learn([*answer.users, *answer.chats])
        messages = {(id_of(each.peer_id), each.id): each for each in answer.messages}
        known = await self._parts.peers.get(id_)
        dialog = next((each for each in answer.dialogs if id_of(each.peer) == id_), None)
        if known is None:
            raise Rejected(CONVERSATION_NOT_FOUND)
        there = _conversation(known)
        shown = directory.Conversation(there.id, there.type, there.title, username=known.username or None)
        if dialog is not None:
            shown = self._shown(dialog, known, messages)
        full, count = await self._full(known)
        shown.description = getattr(full, "about", None) or None
        shown.members_count = count if known.type != CHANNEL else None
        shown.subscribers_count = count if known.type == CHANNEL else None
        if known.is_forum:
            shown.extra = {**(shown.extra or {}), "is_forum": True}
        return shown

    async def _full(self, peer: Peer) -> tuple[Any, int | None]:
        """What the platform says of a peer beyond its name, and how many members it has."""
        if peer.type == USER:
            user = await self._parts.peers.input_user(peer.id)
            answer = await self._parts.rpc.call(functions.users.GetFullUserRequest(user))
            return answer.full_user, None
        if peer.type in (SUPERGROUP, CHANNEL):
            channel = await self._parts.peers.input_channel(peer.id)
            answer = await self._parts.rpc.call(functions.channels.GetFullChannelRequest(channel))
            return answer.full_chat, answer.full_chat.participants_count
        answer = await self._parts.rpc.call(functions.messages.GetFullChatRequest(peer.number))
        members = getattr(answer.full_chat.participants, "participants", None)
        return answer.full_chat, len(members) if members is not None else None

    # -- people ----------------------------------------------------------------------------------------------

    async def contacts(
        self, q: str | None, after: str | None, limit: int
    ) -> directory.Page[directory.Contact]:
        """Telegram tells all contacts at once; pages are cut here."""
        answer = await self._parts.rpc.call(functions.contacts.GetContactsRequest(0))
        users = getattr(answer, "users", [])
        await self._parts.chats.learn(users)
        found = sorted((each for each in users if isinstance(each, types.User)), key=lambda each: each.id)
        if q:
            found = [each for each in found if q.lower() in _searched(each)]
        start = int(after) if after and after.isascii() and after.isdigit() and len(after) < 20 else 0
        rest = [each for each in found if each.id > start]
        page = [_contact(each) for each in rest[:limit]]
        return directory.Page(page, page[-1].id if page and len(rest) > limit else None)

    async def contact(self, contact_id: str) -> directory.Contact:
        id_ = await self._parts.chats.resolve(contact_id)
        try:
            user = await self._parts.peers.input_user(id_)
        except Rejected:
            raise Rejected(CONTACT_NOT_FOUND) from None
        answer = await self._parts.rpc.call(functions.users.GetFullUserRequest(user))
        await self._parts.chats.learn(answer.users)
        found = next((each for each in answer.users if each.id == id_), None)
        if found is None:
            raise Rejected(CONTACT_NOT_FOUND)
        shown = _contact(found)
        shown.is_blocked = bool(answer.full_user.blocked)
        about, note = answer.full_user.about, getattr(answer.full_user, "note", None)
        extra = {"about": about, "note": getattr(note, "text", None)}
        shown.extra = {**(shown.extra or {}), **{name: text for name, text in extra.items() if text}} or None
        return shown

    async def blocklist(self) -> directory.ContactBlocklist:
        found: list[str] = []
        while len(found) < _BLOCKED:
            answer = await self._parts.rpc.call(functions.contacts.GetBlockedRequest(len(found), _PAGE))
            await self._parts.chats.learn([*answer.users, *answer.chats])
            found += [str(id_of(each.peer_id)) for each in answer.blocked]
            if not answer.blocked or len(found) >= getattr(answer, "count", 0):
                break
        return directory.ContactBlocklist(found)

    # -- groups ----------------------------------------------------------------------------------------------

    async def groups(self, after: str | None, limit: int) -> directory.Page[directory.Group]:
        """The groups and supergroups among the conversations."""
        page = await self.conversations(["group"], None, after, limit)
        shown = [
            directory.Group(each.conversation_id, each.conversation_id, each.title) for each in page.items
        ]
        return directory.Page(shown, page.next)


def _conversation(peer: Peer) -> Any:
    names = (peer.title, peer.first_name, peer.last_name, peer.username)
    return conversation(Chat(peer.id, peer.type, *names))


def _when(message: Any) -> str | None:
    date = getattr(message, "date", None)
    return rfc3339(int(date.timestamp() * 1000)) if date is not None else None


def _contact(user: Any) -> directory.Contact:
    peer = peer_of(user)
    assert peer is not None
    chat = Chat(peer.id, peer.type, "", peer.first_name, peer.last_name, peer.username)
    extra = {"phone": peer.phone, "username": peer.username}
    return directory.Contact(
        str(peer.id),
        str(peer.id),
        full_name(chat),
        str(peer.id),
        extra={name: value for name, value in extra.items() if value} or None,
    )


def _searched(user: Any) -> str:
    parts = (user.first_name, user.last_name, user.username, user.phone)
    return " ".join(part for part in parts if part).lower()


def _next_cursor(answer: Any, messages: dict[tuple[int, int], Any], before: _Cursor | None) -> _Cursor | None:
    if not isinstance(answer, types.messages.DialogsSlice) or not answer.dialogs:
        return None
    last = answer.dialogs[-1]
    message = messages.get((id_of(last.peer), last.top_message))
    if message is None or getattr(message, "date", None) is None:
        return None
    if isinstance(input_peer_of(last.peer, [*answer.users, *answer.chats]), types.InputPeerEmpty):
        return None
    found = _Cursor(int(message.date.timestamp()), message.id, id_of(last.peer))
    return found if found != before else None


def _read_cursor(after: str | None) -> _Cursor | None:
    if after is None:
        return None
    try:
        return msgspec.json.decode(bytes.fromhex(after), type=_Cursor)
    except (ValueError, msgspec.DecodeError):
        raise Rejected("invalid_cursor") from None


def _cursor_text(cursor: _Cursor | None) -> str | None:
    return msgspec.json.encode(cursor).hex() if cursor is not None else None
