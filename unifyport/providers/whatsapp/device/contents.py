"""What a message says -> `Content`. Pure, and never raises."""

import re

import attrs

from unifyport.model.inbound import Content, Conversation, Sender
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa

from .additions import Found
from .addresses import read_jid
from .kinds import KINDS, attachment
from .stanzas import LONGEST_ID, Head
from .wrappers import Unwrapped, context_of, kind_of, unknown_kind

_MENTION = re.compile(r"@([0-9]{5,20})")


@attrs.frozen
class Incoming:
    """A decrypted message with what is known of it. `key`: its dedupe key. `found`: see `additions.py`."""

    key: bytes
    head: Head
    chat: Conversation
    sender: Sender
    message: wa.Message
    found: Found = attrs.field(factory=Found)


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
    if incoming.head.listed:
        content.fields["broadcast"] = True
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
