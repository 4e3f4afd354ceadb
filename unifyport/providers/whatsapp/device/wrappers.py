"""Messages inside messages: what carries another message around it, and what it says of it."""

import attrs

from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.messages import unknown_fields

from .kinds import KINDS

_DEEPEST = 8
# Fields of `Message` that say nothing by themselves.
BESIDE = frozenset(
    {
        "messageContextInfo",
        "senderKeyDistributionMessage",
        "fastRatchetKeySenderKeyDistributionMessage",
    }
)
# Field of `Message` with a message inside -> the flag that it sets on the event's message.
_WRAPPERS = {
    "ephemeralMessage": "ephemeral",
    "viewOnceMessage": "view_once",
    "viewOnceMessageV2": "view_once",
    "viewOnceMessageV2Extension": "view_once",
    "documentWithCaptionMessage": "",
    "editedMessage": "",
    "groupMentionedMessage": "",
    "botInvokeMessage": "",
    "lottieStickerMessage": "",
    "eventCoverImage": "",
    "associatedChildMessage": "",
    "pollCreationMessageV4": "",
    "groupStatusMessage": "",
    "groupStatusMessageV2": "",
    "spoilerMessage": "spoiler",
}


@attrs.define
class Unwrapped:
    """The innermost message. `flags`: what its wrappers say. `secret`: its key for votes and the like."""

    message: wa.Message
    flags: set[str] = attrs.field(factory=set)
    secret: bytes = b""


def unwrap(message: wa.Message) -> Unwrapped:
    """Without its wrappers, of which there are at most eight."""
    found = Unwrapped(message)
    for _ in range(_DEEPEST):
        secret = found.message.messageContextInfo.messageSecret
        found.secret = secret[:32] if secret else found.secret
        name = next((name for name in _WRAPPERS if found.message.HasField(name)), None)
        inner = getattr(found.message, name).message if name is not None else None
        if inner is None or name is None:
            break
        if _WRAPPERS[name]:
            found.flags.add(_WRAPPERS[name])
        found.message = inner
    return found


def kind_of(message: wa.Message) -> str:
    """The field that is said, see `KINDS`; `conversation` for a plain text; empty if no field is known."""
    if message.HasField("conversation"):
        return "conversation"
    return next((name for name in KINDS if message.HasField(name)), "")


def unknown_kind(message: wa.Message) -> str:
    """The platform's word, or number, for a field that no row of `KINDS` has; empty if there is none."""
    for field, _ in message.ListFields():
        if field.name not in BESIDE:
            return field.name.removesuffix("Message")
    numbers = unknown_fields(message)
    return f"field_{numbers[0]}" if numbers else ""


def context_of(message: wa.Message) -> wa.ContextInfo | None:
    """What stands beside the content: the quoted message, mentions, the disappearing timer."""
    for name in KINDS:
        if message.HasField(name):
            inner = getattr(message, name)
            if "contextInfo" in inner.DESCRIPTOR.fields_by_name and inner.HasField("contextInfo"):
                found: wa.ContextInfo = inner.contextInfo
                return found
    return None
