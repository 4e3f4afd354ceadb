"""A decrypted message -> a provider event. Pure, and never raises.

What the owner wrote on the phone or another device is `message_echo`. Messages between the account's own
devices (keys, history, settings) are not events; `controls.py` reads them.
"""

from typing import Any

import msgspec
from google.protobuf import json_format

from unifyport.model.inbound import (
    Content,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Reported,
)
from unifyport.model.provider_data import ProviderData, Redactions, provider_data
from unifyport.model.times import LAST_MS
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa

from .contents import Incoming, content_of
from .stanzas import LONGEST_ID
from .wrappers import Unwrapped, unwrap

REDACTIONS: Redactions = {
    "*": frozenset(
        {
            *("mediaKey", "directPath", "URL", "messageSecret", "encHandle", "encPayload", "encKey"),
            *("axolotlSenderKeyDistributionMessage", "callKey", "keyData", "inviteCode"),
            *("thumbnailURL", "mediaURL", "fileEncSHA256", "streamingSidecar"),
        }
    )
}
MOST_SHOWN = 256 * 1024  # bytes of a message that is shown as it came
_THUMBNAILS = frozenset({"JPEGThumbnail", "pngThumbnail"})  # pictures of several KB, of no use as base64
_PINS = {
    wa.PinInChatMessage.PIN_FOR_ALL: "message_pinned",
    wa.PinInChatMessage.UNPIN_FOR_ALL: "message_unpinned",
}


def parse(incoming: Incoming) -> ProviderEvent:
    """The event of a message."""
    found = unwrap(incoming.found.message or incoming.message)
    event = _change(incoming, found) or _said(incoming, found)
    if isinstance(event, Reported):
        event.provider_data = item_of(incoming)
    return event


def item_of(incoming: Incoming) -> ProviderData:
    """The message as it came, with the head of its stanza."""
    head = incoming.head
    size = incoming.message.ByteSize()
    shown = (
        json_format.MessageToDict(incoming.message, preserving_proto_field_name=True)
        if size <= MOST_SHOWN
        else {"omitted_bytes": size}
    )
    item = {
        "id": head.id,
        "from": str(head.chat),
        "participant": str(head.sender),
        "t": str(head.at // 1000),
        "message": _without_thumbnails(shown),
    }
    return provider_data(item, msgspec.json.encode(item), REDACTIONS)


def _without_thumbnails(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_thumbnails(v) for k, v in value.items() if k not in _THUMBNAILS}
    if isinstance(value, list):
        return [_without_thumbnails(each) for each in value]
    return value


# -- what changes another message ----------------------------------------------------------------------------


def _change(incoming: Incoming, found: Unwrapped) -> ProviderEvent | None:
    """The event of a reaction, an edit, a deletion and their like; None for any other message."""
    message, head = found.message, incoming.head
    if message.HasField("reactionMessage"):
        return _reaction(incoming, message.reactionMessage)
    if message.HasField("protocolMessage"):
        return _protocol(incoming, message.protocolMessage)
    if message.HasField("pollUpdateMessage"):
        details: dict[str, Any] = {"target_message_id": _id(message.pollUpdateMessage.pollCreationMessageKey)}
        if incoming.found.options is not None:
            details["options"] = incoming.found.options
        return _report(incoming, "poll_vote", **details)
    if message.HasField("pinInChatMessage"):
        pin = message.pinInChatMessage
        return _report(incoming, _PINS.get(pin.type, "message_pinned"), target_message_id=_id(pin.key))
    if message.HasField("keepInChatMessage"):
        key = message.keepInChatMessage.key
        return _report(incoming, "message_kept", target_message_id=_id(key))
    if message.HasField("encReactionMessage"):
        key = message.encReactionMessage.targetMessageKey
        return _report(incoming, "encrypted_reaction", target_message_id=_id(key))
    if message.HasField("encEventResponseMessage"):
        key = message.encEventResponseMessage.eventCreationMessageKey
        return _report(incoming, "event_response", target_message_id=_id(key))
    if head.from_me and message.HasField("secretEncryptedMessage"):
        return _report(incoming, "encrypted_edit")
    return None


def _reaction(incoming: Incoming, reaction: wa.ReactionMessage) -> ProviderEvent:
    head, emoji = incoming.head, reaction.text[:64]
    target = _id(reaction.key)
    if head.from_me:
        return _echo(incoming, None, {"change": "reaction", "target_message_id": target, "reaction": emoji})
    at = _milliseconds(reaction.senderTimestampMS, head.at)
    return ReactionChanged(incoming.key, incoming.chat, incoming.sender, head.id, target, emoji, at)


def _protocol(incoming: Incoming, change: wa.ProtocolMessage) -> ProviderEvent:
    head, target = incoming.head, _id(change.key)
    if incoming.found.foreign:
        return _report(incoming, "foreign_change", target_message_id=target)
    if change.type == wa.ProtocolMessage.REVOKE and target:
        if head.from_me:
            return _echo(incoming, None, {"change": "deleted", "target_message_id": target})
        return MessageDeleted(incoming.key, incoming.chat, target, head.at)
    if change.type == wa.ProtocolMessage.MESSAGE_EDIT and target:
        content = content_of(incoming, unwrap(change.editedMessage), target)
        at = _milliseconds(change.timestampMS, head.at)
        if head.from_me:
            return _echo(incoming, content, {"change": "edited"}, at)
        return MessageEdited(incoming.key, incoming.chat, incoming.sender, content, at)
    if change.type == wa.ProtocolMessage.EPHEMERAL_SETTING:
        return _report(incoming, "disappearing_timer", seconds=change.ephemeralExpiration)
    names = wa.ProtocolMessage.Type
    known = change.type in names.values()
    return _report(incoming, f"protocol_{names.Name(change.type).lower() if known else change.type}")


# -- what is said --------------------------------------------------------------------------------------------


def _said(incoming: Incoming, found: Unwrapped) -> ProviderEvent:
    content = content_of(incoming, found, incoming.head.id)
    if incoming.head.from_me:
        return _echo(incoming, content, {"change": "sent"})
    return MessageReceived(incoming.key, incoming.chat, incoming.sender, content, incoming.head.at or None)


# -- forms of events -----------------------------------------------------------------------------------------


def _echo(
    incoming: Incoming, content: Content | None, details: dict[str, Any], at: int | None = None
) -> PlatformEvent:
    return PlatformEvent(
        incoming.key,
        "message_echo",
        at or incoming.head.at or None,
        incoming.chat,
        incoming.sender,
        content,
        "outbound",
        details,
    )


def _report(incoming: Incoming, name: str, **details: Any) -> PlatformEvent:
    direction: Any = "outbound" if incoming.head.from_me else "inbound"
    at = incoming.head.at or None
    event = PlatformEvent(incoming.key, name, at, incoming.chat, incoming.sender, direction=direction)
    event.details = details
    return event


def undecryptable(incoming: Incoming, reason: str) -> MessageReceived:
    """A message that was asked for again and never came in a form that can be read."""
    text = "[a message that could not be decrypted]"
    content = Content(incoming.head.id, "unknown", text, kind="undecryptable", fields={"reason": reason})
    return MessageReceived(incoming.key, incoming.chat, incoming.sender, content, incoming.head.at or None)


def _id(key: wa.MessageKey) -> str:
    return key.ID[:LONGEST_ID]


def _milliseconds(stated: int, otherwise: int) -> int:
    """A time that a sender states, if it can be one; never in the far future."""
    latest = otherwise + 86_400_000 if otherwise else LAST_MS
    return stated if 0 < stated <= latest else otherwise
