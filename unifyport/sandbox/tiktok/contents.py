"""Contents of messages: what TikTok refuses of a send, and how a message looks in a webhook.

https://business-api.tiktok.com/portal/docs?id=1832184403754242 (send), ?id=1832190670631937 (webhook).
"""

from collections.abc import Collection, Mapping
from typing import Any

from .state import ApiError

_FIELDS = {
    "TEXT": "text",
    "IMAGE": "image",
    "SHARE_POST": "share_post",
    "TEMPLATE": "template",
}
ACTIONS = ("TYPING", "MARK_READ")


def _wrong(text: str) -> ApiError:
    return ApiError(40002, text)


def check_content(body: Mapping[str, Any], media: Collection[str]) -> None:
    """Raises `ApiError` for a content that TikTok refuses."""
    kind = body.get("message_type")
    if kind not in _FIELDS:
        raise _wrong(f"message_type: {kind} is none")
    if any(name in body for other, name in _FIELDS.items() if other != kind):
        raise _wrong("a message has one content")
    content = body.get(_FIELDS[kind])
    if not isinstance(content, dict):
        raise _wrong(f"{_FIELDS[kind]}: is required")
    if "referenced_message_info" in body and kind != "TEXT":
        raise _wrong("referenced_message_info: only with TEXT")
    if kind == "TEXT" and not _fits(content.get("body"), 6000):
        raise _wrong("text.body: 1 to 6000 characters")
    if kind == "IMAGE" and content.get("media_id") not in media:
        raise ApiError(40007, "image.media_id: there is no such media")
    if kind == "SHARE_POST" and not content.get("item_id"):
        raise _wrong("share_post.item_id: is required")
    if kind == "TEMPLATE":
        _check_template(content)


def _check_template(content: Mapping[str, Any]) -> None:
    longest = {"QA_BUTTON_CARD": 20, "QA_LINK_CARD": 40}.get(str(content.get("type")))
    buttons = content.get("buttons")
    if longest is None or not _fits(content.get("title"), 40):
        raise _wrong("template: type and title")
    if not isinstance(buttons, list) or not 0 < len(buttons) <= 3:
        raise _wrong("template.buttons: 1 to 3")
    for button in buttons:
        if (
            button.get("type") != "REPLY"
            or not _fits(button.get("title"), longest)
            or not _fits(button.get("id"), 40)
        ):
            raise _wrong("template.buttons: type, title, id")


def _fits(text: Any, longest: int) -> bool:
    return isinstance(text, str) and 0 < len(text) <= longest


def as_webhook(body: Mapping[str, Any]) -> dict[str, Any]:
    """The content of a sent message as its webhook shows it: lower case, and a card in `elements`."""
    kind = str(body["message_type"]).lower()
    content = dict(body[_FIELDS[str(body["message_type"])]])
    if kind == "template":
        buttons = [
            {"text": button["title"], "type": button["type"], "id": button["id"]}
            for button in content["buttons"]
        ]
        content = {
            "type": content["type"].lower(),
            "elements": [{"title": content["title"], "buttons": buttons}],
        }
    if kind == "share_post":
        item = content["item_id"]
        content = {"embed_url": f"https://www.tiktok.com/player/v1/{item}", "video_id": item}
    shown = {"type": kind, kind: content}
    if "referenced_message_info" in body:
        shown["referenced_message_info"] = body["referenced_message_info"]
    return shown
