"""Bot API updates -> provider events. Pure; shapes from https://core.telegram.org/bots/api#update.

Every update is parsed in its own `try`: one of an unknown shape or with wrong types becomes `Unparsed`, with
its conversation and sender if they can be read, and never stops the updates after it. The tables of what is
known: `updates.UPDATES`, `kinds.KINDS`, `services.SERVICES`, `content.BESIDE`.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from unifyport.model.inbound import (
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Reported,
    Unparsed,
    dedupe_key,
)
from unifyport.model.json_depth import too_deep
from unifyport.model.json_text import decode_text
from unifyport.model.provider_data import ProviderData, Redactions, provider_data
from unifyport.providers.contract.ingress import Addressed

from .content import message_id
from .people import author, conversation, head_of
from .updates import UPDATES, Update

# The Bot API names files by ids that open nothing without the bot's token, and shows no URLs of its own.
REDACTIONS: Redactions = {}
_UPDATE = msgspec.json.Decoder(dict[str, Any])
_REASONS = ("unknown_update", "too_deep")
_MESSAGE = frozenset({"message_id", "date", "chat"})


def parse_webhook(body: bytes, identity: str) -> list[Addressed]:
    """The update of a webhook request. `identity` is the bot's id. Never raises."""
    event, _ = parse_update(body, identity)
    return [Addressed(identity, event, body, _sent_at(event))]


def _sent_at(event: ProviderEvent) -> int | None:
    match event:
        case MessageReceived(sent_at=at) | MessageEdited(edited_at=at):
            return at
        case ReactionChanged(at=at) | PlatformEvent(at=at):
            return at
    return None


def parse_update(raw: bytes, bot_id: str) -> tuple[ProviderEvent, int | None]:
    """The provider event of one update, and its `update_id`, None if it cannot be read. Never raises."""
    fields: dict[str, Any] = {}
    update_id: int | None = None
    key = dedupe_key("telegram", bot_id, "raw", hashlib.sha256(raw).hexdigest())
    try:
        fields = decode_text(raw, _UPDATE)
        update_id = msgspec.convert(fields.get("update_id"), int)
        key = dedupe_key("telegram", bot_id, "update", update_id)
        if too_deep(raw):
            raise ValueError("too_deep")
        kind, payload = _only(fields)
        event = UPDATES[_known(kind, payload)](Update(kind, payload, key, bot_id, update_id))
        return _with_item(event, payload, raw), update_id
    except Exception as error:
        return _unparsed(fields, key, raw, error), update_id


def _only(fields: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The kind of an update and its object. Raises `ValueError` if there is not exactly one kind."""
    kinds = [name for name in fields if name != "update_id"]
    if len(kinds) != 1:
        raise ValueError("unknown_update")
    payload = fields[kinds[0]]
    if not isinstance(payload, dict):
        raise msgspec.ValidationError("not an object")
    return kinds[0], payload


def _known(kind: str, payload: Mapping[str, Any]) -> str:
    """The row of `UPDATES` for a kind; one that has none is a message if it has a message's fields."""
    if kind in UPDATES:
        return kind
    if payload.keys() >= _MESSAGE:
        return "message"
    raise ValueError("unknown_update")


def _with_item(event: ProviderEvent, payload: Mapping[str, Any], raw: bytes) -> ProviderEvent:
    if isinstance(event, Reported):
        event.provider_data = provider_data(payload, raw, REDACTIONS)
    return event


def _number(fields: Mapping[str, Any]) -> int:
    number = fields.get("update_id")
    return number if type(number) is int else 0


def _unparsed(fields: Mapping[str, Any], key: bytes, raw: bytes, error: Exception) -> Unparsed:
    """What could not be read. A new message is also emitted, as far as its head could be read."""
    reason = str(error) if str(error) in _REASONS else f"parse: {type(error).__name__}"
    unparsed = Unparsed(key, raw, reason)
    payloads = [value for name, value in fields.items() if name in UPDATES and not name.startswith("edited")]
    for payload in payloads:
        if not isinstance(payload, dict) or not payload.keys() >= _MESSAGE:
            continue
        try:
            head = head_of(payload)
        except msgspec.ValidationError:
            continue
        unparsed.message_id = message_id(head, _number(fields))
        unparsed.sent_at = head.date * 1000
        unparsed.conversation = conversation(head.chat, head.business_connection_id, head.guest_query_id)
        unparsed.sender = author(head)
        if reason != "too_deep":
            unparsed.provider_data = ProviderData(payload, raw)
    return unparsed
