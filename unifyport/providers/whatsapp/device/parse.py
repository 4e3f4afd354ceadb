"""A decrypted message -> a provider event. Pure, and never raises.

What the owner wrote on the phone or another device is `message_echo`. Messages between the account's own
devices (keys, history, settings) are not events; `controls.py` reads them.
"""

import re
from typing import Any

import attrs
import msgspec
from google.protobuf import json_format

from unifyport.model.inbound import (
    Content,
    Conversation,
    MessageDeleted,
    MessageEdited,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    Reported,
    Sender,
)
from unifyport.model.provider_data import ProviderData, Redactions, provider_data
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa

from .additions import Found
from .addresses import read_jid
from .kinds import KINDS, attachment
from .stanzas import LONGEST_ID, Head
from .wrappers import Unwrapped, context_of, kind_of, unknown_kind, unwrap

REDACTIONS: Redactions = {
    "*": frozenset(
        {
            *("mediaKey", "directPath", "URL", "messageSecret", "encHandle", "encPayload", "encKey"),
            *("axolotlSenderKeyDistributionMessage", "callKey", "keyData", "inviteCode"),
            *("thumbnailURL", "mediaURL", "fileEncSHA256", "streamingSidecar"),
        }
    )
}
_THUMBNAILS = frozenset({"JPEGThumbnail", "pngThumbnail"})  # pictures of several KB, of no use as base64
_MENTION = re.compile(r"@([0-9]{5,20})")
_PINS = {
    wa.PinInChatMessage.PIN_FOR_ALL: "message_pinned",
    wa.PinInChatMessage.UNPIN_FOR_ALL: "message_unpinned",
}


@attrs.frozen
class Incoming:
    """A decrypted message with what is known of it. `key`: its dedupe key. `found`: see `additions.py`."""

    key: bytes
    head: Head
    chat: Conversation
    sender: Sender
    message: wa.Message
    found: Found = attrs.field(factory=Found)


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
    shown = json_format.MessageToDict(incoming.message, preserving_proto_field_name=True)
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


def content_of(incoming: Incoming, found: Unwrapped, message_id: str) -> Content:
    """What a message says. A kind that no row has is `unknown` with a text."""
    message = found.message
    name = kind_of(message)
    if name == "conversation":
        content = Content(message_id, "text", message.conversation, kind="text")
    elif name:
        content = _of_kind(incoming, name, message, message_id)
    else:
        word = unknown_kind(message) or "empty"
        content = Content(message_id, "unknown", f"[unsupported: {word}]", kind=word, unsupported=True)
    for flag in sorted(found.flags):
        content.fields[flag] = True
    context = context_of(message)
    if context is not None:
        _add_context(content, context)
    return content


def _of_kind(incoming: Incoming, name: str, message: wa.Message, message_id: str) -> Content:
    kind, inner, head = KINDS[name], getattr(message, name), incoming.head
    said = kind.say(inner)
    if said.file is not None:
        file = said.file
        file.message_id, file.from_me = message_id, head.from_me
        file.chat, file.sender = str(head.chat), str(head.sender.bare)
    files = attachment(kind.type, said, message_id)
    text = said.text or ("" if files is not None else f"[{kind.name}]")
    found = Content(message_id, kind.type, text, [files] if files else [], button=said.button, kind=kind.name)
    found.fields = said.fields
    if "viewOnce" in inner.DESCRIPTOR.fields_by_name and inner.viewOnce:
        found.fields["view_once"] = True
    return found


def _add_context(content: Content, context: wa.ContextInfo) -> None:
    if 0 < len(context.stanzaID) <= LONGEST_ID:
        content.reply_to_message_id = context.stanzaID
    if context.isForwarded or context.forwardingScore:
        content.fields["forwarded"] = True
    if context.forwardingScore >= 127:
        content.fields["frequently_forwarded"] = True
    if context.expiration:
        content.fields["disappears_after"] = context.expiration
    if context.HasField("externalAdReply"):
        ad = context.externalAdReply
        shown = {"source_url": ad.sourceURL, "source_id": ad.sourceID, "source_type": ad.sourceType}
        shown |= {"headline": ad.title, "body": ad.body, "ctwa_clid": ad.ctwaClid, "ref": ad.ref}
        content.fields["referral"] = {name: value for name, value in shown.items() if value}
    mentioned = [jid for jid in map(read_jid, context.mentionedJID[:1024]) if jid is not None]
    if mentioned:
        by_user = {jid.user: str(jid) for jid in mentioned}
        content.fields["mentions"] = list(by_user.values())
        content.entities = [
            {
                "type": "text_mention",
                "offset": found.start(),
                "length": len(found[0]),
                "user": {"id": by_user[found[1]]},
            }
            for found in _MENTION.finditer(content.text)
            if found[1] in by_user
        ]


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
    return stated if 0 < stated <= otherwise + 86_400_000 or not otherwise else otherwise
