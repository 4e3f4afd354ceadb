"""Events of webhooks -> provider events: messages and echoes by their names, others by `READERS`.

Every other event, such as those about templates, the shop or calls, is `provider.event` under Zalo's name.
https://docs.zaloplatforms.com/docs/OA/webhook
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import msgspec

from unifyport.model.inbound import (
    Conversation,
    GroupChanged,
    JoinRequested,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Sender,
    Status,
    StatusChanged,
    Unparsed,
    dedupe_key,
    raw_key,
)

from ..items import usable
from . import shapes
from .kinds import content
from .people import anonymous_chat, chat_with, customer, group
from .render import EMOJIS, REMOVED

_SENDS = re.compile(r"(user|oa|anonymous)_send_(?:(group|anonymous)_)?([a-z_]+)")


@attrs.frozen
class Item:
    """An event as it came (`whole`, without nulls). `oa`: the account that it is about. `at`: unix ms."""

    envelope: shapes.Envelope
    whole: Mapping[str, Any]
    raw: bytes
    oa: str
    at: int | None

    @property
    def name(self) -> str:
        return self.envelope.event_name

    @property
    def message(self) -> Mapping[str, Any] | None:
        message = self.whole.get("message")
        return message if isinstance(message, dict) else None

    def key(self, *fields: str | int) -> bytes:
        return dedupe_key("zalo", self.oa, self.name, *fields)

    def raw_key(self) -> bytes:
        return raw_key("zalo", self.oa, self.raw)

    @property
    def time(self) -> int:
        """`at`, for events that must have a time. Raises `ValueError`."""
        if self.at is None:
            raise ValueError("timestamp")
        return self.at

    @property
    def user(self) -> str:
        """The id that is not the account's, of those that name a person."""
        told = self.envelope
        ids = (told.follower.id, told.user_id, told.sender.id, told.recipient.id)
        return next((id_ for id_ in ids if id_ and id_ != self.oa), "")


def event_of(item: Item) -> ProviderEvent:
    """Raises `ValidationError`, `ValueError`."""
    if item.name in READERS:
        return READERS[item.name](item)
    sent = _SENDS.fullmatch(item.name)
    if sent is not None and item.message is not None:
        return _message(item, who=sent[1], where=sent[2] or "", kind=sent[3])
    return reported(item)


def reported(item: Item, name: str = "", **details: Any) -> PlatformEvent:
    """An event under Zalo's name, with the person or the group that it is about."""
    who = customer(item.user, item.envelope.user_id_by_app) if item.user else None
    chat = None if who is None else chat_with(who)
    if item.envelope.group_id:
        chat, who = group(item.envelope.group_id), None
    return PlatformEvent(item.raw_key(), name or item.name, item.at, chat, who, details=details)


# -- messages ------------------------------------------------------------------------------------------------


def _message(item: Item, *, who: str, where: str, kind: str) -> ProviderEvent:
    """What the account sent is an echo if Zalo names the admin who wrote it. What a program sent, such as
    this one, is a status of that message, which may come before the answer to the send.
    """
    told, by_account = item.envelope, who == "oa"
    item_message = item.message or {}
    anonymous = "anonymous" in (who, where)
    names = ("msg_id", "conversation_id") if anonymous else ("msg_id",)
    told_ids = {name: item_message[name] for name in names if name in item_message}
    head = msgspec.convert(told_ids, shapes.Message)
    chat, sender = _place(item, head, anonymous=anonymous, in_group=where == "group")
    if by_account:
        sender = Sender(item.oa, "user")
    key = item.key(chat.id, sender.id, head.msg_id) if head.msg_id else item.raw_key()
    message_id = usable(head.msg_id or f"item:{key.hex()}")
    if by_account and not told.sender.admin_id:
        return StatusChanged(key, chat, [message_id], Status.SENT, item.time)
    try:
        said = content(kind, item_message, message_id, in_group=where == "group")
    except Exception as error:
        if by_account:
            raise
        return Unparsed(key, item.raw, f"parse: {type(error).__name__}", chat, sender, message_id, item.at)
    if by_account:
        details = {"change": "sent", "admin_id": told.sender.admin_id}
        return PlatformEvent(key, "message_echo", item.at, chat, sender, said, "outbound", details)
    return MessageReceived(key, chat, sender, said, item.at)


def _place(
    item: Item, head: shapes.Message, *, anonymous: bool, in_group: bool
) -> tuple[Conversation, Sender]:
    told = item.envelope
    if in_group:
        return group(told.recipient.id or told.group_id), customer(told.sender.id)
    who = customer(item.user, told.user_id_by_app)
    return (anonymous_chat(who.id, head.conversation_id) if anonymous else chat_with(who)), who


# -- what is no message --------------------------------------------------------------------------------------


def _receipt(status: Status) -> Callable[[Item], ProviderEvent]:
    """Which side is the sender is told both ways: the customer is the one who is not the account."""

    def read(item: Item) -> ProviderEvent:
        message = item.message or {}
        if "delivery_time" in message or "tracking_id" in message:  # of a template, sent to a phone number
            event = reported(item)
            event.conversation = event.sender = None
            return event
        told = msgspec.convert(message, shapes.Message)
        ids = [usable(id_) for id_ in (told.msg_ids or [told.msg_id])]
        who = customer(item.user, item.envelope.user_id_by_app)
        key = item.key(who.id, item.time, *ids)
        return StatusChanged(key, chat_with(who), ids, status, item.time)

    return read


def _reaction(item: Item) -> ProviderEvent:
    told = msgspec.convert(item.message or {}, shapes.Message)
    emoji = "" if told.react_icon == REMOVED else EMOJIS.get(told.react_icon, told.react_icon)
    target = usable(told.msg_id)
    who = customer(item.user, item.envelope.user_id_by_app)
    key = item.key(who.id, target, told.react_icon, item.time)
    if item.name.startswith("oa_"):
        details = {"change": "reaction", "target_message_id": target, "reaction": emoji}
        sender = Sender(item.oa, "user")
        return PlatformEvent(
            key, "message_echo", item.at, chat_with(who), sender, direction="outbound", details=details
        )
    return ReactionChanged(key, chat_with(who), who, f"{target}:{who.id}", target, emoji, item.time)


def _unfollow(item: Item) -> ProviderEvent:
    return reported(item, "contact_blocked", platform_event=item.name)


# -- groups --------------------------------------------------------------------------------------------------


def _members(kind: str) -> Callable[[Item], ProviderEvent]:
    def read(item: Item) -> ProviderEvent:
        ids = [usable(user.id) for user in item.envelope.users] or ([item.user] if item.user else [])
        if not ids:
            return reported(item)
        return _changed(item, {"kind": kind, "member_ids": ids})

    return read


def _dissolved(item: Item) -> ProviderEvent:
    return _changed(item, {"kind": "dissolved"})


def _info(item: Item) -> ProviderEvent:
    """What of the group has changed is told only as far as the event has the new values."""
    changes: list[dict[str, Any]] = []
    for field, kind, name in (
        ("group_name", "renamed", "name"),
        ("group_description", "description_changed", "description"),
    ):
        value = item.whole.get(field)
        if isinstance(value, str):
            changes.append({"kind": kind, name: value})
    return _changed(item, *changes) if changes else reported(item)


def _changed(item: Item, *changes: dict[str, Any]) -> ProviderEvent:
    chat = group(item.envelope.group_id)
    return GroupChanged(item.raw_key(), chat, item.oa, list(changes), item.time)


def _join_request(item: Item) -> ProviderEvent:
    """One request; several at once are reported as they are."""
    ids = [user.id for user in item.envelope.users] or [item.user]
    if len(ids) != 1:
        return reported(item)
    return JoinRequested(item.raw_key(), group(item.envelope.group_id), usable(ids[0]), "", item.time)


READERS: dict[str, Callable[[Item], ProviderEvent]] = {
    "user_received_message": _receipt(Status.DELIVERED),
    "user_seen_message": _receipt(Status.READ),
    "user_reacted_message": _reaction,
    "oa_reacted_message": _reaction,
    "unfollow": _unfollow,
    "user_join_group": _members("member_added"),
    "user_out_group": _members("member_removed"),
    "user_leave_group": _members("member_removed"),
    "add_group_admin": _members("promoted"),
    "remove_group_admin": _members("demoted"),
    "update_group_info": _info,
    "delete_group": _dissolved,
    "disperse_group": _dissolved,
    "user_request_join_group": _join_request,
}
