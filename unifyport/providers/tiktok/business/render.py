"""Our message -> a request to `business/message/send/`. Pure.

https://business-api.tiktok.com/portal/docs?id=1832184403754242. A message goes to a conversation, which a
customer must have begun. It is a text, an image, a post or a card, never two of these.
"""

from collections.abc import Mapping
from typing import Any

from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import fits, invalid

from .send_fields import CONTENTS
from .shapes import MAX_ID

MAX_TEXT = 6000
MAX_UPLOAD = {"image": 3_000_000}  # bytes
IMAGE_TYPES = frozenset({"image/jpeg", "image/png"})
MAX_TITLE = 40
MAX_BUTTONS = 3
MAX_BUTTON_ID = 40
BUTTON_TITLES = {"QA_BUTTON_CARD": 20, "QA_LINK_CARD": 40}  # characters, by the card's type


def render(message: OutboundMessage) -> dict[str, Any]:
    """The body without business account and media id. Raises `Rejected` for what TikTok would refuse."""
    body = {**recipient(message.conversation_id), **_content(message)}
    if message.reply_to_message_id:
        if body["message_type"] != "TEXT":
            raise Rejected("quote_needs_text", "TikTok takes a quoted message with a text only")
        body["referenced_message_info"] = {"referenced_message_id": message.reply_to_message_id}
    return body


def complete(message: OutboundMessage, business_id: str, media_id: str = "") -> dict[str, Any]:
    """The whole body, with the id of an uploaded image."""
    body = {"business_id": business_id, **message.rendered_by(render)}
    if isinstance(message, OutboundMedia):
        body["image"] = {"media_id": media_id}
    return body


def render_action(business_id: str, conversation_id: str, action: str) -> dict[str, Any]:
    """The body that marks a conversation as read (`MARK_READ`) or shows typing for 5 s (`TYPING`)."""
    body = {"business_id": business_id, **recipient(conversation_id)}
    return {**body, "message_type": "SENDER_ACTION", "sender_action": action}


def recipient(conversation_id: str) -> dict[str, str]:
    """Raises `Rejected` for an id that no conversation has."""
    if not 0 < len(conversation_id) <= MAX_ID or not conversation_id.isprintable():
        raise Rejected("invalid_recipient", "to.id is not the id of a conversation")
    return {"recipient_type": "CONVERSATION", "recipient": conversation_id}


def _content(message: OutboundMessage) -> dict[str, Any]:
    contents = [name for name in CONTENTS if name in message.provider_data]
    if isinstance(message, OutboundMedia):
        if contents:
            raise invalid(contents[0], "it is a message of its own, of type text")
        if message.text:
            raise Rejected("caption_on_image", "TikTok takes no text with an image: send two messages")
        return {"message_type": "IMAGE"}
    if len(contents) > 1:
        raise invalid(contents[1], f"there is {contents[0]}, too")
    if contents:
        if message.text:
            raise invalid(contents[0], "there is no place for message.text beside it")
        return _RENDER[contents[0]](message.provider_data[contents[0]])
    if not message.text:
        raise Rejected("empty_text", "a text message needs a text")
    if len(message.text) > MAX_TEXT:
        raise Rejected("text_too_long", f"TikTok takes at most {MAX_TEXT} characters")
    return {"message_type": "TEXT", "text": {"body": message.text}}


def _template(value: Mapping[str, Any]) -> dict[str, Any]:
    kind, title, buttons = value.get("type"), value.get("title"), value.get("buttons")
    if not isinstance(kind, str) or kind not in BUTTON_TITLES:
        raise invalid("template.type", f"must be {' or '.join(BUTTON_TITLES)}")
    if not fits(title, MAX_TITLE):
        raise invalid("template.title", f"must have 1 to {MAX_TITLE} characters")
    if not isinstance(buttons, list) or not 0 < len(buttons) <= MAX_BUTTONS:
        raise invalid("template.buttons", f"must be a list of 1 to {MAX_BUTTONS}")
    shown = [_button(place, button, BUTTON_TITLES[kind]) for place, button in enumerate(buttons)]
    return {"message_type": "TEMPLATE", "template": {"type": kind, "title": title, "buttons": shown}}


def _button(place: int, button: Any, longest: int) -> dict[str, str]:
    where = f"template.buttons[{place}]"
    if not isinstance(button, dict):
        raise invalid(where, "must be an object with title and id")
    if not fits(button.get("title"), longest):
        raise invalid(f"{where}.title", f"must have 1 to {longest} characters")
    if not fits(button.get("id"), MAX_BUTTON_ID):
        raise invalid(f"{where}.id", f"must have 1 to {MAX_BUTTON_ID} characters")
    return {"type": "REPLY", "title": button["title"], "id": button["id"]}


def _share_post(value: Mapping[str, Any]) -> dict[str, Any]:
    if not fits(value.get("item_id"), MAX_ID):
        raise invalid("share_post.item_id", "must be the id of a post")
    return {"message_type": "SHARE_POST", "share_post": {"item_id": value["item_id"]}}


_RENDER = {"template": _template, "share_post": _share_post}
