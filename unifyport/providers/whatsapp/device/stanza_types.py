"""What the platform wants to know of a message without reading it, and how own devices get it. Pure.

https://github.com/tulir/whatsmeow (`send.go`)
"""

from unifyport.protocols.binary_node import Jid
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa


def as_sent(content: wa.Message, to: Jid) -> wa.Message:
    """What the account's other devices get: the message, and to whom this device has sent it."""
    made = wa.Message()
    made.deviceSentMessage.destinationJID = str(to)
    made.deviceSentMessage.message.CopyFrom(content)
    if content.HasField("messageContextInfo"):
        made.messageContextInfo.CopyFrom(content.messageContextInfo)
    return made


def stanza_type(content: wa.Message) -> str:
    if content.HasField("reactionMessage"):
        return "reaction"
    if content.HasField("pollCreationMessage") or content.HasField("pollUpdateMessage"):
        return "poll"
    return "media" if media_type(content) else "text"


def media_type(content: wa.Message) -> str:
    """Empty for what is no media; contact cards are, for the platform."""
    if content.HasField("documentWithCaptionMessage"):
        return "document"
    for field, name in (
        ("imageMessage", "image"),
        ("videoMessage", "video"),
        ("documentMessage", "document"),
        ("contactMessage", "vcard"),
        ("contactsArrayMessage", "contact_array"),
    ):
        if content.HasField(field):
            return name
    if content.HasField("audioMessage"):
        return "ptt" if content.audioMessage.PTT else "audio"
    return ""


def edit_attribute(content: wa.Message) -> str:
    """`1`: an edit, `7`: revoked by its sender or a reaction taken back, `8`: revoked by an admin."""
    change = content.protocolMessage
    if content.HasField("editedMessage"):
        change = content.editedMessage.message.protocolMessage
    if content.HasField("protocolMessage") or content.HasField("editedMessage"):
        if change.type == wa.ProtocolMessage.REVOKE:
            return "7" if change.key.fromMe else "8"
        return "1" if change.type == wa.ProtocolMessage.MESSAGE_EDIT else ""
    if content.HasField("reactionMessage") and not content.reactionMessage.text:
        return "7"
    return ""
