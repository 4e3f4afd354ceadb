"""Messages, undone messages and reactions -> provider events. Pure.

A message is known by three fields: conversation, sender and the sender's `cliMsgId`, as busy groups repeat a
message under several `msgId` (https://github.com/RFS-ADRENO/zca-js/issues/348). Its public id is `msgId`,
the only one that receipts have. What Zalo wants to know of a message that is answered, undone or marked as
read is a `Reference`, which the connector keeps for a time.
"""

from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import (
    Content,
    MessageDeleted,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    StatusChanged,
    Unparsed,
)
from unifyport.model.inbound import Status as MessageStatus
from unifyport.model.provider_data import Redactions

from . import people, shapes
from .icons import REMOVED, emoji_of
from .items import FILE_REDACTIONS, REDACTIONS, TEXT_REDACTIONS, Item, with_data
from .kinds import KINDS, add_mentions, content
from .shapes import exact, inner_object, number

UNDO = "chat.undo"
LONGEST_KIND = 64  # characters of a kind that are kept
QUOTED_TEXT = 1024  # characters of a message that are kept for a quote


@attrs.frozen
class Reference:
    """What requests about a message need beside its `msgId`."""

    conversation_id: str
    message_id: str
    client_id: str  # `cliMsgId`
    sender: str
    to: str  # `idTo` as it came
    kind: str  # `msgType`
    at: int
    text: str


@attrs.frozen
class Message:
    """`reference`: None if the message could not be read."""

    event: ProviderEvent
    reference: Reference | None = None


def message(item: Item, *, in_group: bool) -> Message:
    """Raises `ValidationError` or `ValueError` if place, sender or id cannot be read."""
    value = msgspec.convert(item.value, shapes.Message)
    who = item.who(value.uidFrom)
    chat = item.place(value.uidFrom, value.idTo, in_group=in_group, name=value.dName)
    at, message_id, client_id = item.time(value.ts), exact(value.msgId), exact(value.cliMsgId)
    mine = who == item.me
    # A person can write such JSON as a text: only an object, or this kind, is Zalo's own word.
    inner = inner_object(value.content) if value.msgType == UNDO else value.content
    if isinstance(inner, dict) and "deleteMsg" in inner:
        return Message(_undone(item, value, chat.id, inner, in_group=in_group))
    if not message_id:
        raise ValueError("msgId")
    key = item.key("message", chat.id, who, client_id or f"id:{message_id}")
    author = people.sender(who, value.dName)
    redactions = _redactions(value)
    try:
        said = _content(value, message_id)
    except Exception as error:
        reason = f"parse: {type(error).__name__}"
        event: ProviderEvent = Unparsed(key, item.raw, reason, chat, author, message_id, at)
        return Message(with_data(event, item, TEXT_REDACTIONS))
    if mine:
        event = PlatformEvent(key, "message_echo", at, chat, author, said, "outbound")
    else:
        event = MessageReceived(key, chat, author, said, at)
    text = value.content if isinstance(value.content, str) else said.text
    reference = Reference(
        chat.id,
        message_id,
        client_id,
        who,
        exact(value.idTo),
        value.msgType[:LONGEST_KIND],
        at,
        text[:QUOTED_TEXT],
    )
    return Message(with_data(event, item, redactions), reference)


def _redactions(value: shapes.Message) -> Redactions:
    """Of a kind that we do not know, addresses are taken out as from a file."""
    kind = KINDS.get(value.msgType)
    if kind is not None and not kind.file:
        return REDACTIONS
    return TEXT_REDACTIONS if isinstance(value.content, str) else FILE_REDACTIONS


def settled(event: ProviderEvent, client_ref: str) -> StatusChanged | None:
    """The echo of our own send, as the status of that send; None if `event` is no echo of a message."""
    if not isinstance(event, PlatformEvent) or event.content is None or event.conversation is None:
        return None
    if event.name != "message_echo" or event.at is None:
        return None
    ids = [event.content.id]
    return StatusChanged(
        event.key, event.conversation, ids, MessageStatus.SENT, event.at, client_ref=client_ref
    )


def _content(value: shapes.Message, message_id: str) -> Content:
    said = content(value.msgType, value.content, message_id)
    add_mentions(said, value.mentions)
    if isinstance(value.quote, dict):
        try:
            said.reply_to_message_id = exact(value.quote.get("globalMsgId")) or None
        except ValueError:
            said.reply_to_message_id = None
    if ttl := number(value.ttl):
        said.fields["expires_in_ms"] = ttl
    return said


def _undone(
    item: Item, value: shapes.Message, conversation_id: str, inner: dict[str, Any], *, in_group: bool
) -> ProviderEvent:
    undone = msgspec.convert(inner, shapes.Undone)
    target = exact(undone.globalMsgId)
    if not target:
        raise ValueError("globalMsgId")
    chat = item.place(value.uidFrom, value.idTo, in_group=in_group)
    at, who = item.time(value.ts), item.who(value.uidFrom)
    key = item.key("undo", conversation_id, target)
    if who == item.me:
        details = {"change": "deleted", "target_message_id": target}
        event: ProviderEvent = PlatformEvent(
            key, "message_echo", at, chat, people.sender(who), None, "outbound", details
        )
    else:
        event = MessageDeleted(key, chat, target, at)
    return with_data(event, item)


def reactions(item: Item, *, in_group: bool) -> list[ProviderEvent]:
    """One event for each message that the reaction is about. Raises as `message`."""
    value = msgspec.convert(item.value, shapes.Reaction)
    reacted = msgspec.convert(inner_object(value.content), shapes.Reacted)
    chat = item.place(value.uidFrom, value.idTo, in_group=in_group, name=value.dName)
    who, at = item.who(value.uidFrom), item.time(value.ts)
    emoji = "" if number(reacted.rType) == REMOVED or str(reacted.rType) == "-1" else emoji_of(reacted.rIcon)
    found: list[ProviderEvent] = []
    for target in reacted.rMsg[:100]:
        target_id = exact(target.gMsgID)
        if not target_id:
            continue
        own = exact(value.cliMsgId) or exact(value.msgId)
        key = item.key("reaction", chat.id, who, target_id, own or at, emoji)
        author = people.sender(who, value.dName)
        if who == item.me:
            details = {"change": "reaction", "target_message_id": target_id, "reaction": emoji}
            event: ProviderEvent = PlatformEvent(
                key, "message_echo", at, chat, author, None, "outbound", details
            )
        else:
            reaction_id = exact(value.msgId) or f"{target_id}:{who}"
            event = ReactionChanged(key, chat, author, reaction_id, target_id, emoji, at)
        found.append(with_data(event, item))
    if not found:
        raise ValueError("rMsg")
    return found
