"""Our message -> WhatsApp's. Pure.

A file is described by what its upload returned (`Uploaded`). A text is `conversation` unless something stands
beside it (a quoted message, mentions, a disappearing timer), which only `extendedTextMessage` can carry.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

import attrs

from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage
from unifyport.model.vcard import vcard
from unifyport.protocols.binary_node import Jid
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa

from .addresses import read_recipient

_ANCHOR = re.compile(r"\{\{@([^{}@\s]{1,128}(?:@[a-z.]{1,32})?)\}\}")
_MAX_MENTIONS = 1024


@attrs.frozen(kw_only=True)
class Uploaded:
    """An encrypted file at the platform."""

    url: str
    path: str
    key: bytes = attrs.field(repr=False)
    sha256: bytes
    encrypted_sha256: bytes
    size: int
    at: int  # unix seconds


@attrs.frozen
class Quoted:
    """The message that is replied to. `sender`: None if it is not known. `text`: the beginning of it."""

    id: str
    sender: Jid | None
    text: str = ""


@attrs.frozen(kw_only=True)
class Beside:
    """What stands beside the content of a message."""

    quoted: Quoted | None = None
    timer: int = 0  # seconds until it disappears; 0: never
    timer_set_at: int = 0  # unix seconds
    names: Mapping[str, Jid] = {}  # mentioned ids, as written -> the address in this conversation


def render(message: OutboundMessage, beside: Beside, uploaded: Uploaded | None = None) -> wa.Message:
    """The content of a send, without what the connection adds."""
    text, mentioned = _mentions(message, beside)
    context = _context(beside, mentioned)
    made = wa.Message()
    if isinstance(message, OutboundContacts):
        _add_contacts(made, message, context)
    elif isinstance(message, OutboundMedia):
        assert uploaded is not None
        _add_file(made, message, text, context=context, uploaded=uploaded)
    elif context is None:
        made.conversation = text
    else:
        made.extendedTextMessage.text = text
        made.extendedTextMessage.contextInfo.CopyFrom(context)
    return made


def _mentions(message: OutboundMessage, beside: Beside) -> tuple[str, list[Jid]]:
    """The text as apps show it, with `@` and the user's number for each anchor, and who is mentioned."""
    wanted: dict[str, Jid] = {}
    for id_ in message.mentions[:_MAX_MENTIONS]:
        jid = beside.names.get(id_)
        if jid is not None:
            wanted[id_] = wanted[jid.user] = jid
            wanted[id_.partition("@")[0].removeprefix("+")] = jid
    mentioned: list[Jid] = []

    def replace(anchor: re.Match[str]) -> str:
        jid = wanted.get(anchor[1])
        if jid is None:
            return anchor[0]
        mentioned.append(jid)
        return f"@{jid.user}"

    text = _ANCHOR.sub(replace, message.text) if wanted else message.text
    everyone = [*mentioned, *(wanted[id_] for id_ in message.mentions if id_ in wanted)]
    return text, list(dict.fromkeys(everyone))


def _context(beside: Beside, mentioned: list[Jid]) -> wa.ContextInfo | None:
    if beside.quoted is None and not mentioned and not beside.timer:
        return None
    context = wa.ContextInfo(mentionedJID=[str(jid) for jid in mentioned])
    if beside.quoted is not None:
        context.stanzaID = beside.quoted.id
        if beside.quoted.sender is not None:
            context.participant = str(beside.quoted.sender.bare)
        context.quotedMessage.conversation = beside.quoted.text
    if beside.timer:
        context.expiration = beside.timer
        if beside.timer_set_at:
            context.ephemeralSettingTimestamp = beside.timer_set_at
    return context


def _add_contacts(made: wa.Message, message: OutboundContacts, context: wa.ContextInfo | None) -> None:
    cards = [wa.ContactMessage(displayName=each.name, vcard=vcard(each)) for each in message.contacts]
    if len(cards) == 1:
        made.contactMessage.CopyFrom(cards[0])
        if context is not None:
            made.contactMessage.contextInfo.CopyFrom(context)
        return
    made.contactsArrayMessage.displayName = f"{len(cards)} contacts"
    made.contactsArrayMessage.contacts.extend(cards)
    if context is not None:
        made.contactsArrayMessage.contextInfo.CopyFrom(context)


def _add_file(
    made: wa.Message,
    message: OutboundMedia,
    text: str,
    *,
    context: wa.ContextInfo | None,
    uploaded: Uploaded,
) -> None:
    fields: dict[str, Any] = {
        "image": made.imageMessage,
        "video": made.videoMessage,
        "audio": made.audioMessage,
        "document": made.documentMessage,
    }
    inner = fields[message.type]
    inner.URL, inner.directPath, inner.mediaKey = uploaded.url, uploaded.path, uploaded.key
    inner.fileSHA256, inner.fileEncSHA256 = uploaded.sha256, uploaded.encrypted_sha256
    inner.fileLength, inner.mediaKeyTimestamp = uploaded.size, uploaded.at
    inner.mimetype = mime_type(message)
    if context is not None:
        inner.contextInfo.CopyFrom(context)
    if isinstance(inner, wa.AudioMessage):
        _add_voice(inner, message)
    elif text:
        inner.caption = text
    if isinstance(inner, wa.DocumentMessage):
        inner.fileName = inner.title = message.name or "file"
        if text:  # apps show the caption of a document only inside of this
            whole = wa.Message()
            whole.documentWithCaptionMessage.message.documentMessage.CopyFrom(inner)
            made.CopyFrom(whole)


def _add_voice(inner: wa.AudioMessage, message: OutboundMedia) -> None:
    if message.voice is None:
        return
    inner.PTT = is_voice(message)
    if message.voice.seconds is not None:
        inner.seconds = max(0, min(message.voice.seconds, 86_400))
    if message.voice.waveform:
        try:
            inner.waveform = base64.b64decode(message.voice.waveform, validate=True)[:64]
        except (binascii.Error, ValueError):
            inner.ClearField("waveform")


def is_voice(message: OutboundMedia) -> bool:
    """Whether it is shown as a voice note: only Ogg with Opus is."""
    return message.voice is not None and message.mime_type.partition(";")[0] in ("audio/ogg", "audio/opus")


def mime_type(message: OutboundMedia) -> str:
    return "audio/ogg; codecs=opus" if is_voice(message) else message.mime_type


def mentioned_ids(message: OutboundMessage) -> dict[str, Jid]:
    """The ids of `mentions` that can be read."""
    found = {}
    for id_ in message.mentions[:_MAX_MENTIONS]:
        try:
            found[id_] = read_recipient(id_)
        except ValueError:
            continue
    return found


def message_key(
    chat: Jid, message_id: str, *, from_me: bool, participant: Jid | None = None
) -> wa.MessageKey:
    key = wa.MessageKey(remoteJID=str(chat), fromMe=from_me, ID=message_id)
    if participant is not None and chat.is_group:
        key.participant = str(participant.bare)
    return key


def render_reaction(key: wa.MessageKey, emoji: str, now: int) -> wa.Message:
    """`now`: unix ms."""
    made = wa.Message()
    made.reactionMessage.key.CopyFrom(key)
    made.reactionMessage.text = emoji
    made.reactionMessage.senderTimestampMS = now
    return made


def render_edit(key: wa.MessageKey, text: str, now: int) -> wa.Message:
    made = wa.Message()
    change = made.editedMessage.message.protocolMessage
    change.key.CopyFrom(key)
    change.type = wa.ProtocolMessage.MESSAGE_EDIT
    change.editedMessage.conversation = text
    change.timestampMS = now
    return made


def render_revoke(key: wa.MessageKey) -> wa.Message:
    made = wa.Message()
    made.protocolMessage.key.CopyFrom(key)
    made.protocolMessage.type = wa.ProtocolMessage.REVOKE
    return made
