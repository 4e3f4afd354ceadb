"""Our message -> a request of the X API. Pure.

https://docs.x.com/x-api/direct-messages/manage/integrate: a text, and at most one file. One person is
addressed by the user id, a group (and a conversation whose id X gave) by the id of the conversation.
"""

import re
from typing import Any

import attrs

from unifyport.model.message import OutboundContacts, OutboundMedia, OutboundMessage
from unifyport.providers.contract.errors import Rejected

from ..xchat.ids import GROUP
from .limits import MAX_TEXT
from .people import PAIR, USER, canonical

_GROUP = re.compile(r"[A-Za-z0-9]{1,64}")
# https://docs.x.com/x-api/media/initialize-media-upload; a file of another type is refused before it is
# uploaded.
MEDIA_TYPES = {
    "image": ("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "image/tiff"),
    "video": ("video/mp4", "video/quicktime", "video/webm", "video/mp2t"),
}
GIF = "image/gif"
ENCRYPTED_ONLY = ""  # in place of a path


@attrs.frozen
class Request:
    """A POST: where it goes, and its body without the file."""

    path: str
    body: dict[str, Any]

    def with_media(self, media_id: str) -> dict[str, Any]:
        return {**self.body, "attachments": [{"media_id": media_id}]}


def render(message: OutboundMessage) -> Request:
    """Raises `Rejected` for a message that X would refuse."""
    path = path_of(message.conversation_id, message.conversation_type)
    if isinstance(message, OutboundContacts):
        raise Rejected("unsupported_message_type", "X has no contact cards")
    if len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"X takes at most {MAX_TEXT} characters")
    if not message.text and not isinstance(message, OutboundMedia):
        raise Rejected("empty_text", "a text message needs a text")
    return Request(path, {"text": message.text} if message.text else {})


def path_of(conversation_id: str, conversation_type: str) -> str:
    """Where a message of a conversation is sent, if it is not encrypted; `ENCRYPTED_ONLY`: it must be.

    Raises `Rejected` for an id of an unknown form.
    """
    id_ = canonical(conversation_id)
    if PAIR.fullmatch(id_):
        return f"/2/dm_conversations/{id_}/messages"
    if conversation_type == "user":
        if USER.fullmatch(id_) is None:
            raise Rejected("invalid_recipient", "to.id is not the id of a user of X")
        return f"/2/dm_conversations/with/{id_}/messages"
    if GROUP.fullmatch(id_):
        return ENCRYPTED_ONLY
    if _GROUP.fullmatch(id_) is None:
        raise Rejected("invalid_recipient", "to.id is not the id of a conversation of X")
    return f"/2/dm_conversations/{id_}/messages"


def category_of(message: OutboundMedia) -> str:
    """The category of an upload. Raises `Rejected` for a file that X does not take."""
    kind = message.mime_type.partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES.get(message.type, ()):
        raise Rejected("unsupported_media_type", f"X takes no {kind} as {message.type}")
    if kind == GIF:
        return "dm_gif"
    return f"dm_{message.type}"


def render_group(name: str, members: list[str]) -> dict[str, Any]:
    """A new group. X gives it no name, and wants a first message: that is `name`. Raises `Rejected`."""
    wrong = [id_ for id_ in members if USER.fullmatch(id_) is None]
    if wrong or not 2 <= len(members) <= 49:
        raise Rejected("invalid_members", "X takes 2 to 49 ids of users")
    if not name:
        raise Rejected("empty_text", "X wants a first message for a group; name is that message")
    return {"conversation_type": "Group", "participant_ids": members, "message": {"text": name}}
