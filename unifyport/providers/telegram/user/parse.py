"""Updates of the platform -> provider events. Pure.

`UPDATES` has a row for each kind of update that says something, `QUIET` names those that do not; the test
compares both with all that the API's layer has. What is on neither list becomes `provider.event` under its
name. Every update is parsed in its own `try`. https://core.telegram.org/type/Update
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
from telethon.tl import TLObject, types

from unifyport.model.inbound import (
    Content,
    Conversation,
    ConversationChanged,
    GroupChanged,
    Ignored,
    JoinRequested,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Reported,
    Status,
    StatusChanged,
    Unparsed,
    dedupe_key,
)

from ..bot.content import content
from ..bot.people import author, conversation, head_of, sender
from ..bot.shapes import Chat, User
from . import reactions
from .items import item_of
from .peers import SUPERGROUP, USER, Known, Peer, channel_id, id_of
from .services import service_event
from .shapes import Shaper, name_of

log = logging.getLogger(__name__)


@attrs.define
class Context:
    """What is known where an update is read.

    `own`: it is part of the answer to a call of ours, so that it tells the caller nothing new. `settled`: ids
    of messages whose send was recorded and not answered -> its `client_ref`. `chats`: of messages that are
    deleted, where the platform names no conversation. `reacted`: (conversation, message) -> reactions before.
    """

    me: int
    known: Known
    now: int  # unix ms
    own: bool = False
    answered: frozenset[int] = frozenset()  # ids of messages that our sends were answered with
    settled: Mapping[int, str] = attrs.field(factory=dict)
    chats: Mapping[int, int] = attrs.field(factory=dict)
    reacted: Mapping[tuple[int, int], dict[str, str]] = attrs.field(factory=dict)
    gone: frozenset[int] = frozenset()  # channels that the account has just left or was removed from

    def key(self, *fields: str | int) -> bytes:
        return dedupe_key("telegram", str(self.me), *fields)

    def peer(self, id_: int) -> Peer:
        found = self.known.get(id_)
        if found is None:
            found = Peer(id_, USER if id_ > 0 else "group" if id_ > -(10**12) else SUPERGROUP)
        return found

    def conversation(self, id_: int) -> Conversation:
        peer = self.peer(id_)
        return conversation(Chat(id_, peer.type, peer.title, peer.first_name, peer.last_name, peer.username))

    def sender(self, id_: int) -> Any:
        peer = self.peer(id_)
        chat = Chat(id_, peer.type, peer.title, peer.first_name, peer.last_name, peer.username)
        user = User(id_, peer.first_name, peer.last_name, peer.username) if id_ > 0 else None
        found = sender(user, chat)
        found.phone = peer.phone
        return found


def parse(update: Any, context: Context) -> list[ProviderEvent]:
    """The events of one update. Never raises."""
    try:
        handle = UPDATES.get(type(update))
        if handle is None:
            found = [] if type(update) in QUIET else _unknown(update, context)
        else:
            found = handle(update, context)
        for event in found:
            if isinstance(event, Reported) and event.provider_data is None:
                event.provider_data = item_of(_item_in(update))
        return found
    except Exception as error:
        log.info("telegram: an update could not be read: %s", type(error).__name__)
        return [unparsed(update, context, error)]


def _item_in(update: Any) -> Any:
    """What an update is about: its message, if it has one."""
    message = getattr(update, "message", None)
    return message if isinstance(message, TLObject) else update


def unparsed(update: Any, context: Context, error: Exception) -> Unparsed:
    """What could not be read. A message is also emitted, as far as its head can be read."""
    try:
        raw = bytes(update)
    except Exception:
        raw = repr(type(update)).encode()
    key = context.key("raw", hashlib.sha256(raw).hexdigest())
    found = Unparsed(key, raw, f"parse: {type(error).__name__}")
    message = getattr(update, "message", None)
    if isinstance(message, types.Message):
        try:
            shaper = Shaper(message, context.known, context.me)
            head = head_of(shaper.head())
            found.conversation, found.sender = conversation(head.chat), author(head)
            found.message_id, found.sent_at = str(message.id), head.date * 1000
        except Exception:
            found.conversation = found.sender = None
    return found


# -- messages ------------------------------------------------------------------------------------------------


def message_events(message: Any, context: Context) -> list[ProviderEvent]:
    """The events of a message, whichever way it came."""
    if isinstance(message, types.MessageEmpty) or message is None:
        return []
    chat = id_of(message.peer_id)
    key = context.key("message", chat, message.id)
    if isinstance(message, types.MessageService):
        return [service_event(Shaper(message, context.known, context.me), key)]
    if message.out and message.id in context.settled:
        return [_settled(message, context, key)]
    if message.out and (context.own or message.id in context.answered):
        return [Ignored(key)]
    shaper = Shaper(message, context.known, context.me)
    said, head, conversation_ = _read(shaper, context)
    if message.out:
        return [_echo(shaper, context, said, key, "sent")]
    who = author(head)
    who.phone = shaper.peer(shaper.author).phone
    return [MessageReceived(key, conversation_, who, said, head.date * 1000)]


def _read(shaper: Shaper, context: Context) -> tuple[Content, Any, Conversation]:
    fields = shaper.fields()
    head = head_of(fields)
    said = content(fields, head, 0)
    for file in said.attachments:
        file.handle = shaper.files.handles.get(file.file_id, b"")
        if file.type == "image" and not file.mime_type and file.file_id.startswith("photo:"):
            file.mime_type = "image/jpeg"
    return said, head, conversation(head.chat)


def _settled(message: Any, context: Context, key: bytes) -> ProviderEvent:
    """A send whose answer never came was sent: here is its message."""
    at = int(message.date.timestamp()) * 1000
    there = context.conversation(id_of(message.peer_id))
    ref = context.settled[message.id]
    return StatusChanged(key, there, [str(message.id)], Status.SENT, at, client_ref=ref)


def _echo(
    shaper: Shaper, context: Context, said: Content | None, key: bytes, change: str, **details: Any
) -> ProviderEvent:
    """What the owner of the account did in another of Telegram's apps."""
    head = head_of(shaper.head())
    at = head.edit_date if change == "edited" and head.edit_date is not None else head.date
    return PlatformEvent(
        key,
        "message_echo",
        at * 1000,
        conversation(head.chat),
        author(head),
        said,
        "outbound",
        details={"change": change, **details},
    )


def _new(update: Any, context: Context) -> list[ProviderEvent]:
    return message_events(update.message, context)


def _edited(update: Any, context: Context) -> list[ProviderEvent]:
    """An edit. What the platform changes of a message without an edit that people see is none: a reaction, a
    preview, a keyboard; but the place of a live location.
    """
    message = update.message
    if not isinstance(message, types.Message):
        return []
    is_live = isinstance(message.media, types.MessageMediaGeoLive)
    if message.edit_date is None or (message.edit_hide and not is_live):
        return []
    shaper = Shaper(message, context.known, context.me)
    said, head, there = _read(shaper, context)
    at = int(message.edit_date.timestamp())
    files = ",".join(file.file_id for file in said.attachments)
    shown = hashlib.sha256(f"{said.kind}\0{said.text}\0{said.entities}\0{files}".encode()).hexdigest()
    key = context.key("edit", shaper.chat, message.id, at, shown)
    if message.out:
        if context.own:
            return [Ignored(key)]
        event = _echo(shaper, context, said, key, "edited")
        assert isinstance(event, PlatformEvent)
        event.number = update.pts
        return [event]
    return [MessageEdited(key, there, author(head), said, at * 1000, number=update.pts)]


def _deleted(update: Any, context: Context) -> list[ProviderEvent]:
    """Messages of private chats and basic groups, whose conversation the platform does not say."""
    by_chat: dict[int | None, list[int]] = {}
    for id_ in update.messages:
        by_chat.setdefault(context.chats.get(id_), []).append(id_)
    found: list[ProviderEvent] = []
    for chat, ids in by_chat.items():
        if chat is not None:
            found.append(_deletion(context, chat, ids))
        elif not context.own:
            key, names = context.key("deleted", *ids), [str(id_) for id_ in ids]
            found.append(PlatformEvent(key, "messages_deleted", context.now, details={"message_ids": names}))
    return found


def _deleted_in_channel(update: Any, context: Context) -> list[ProviderEvent]:
    return [_deletion(context, channel_id(update.channel_id), update.messages)] if update.messages else []


def _deletion(context: Context, chat: int, ids: Sequence[int]) -> ProviderEvent:
    key = context.key("deleted", chat, *ids)
    if context.own:
        return Ignored(key)
    first, *others = map(str, ids)
    return MessageDeleted(key, context.conversation(chat), first, context.now, others)


def _reacted(update: Any, context: Context) -> list[ProviderEvent]:
    chat = id_of(update.peer)
    before = context.reacted.get((chat, update.msg_id), {})
    found: list[ProviderEvent] = []
    for change in reactions.changes(update.reactions, before):
        key = context.key("reaction", chat, update.msg_id, change.who, change.emoji, change.at or context.now)
        at, emoji = change.at or context.now, change.emoji
        if change.who != context.me:
            who, id_ = context.sender(change.who), f"{update.msg_id}.{change.who}"
            found.append(
                ReactionChanged(key, context.conversation(chat), who, id_, str(update.msg_id), emoji, at)
            )
        elif not context.own:
            details = {"change": "reaction", "target_message_id": str(update.msg_id), "reaction": emoji}
            there, who = context.conversation(chat), context.sender(context.me)
            found.append(
                PlatformEvent(key, "message_echo", at, there, who, None, "outbound", details=details)
            )
    return found


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


def _unknown(update: Any, context: Context) -> list[ProviderEvent]:
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


UPDATES: dict[type, Callable[[Any, Context], list[ProviderEvent]]] = {
    types.UpdateNewMessage: _new,
    types.UpdateNewChannelMessage: _new,
    types.UpdateEditMessage: _edited,
    types.UpdateEditChannelMessage: _edited,
    types.UpdateDeleteMessages: _deleted,
    types.UpdateDeleteChannelMessages: _deleted_in_channel,
    types.UpdateMessageReactions: _reacted,
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
# Presence is not reported; what an app shows or keeps for itself is nothing that a customer did; secret chats
# are not supported; the last group is for bots, which have the other connection, or is part of other updates.
QUIET = frozenset(
    getattr(types, f"Update{name}")
    for name in (
        "UserTyping ChatUserTyping ChannelUserTyping EncryptedChatTyping UserStatus UserEmojiStatus"
        " ChannelMessageViews ChannelMessageForwards ReadMessagesContents ChannelReadMessagesContents"
        " ReadChannelDiscussionInbox ReadChannelDiscussionOutbox ReadMonoForumInbox ReadMonoForumOutbox"
        " AiComposeTones AttachMenuBots AutoSaveSettings BotCommands BotMenuButton ChannelAvailableMessages"
        " ChannelTooLong ChannelViewForumAsMessages ChannelWebPage Chat ChatDefaultBannedRights"
        " ChatParticipants ChatParticipantAdd ChatParticipantDelete ChatParticipantRank Config ContactsReset"
        " DcOptions DeleteGroupCallMessages DeleteQuickReply DeleteQuickReplyMessages"
        " DeleteScheduledMessages DialogFilter DialogFilterOrder DialogFilters DraftMessage EmojiGameInfo"
        " EncryptedMessagesRead Encryption FavedStickers GeoLiveViewed GroupCall GroupCallChainBlocks"
        " GroupCallConnection GroupCallEncryptedMessage GroupCallMessage GroupCallParticipants LangPack"
        " LangPackTooLong LoginToken MessageExtendedMedia MessageID MonoForumNoPaidException"
        " MoveStickerSetToTop NewEncryptedMessage NewQuickReply NewScheduledMessage NewStickerSet"
        " NewStoryReaction PaidReactionPrivacy PeerLocated PeerSettings PeerWallpaper PhoneCallSignalingData"
        " PinnedDialogs PinnedForumTopic PinnedForumTopics PinnedSavedDialogs Privacy PtsChanged QuickReplies"
        " QuickReplyMessage ReadFeaturedEmojiStickers ReadFeaturedStickers ReadStories RecentEmojiStatuses"
        " RecentReactions RecentStickers SavedDialogPinned SavedGifs SavedReactionTags SavedRingtones"
        " SentPhoneCode SentStoryReaction SmsJob StarGiftAuctionState StarGiftAuctionUserState"
        " StarGiftCraftFail StarsBalance StarsRevenueStatus StickerSets StickerSetsOrder StoriesStealthMode"
        " Story StoryID Theme TranscribedAudio User UserName UserPhone WebBrowserException"
        " WebBrowserSettings WebPage WebViewResultSent JoinChatWebViewDecision"
        # of bots
        " BotBusinessConnect BotCallbackQuery BotChatBoost BotChatInviteRequester BotDeleteBusinessMessage"
        " BotEditBusinessMessage BotGuestChatQuery BotInlineQuery BotInlineSend BotMessageReaction"
        " BotMessageReactions BotNewBusinessMessage BotPrecheckoutQuery BotPurchasedPaidMedia"
        " BotShippingQuery BotStarsSubscription BotStopped BotWebhookJSON BotWebhookJSONQuery"
        " BusinessBotCallbackQuery ChannelParticipant ChatParticipant InlineBotCallbackQuery ManagedBot"
        " MessagePollVote NewBotConnection EphemeralBotCallbackQuery NewEphemeralMessage"
        " EditEphemeralMessage DeleteEphemeralMessages"
    ).split()
)
