"""The objects of an event's `data`: conversation, sender, message, as the contract's reference has them."""

import re
from typing import Any

from .inbound import Attachment, Content, Conversation, Identity, Sender

_PHONE = re.compile(r"(\d{7,15})@s\.whatsapp\.net")


def address(sender: Sender) -> str:
    """The flat form's `from`: E.164 with `+` if the sender's phone number is known, else the id."""
    if sender.phone:
        return sender.phone
    phone = _PHONE.fullmatch(sender.id)
    return f"+{phone[1]}" if phone else sender.id


def conversation_part(conversation: Conversation) -> dict[str, Any]:
    value = {"id": conversation.id, "type": conversation.type, "title": conversation.title}
    return value | _identities(conversation.identities)


def sender_part(sender: Sender) -> dict[str, Any]:
    value = {"id": sender.id, "type": sender.type, "name": sender.name}
    extra = {"username": sender.username, "phone": sender.phone}
    return value | {name: text for name, text in extra.items() if text} | _identities(sender.identities)


def message_part(content: Content) -> dict[str, Any]:
    value: dict[str, Any] = {"id": content.id, "type": content.type}
    if content.kind:
        value["kind"] = content.kind
    value["text"] = content.text
    if content.entities:
        value["entities"] = content.entities
    if content.attachments:
        value["attachments"] = [_attachment(attachment) for attachment in content.attachments]
    if content.reply_to_message_id is not None:
        value["reply_to_message_id"] = content.reply_to_message_id
    if content.button is not None:
        value["button"] = {"id": content.button.id, "title": content.button.title}
        if content.button.description:
            value["button"]["description"] = content.button.description
    return value | {name: field for name, field in content.fields.items() if name not in value}


def _identities(identities: list[Identity]) -> dict[str, Any]:
    if not identities:
        return {}
    return {"identities": [{"type": identity.type, "id": identity.id} for identity in identities]}


def _attachment(attachment: Attachment) -> dict[str, Any]:
    value: dict[str, Any] = {"type": attachment.type}
    if attachment.title:
        value["title"] = attachment.title
    if attachment.mime_type:
        value["mime_type"] = attachment.mime_type
    if attachment.size is not None:
        value["size"] = attachment.size
    if attachment.duration_ms is not None:
        value["duration_ms"] = attachment.duration_ms
    metadata: dict[str, Any] = {"provider_file_id": attachment.file_id}
    if attachment.url:
        value["url"] = attachment.url
    else:
        metadata["is_big_file"] = True
    return {**value, "metadata": metadata}
