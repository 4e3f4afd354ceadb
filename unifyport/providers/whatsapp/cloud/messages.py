"""One message of a webhook -> its event: of a customer, of the owner (an echo), or of the platform."""

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import (
    Conversation,
    ConversationMoved,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    MoveReason,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    dedupe_key,
    raw_key,
)

from . import shapes
from .content import content
from .items import LONGEST_ID, milliseconds, usable_id
from .people import Customers, chat_with, conversation, person, recipient_of, sender_of

_CORE = ("id", "timestamp", "from", "from_user_id", "group_id")
_NUMBER_CHANGES = frozenset({"user_changed_number", "customer_changed_number"})


@attrs.frozen
class Message:
    """A message as it came (`item`, without nulls), with its dedupe key and time in unix ms."""

    item: dict[str, Any]
    head: shapes.Head
    key: bytes
    id: str
    at: int
    customers: Customers


def head_of(item: Mapping[str, Any]) -> shapes.Head:
    """The head of a message without nulls. Raises `ValidationError` if id, time or sender cannot be read."""
    try:
        return msgspec.convert(item, shapes.Head)
    except msgspec.ValidationError:
        return msgspec.convert({name: item[name] for name in _CORE if name in item}, shapes.Head)


def read_message(
    item: dict[str, Any], raw: bytes, number: str, *, kind: str, customers: Customers
) -> Message:
    """The message of an item without nulls. `kind` is part of its key. Raises `ValueError`."""
    head = head_of(item)
    at = milliseconds(head.timestamp)
    key = dedupe_key("whatsapp", number, kind, head.id) if head.id else raw_key("whatsapp", number, raw)
    id_ = usable_id(head.id, key)
    return Message(item, head, key, id_, at, customers)


def by_customer(message: Message) -> ProviderEvent:
    item, head, at = message.item, message.head, message.at
    if "system" in item:
        return _system(message, msgspec.convert(item["system"], shapes.System))
    who = sender_of(head, message.customers)
    chat = conversation(head.group_id, who)
    if "reaction" in item:
        reaction = msgspec.convert(item["reaction"], shapes.Reaction)
        return ReactionChanged(message.key, chat, who, message.id, reaction.message_id, reaction.emoji, at)
    if "revoke" in item:
        revoke = msgspec.convert(item["revoke"], shapes.Revoke)
        return MessageDeleted(message.key, chat, revoke.original_message_id, at)
    if "edit" in item:
        edit = msgspec.convert(item["edit"], shapes.Edit)
        return MessageEdited(message.key, chat, who, content(edit.message, edit.original_message_id), at)
    return MessageReceived(message.key, chat, who, content(item, message.id), at)


def by_owner(message: Message, own_number: str) -> ProviderEvent:
    """What the owner wrote, edited, deleted, or reacted with, on the phone: `message_echo`."""
    item, head = message.item, message.head
    who = recipient_of(head, message.customers)
    owner = person(head.from_ or own_number, head.from_user_id, {})
    echo = PlatformEvent(
        message.key, "message_echo", message.at, conversation(head.group_id, who), owner, direction="outbound"
    )
    if "edit" in item:
        edit = msgspec.convert(item["edit"], shapes.Edit)
        echo.content = content(edit.message, edit.original_message_id)
        echo.details = {"change": "edited"}
    elif "revoke" in item:
        revoke = msgspec.convert(item["revoke"], shapes.Revoke)
        echo.details = {"change": "deleted", "target_message_id": revoke.original_message_id}
    elif "reaction" in item:
        reaction = msgspec.convert(item["reaction"], shapes.Reaction)
        target = {"target_message_id": reaction.message_id, "reaction": reaction.emoji}
        echo.details = {"change": "reaction", **target}
    else:
        echo.content, echo.details = content(item, message.id), {"change": "sent"}
    return echo


def observed(message: Message, name: str) -> ProviderEvent:
    """A message that is not for us to answer: of the past, or while another app answers for this number."""
    who = sender_of(message.head, message.customers)
    return PlatformEvent(
        message.key,
        name,
        message.at,
        conversation(message.head.group_id, who),
        who,
        content(message.item, message.id),
    )


def _system(message: Message, system: shapes.System) -> ProviderEvent:
    """A notice about the customer's account. A new number or id means that the conversation goes on there."""
    head, customers = message.head, message.customers
    name = system.type or "system"
    if name in _NUMBER_CHANGES:
        number = system.wa_id or system.new_wa_id
        old = head.from_ or system.customer or system.previous_user_id or head.from_user_id
        reason = MoveReason.NUMBER_CHANGED
        there = person(number, system.user_id, customers) if number or system.user_id else None
    elif name == "user_changed_user_id":
        old = system.previous_user_id or head.from_user_id
        reason = MoveReason.USER_ID_CHANGED
        there = person("", system.user_id, customers) if system.user_id else None
    else:
        there, old = None, ""
    if there is not None and old and len(old) <= LONGEST_ID:
        others = [system.customer, system.previous_user_id, head.from_user_id]
        others = [id_ for id_ in dict.fromkeys(others) if id_ and id_ != old and len(id_) <= LONGEST_ID]
        return ConversationMoved(message.key, chat_with(there), old, reason, name, message.at, others)
    report = PlatformEvent(message.key, name, message.at)
    report.details = {"body": system.body} if system.body else {}
    if head.from_ or head.from_user_id:
        report.sender = sender_of(head, customers)
        report.conversation = conversation(head.group_id, report.sender)
    elif head.group_id:
        report.conversation = Conversation(head.group_id, "group")
    return report
