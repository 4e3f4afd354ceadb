"""Updates of the platform -> provider events. Pure.

`UPDATES` has a row for each kind of update that says something, `QUIET` names those that do not; the test
compares both with all that the API's layer has. What is on neither list becomes `provider.event` under its
name. Every update is parsed in its own `try`. https://core.telegram.org/type/Update
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Any

from telethon.tl import TLObject, types

from unifyport.model.inbound import (
    Content,
    Conversation,
    Ignored,
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
)

from ..bot.content import content
from ..bot.people import author, conversation, head_of
from . import reactions
from .context import Context
from .items import item_of
from .parse_lists import LIST_UPDATES, report_unknown
from .peer import channel_id, id_of
from .quiet import QUIET
from .services import service_event
from .shapes import Shaper

log = logging.getLogger(__name__)


def parse(update: Any, context: Context) -> list[ProviderEvent]:
    """The events of one update. Never raises."""
    try:
        handle = UPDATES.get(type(update))
        if handle is None:
            found = [] if type(update) in QUIET else report_unknown(update, context)
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
    is_own = context.is_own(message)
    if is_own and message.id in context.settled:
        return [_settled(message, context), Ignored(key)]
    if is_own and (context.own or message.id in context.answered):
        return [Ignored(key)]
    shaper = Shaper(message, context.known, context.me)
    said, head, conversation_ = _read(shaper)
    if is_own:
        return [_echo(shaper, said, key, "sent")]
    who = author(head)
    who.phone = shaper.peer(shaper.author).phone
    return [MessageReceived(key, conversation_, who, said, head.date * 1000)]


def _read(shaper: Shaper) -> tuple[Content, Any, Conversation]:
    fields = shaper.fields()
    head = head_of(fields)
    said = content(fields, head, 0)
    for file in said.attachments:
        file.handle = shaper.files.handles.get(file.file_id, b"")
        if file.type == "image" and not file.mime_type and file.file_id.startswith("photo:"):
            file.mime_type = "image/jpeg"
    return said, head, conversation(head.chat)


def _settled(message: Any, context: Context) -> ProviderEvent:
    """A send whose answer never came was sent: here is its message. The key is that of the send, as the
    message may have been read while the answer was still waited for.
    """
    at = int(message.date.timestamp()) * 1000
    there = context.conversation(id_of(message.peer_id))
    ref = context.settled[message.id]
    key = context.key("settled", ref)
    return StatusChanged(key, there, [str(message.id)], Status.SENT, at, client_ref=ref)


def _echo(shaper: Shaper, said: Content, key: bytes, change: str) -> PlatformEvent:
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
        details={"change": change},
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
    said, head, there = _read(shaper)
    at = int(message.edit_date.timestamp())
    files = ",".join(file.file_id for file in said.attachments)
    shown = hashlib.sha256(f"{said.kind}\0{said.text}\0{said.entities}\0{files}".encode()).hexdigest()
    key = context.key("edit", shaper.chat, message.id, at, shown)
    if context.is_own(message):
        if context.own:
            return [Ignored(key)]
        event = _echo(shaper, said, key, "edited")
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


UPDATES: dict[type, Callable[[Any, Context], list[ProviderEvent]]] = {
    types.UpdateNewMessage: _new,
    types.UpdateNewChannelMessage: _new,
    types.UpdateEditMessage: _edited,
    types.UpdateEditChannelMessage: _edited,
    types.UpdateDeleteMessages: _deleted,
    types.UpdateDeleteChannelMessages: _deleted_in_channel,
    types.UpdateMessageReactions: _reacted,
    **LIST_UPDATES,
}
