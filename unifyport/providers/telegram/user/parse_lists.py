"""Updates about the account's own list of chats, about groups, and those without a standard event. Pure."""

import hashlib
from collections.abc import Callable
from typing import Any

from telethon.tl import types

from unifyport.model.inbound import (
    Content,
    ConversationChanged,
    GroupChanged,
    JoinRequested,
    PlatformEvent,
    ProviderEvent,
    Status,
    StatusChanged,
)

from .context import Context
from .peer import channel_id, id_of
from .values import name_of

# -- read marks and the account's own list of chats ----------------------------------------------------------


def _read_by_others(update: Any, context: Context) -> list[ProviderEvent]:
    """Everything up to a message was read: the platform names the last one."""
    chat = channel_id(update.channel_id) if hasattr(update, "channel_id") else id_of(update.peer)
    key = context.key("read", chat, update.max_id)
    there = context.conversation(chat)
    return [StatusChanged(key, there, [str(update.max_id)], Status.READ, context.now)]


def _read_by_owner(update: Any, context: Context) -> list[ProviderEvent]:
    if context.own:
        return []
    chat = channel_id(update.channel_id) if hasattr(update, "channel_id") else id_of(update.peer)
    return _list_changed(context, chat, {"read": update.still_unread_count == 0}, str(update.max_id))


def _marked(update: Any, context: Context) -> list[ProviderEvent]:
    return _of_dialog(update.peer, context, {"read": not update.unread})


def _pinned(update: Any, context: Context) -> list[ProviderEvent]:
    return _of_dialog(update.peer, context, {"pinned": bool(update.pinned)})


def _notify(update: Any, context: Context) -> list[ProviderEvent]:
    peer = getattr(update.peer, "peer", None)
    if peer is None:
        return []
    until = update.notify_settings.mute_until
    seconds = int(until.timestamp()) if until is not None else 0
    if seconds < 0 or seconds >= 2**31 - 1:
        changes: dict[str, Any] = {"muted": True, "mute_forever": True}
    elif seconds * 1000 > context.now:
        changes = {"muted": True, "mute_until": seconds}
    else:
        changes = {"muted": False}
    return [] if context.own else _list_changed(context, id_of(peer), changes, str(seconds))


def _archived(update: Any, context: Context) -> list[ProviderEvent]:
    found: list[ProviderEvent] = []
    for each in update.folder_peers:
        archived = {"archived": each.folder_id == 1}
        found += _list_changed(context, id_of(each.peer), archived, str(update.pts))
    return found


def _of_dialog(peer: Any, context: Context, changes: dict[str, Any]) -> list[ProviderEvent]:
    if context.own or not isinstance(peer, types.DialogPeer):
        return []
    return _list_changed(context, id_of(peer.peer), changes, str(context.now))


def _list_changed(context: Context, chat: int, changes: dict[str, Any], at: str) -> list[ProviderEvent]:
    key = context.key("list", chat, *(f"{name}={value}" for name, value in changes.items()), at)
    return [ConversationChanged(key, context.conversation(chat), changes, context.now)]


# -- groups --------------------------------------------------------------------------------------------------


def _admin(update: Any, context: Context) -> list[ProviderEvent]:
    kind = "promoted" if update.is_admin else "demoted"
    chat = -update.chat_id
    key = context.key("admin", chat, update.user_id, update.version)
    change = {"kind": kind, "member_ids": [str(update.user_id)]}
    return [GroupChanged(key, context.conversation(chat), str(chat), [change], context.now)]


def _channel(update: Any, context: Context) -> list[ProviderEvent]:
    """The account came into a channel or supergroup, or is no longer in it; the platform says no more."""
    chat = channel_id(update.channel_id)
    if chat not in context.gone or context.own:
        return []
    key = context.key("gone", chat, context.now)
    change = {"kind": "member_removed", "member_ids": [str(context.me)]}
    return [GroupChanged(key, context.conversation(chat), "", [change], context.now)]


def _requests(update: Any, context: Context) -> list[ProviderEvent]:
    chat = id_of(update.peer)
    return [
        JoinRequested(
            context.key("join", chat, user, update.requests_pending),
            context.conversation(chat),
            str(user),
            "",
            context.now,
        )
        for user in update.recent_requesters
    ]


# -- what has no standard event ------------------------------------------------------------------------------


def _report(name: str) -> Callable[[Any, Context], list[ProviderEvent]]:
    return lambda update, context: _reported(update, context, name)


def report_unknown(update: Any, context: Context) -> list[ProviderEvent]:
    return _reported(update, context, name_of(update, "Update"))


def _reported(update: Any, context: Context, name: str) -> list[ProviderEvent]:
    peer = getattr(update, "peer", None) or getattr(update, "peer_id", None)
    chat = id_of(peer)
    if not chat and isinstance(getattr(update, "channel_id", None), int):
        chat = channel_id(update.channel_id)
    raw = hashlib.sha256(bytes(update)).hexdigest()
    at = None if getattr(update, "pts", None) else context.now
    key = context.key("update", name, raw, at or 0)
    return [PlatformEvent(key, name, context.now, context.conversation(chat) if chat else None)]


def _notification(update: Any, context: Context) -> list[ProviderEvent]:
    """Telegram itself says something to the account, outside of any chat."""
    key = context.key("notification", update.type, update.message, str(update.inbox_date))
    said = Content(update.type, "text", update.message, kind="service_notification")
    return [PlatformEvent(key, "service_notification", context.now, None, None, said, "inbound")]


LIST_UPDATES: dict[type, Callable[[Any, Context], list[ProviderEvent]]] = {
    types.UpdateReadHistoryOutbox: _read_by_others,
    types.UpdateReadChannelOutbox: _read_by_others,
    types.UpdateReadHistoryInbox: _read_by_owner,
    types.UpdateReadChannelInbox: _read_by_owner,
    types.UpdateDialogUnreadMark: _marked,
    types.UpdateDialogPinned: _pinned,
    types.UpdateNotifySettings: _notify,
    types.UpdateFolderPeers: _archived,
    types.UpdateChatParticipantAdmin: _admin,
    types.UpdateChannel: _channel,
    types.UpdatePendingJoinRequests: _requests,
    types.UpdateServiceNotification: _notification,
    types.UpdateMessagePoll: _report("poll"),
    types.UpdatePeerBlocked: _report("peer_blocked"),
    types.UpdatePinnedMessages: _report("pinned_messages"),
    types.UpdatePinnedChannelMessages: _report("pinned_messages"),
    types.UpdatePhoneCall: _report("phone_call"),
    types.UpdateNewAuthorization: _report("new_authorization"),
    types.UpdatePeerHistoryTTL: _report("history_ttl"),
}
