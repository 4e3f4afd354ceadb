"""What the played Cloud API accepts as the content of a message.

https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from unifyport.providers.whatsapp.cloud.render import MAX_TEXT

_FILES = ("image", "video", "audio", "document", "sticker")
_PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")


def _template(number: int, name: str, components: list[dict[str, Any]], **more: str) -> dict[str, Any]:
    fields = {"language": "en", "status": "APPROVED", "category": "UTILITY", "parameter_format": "POSITIONAL"}
    return {"id": str(number), "name": name, **fields, **more, "components": components}


# Of every business account here, as the list of templates shows them.
TEMPLATES: Sequence[dict[str, Any]] = (
    _template(1, "hello_world", [{"type": "BODY", "text": "Welcome and congratulations!"}], language="en_US"),
    _template(
        2,
        "parcel",
        [
            {"type": "HEADER", "format": "IMAGE"},
            {"type": "BODY", "text": "Hi {{1}}, your parcel {{2}} arrives today."},
            {"type": "FOOTER", "text": "Shop"},
            {
                "type": "BUTTONS",
                "buttons": [
                    {"type": "URL", "text": "Track", "url": "https://shop.example/t/{{1}}"},
                    {"type": "QUICK_REPLY", "text": "Stop"},
                ],
            },
        ],
    ),
    _template(
        3,
        "greeting",
        [{"type": "BODY", "text": "Hi {{name}}, welcome to {{shop}}."}],
        category="MARKETING",
        parameter_format="NAMED",
    ),
    _template(4, "new_offer", [{"type": "BODY", "text": "New."}], status="PENDING", category="MARKETING"),
)


class GraphError(Exception):
    """`{"error": {...}}` with this HTTP status and code."""

    def __init__(self, status: int, code: int, message: str, details: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.details = status, code, message, details


def _invalid(details: str) -> GraphError:
    return GraphError(400, 100, "(#100) Invalid parameter", details)


def _missing(details: str) -> GraphError:
    return GraphError(400, 131008, "(#131008) Required parameter is missing", details)


def _not_valid(details: str) -> GraphError:
    return GraphError(400, 131009, "(#131009) Parameter value is not valid", details)


def groups_of(value: Mapping[str, Any]) -> set[str]:
    """The ids of the groups that the value of a webhook is about."""
    items = [
        item for name in ("messages", "groups") if isinstance(value.get(name), list) for item in value[name]
    ]
    return {str(item["group_id"]) for item in items if isinstance(item, dict) and item.get("group_id")}


def check_content(
    body: Mapping[str, Any], media: Collection[str], templates: Sequence[Mapping[str, Any]]
) -> None:
    """Raises `GraphError` for a content that the platform refuses."""
    kind = body.get("type", "text")
    content = body.get(kind)
    if kind in _FILES:
        if not isinstance(content, dict) or content.get("id") not in media:
            raise _invalid("no media of this id was uploaded")
    elif kind == "contacts":
        if not isinstance(content, list) or not content:
            raise _missing("contacts")
    elif kind != "template" and kind not in _CHECKS:
        raise _invalid(f"type: {kind} is none")
    elif not isinstance(content, dict):
        raise _missing(kind)
    elif kind == "template":
        _check_template(content, templates)
    else:
        _CHECKS[kind](content)


def _text(content: Mapping[str, Any]) -> None:
    text = content.get("body")
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT:
        raise _invalid("text.body has a wrong length")


def _reaction(content: Mapping[str, Any]) -> None:
    if not content.get("message_id") or not isinstance(content.get("emoji"), str):
        raise _not_valid("reaction")


def _location(content: Mapping[str, Any]) -> None:
    for name, largest in (("latitude", 90), ("longitude", 180)):
        if not isinstance(content.get(name), int | float) or abs(content[name]) > largest:
            raise _not_valid(f"location.{name}")


def _interactive(content: Mapping[str, Any]) -> None:
    kind, action = content.get("type"), content.get("action", {})
    if kind != "product" and not content.get("body", {}).get("text"):
        raise _not_valid("interactive.body.text")
    if kind == "button":
        buttons = action.get("buttons", [])
        fits = 0 < len(buttons) <= 3 and all(
            button.get("type") == "reply" and 0 < len(button["reply"]["title"]) <= 20 for button in buttons
        )
    elif kind == "list":
        rows = [row for section in action.get("sections", []) for row in section["rows"]]
        fits = 0 < len(rows) <= 10 and bool(action.get("button"))
    elif kind == "flow":
        fits = action.get("name") == "flow" and "flow_message_version" in action["parameters"]
    else:
        fits = bool(action)
    if not fits:
        raise _not_valid("interactive.action")


def _check_template(content: Mapping[str, Any], templates: Sequence[Mapping[str, Any]]) -> None:
    name, language = content.get("name"), content.get("language", {}).get("code")
    found = [each for each in templates if each["name"] == name and each["language"] == language]
    if not found or found[0]["status"] != "APPROVED":
        details = f"template name ({name}) does not exist in {language}"
        raise GraphError(404, 132001, "(#132001) Template name does not exist in the translation", details)
    given = {each["type"].lower(): each.get("parameters", []) for each in content.get("components", [])}
    for component in found[0]["components"]:
        placeholders = len(set(_PLACEHOLDER.findall(component.get("text", ""))))
        wanted = 1 if component.get("format") == "IMAGE" else placeholders
        part = component["type"].lower()
        count = len(given.get(part, []))
        if part in ("header", "body") and count != wanted:
            text = "(#132000) Number of parameters does not match the expected number of params"
            details = f"{part}: number of localizable_params ({count}) does not match ({wanted})"
            raise GraphError(400, 132000, text, details)


_CHECKS: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "text": _text,
    "reaction": _reaction,
    "location": _location,
    "interactive": _interactive,
}
