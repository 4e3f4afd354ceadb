"""Messages that are a field of `provider_data`: stickers, Flex Messages, templates, locations, ...

What LINE would refuse for its shape or size is refused before it is sent, as far as it can be told from the
documentation (https://developers.line.biz/en/reference/messaging-api/#message-objects); LINE checks the rest.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from unifyport.providers.contract.fields import fits, invalid

from .limits import MAX_ALT_TEXT

_DIGITS = re.compile(r"[0-9]{1,20}")
_COUPON = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MENU = re.compile(r"richmenu-[0-9a-f]{32}")
MAX_ITEMS = 13
MAX_NAME = 20
# Template -> name of the list that it must have, and how long that may be.
_TEMPLATES = {
    "buttons": ("actions", 1, 4),
    "confirm": ("actions", 2, 2),
    "carousel": ("columns", 1, 10),
    "image_carousel": ("columns", 1, 10),
}


def render_content(field: str, value: Mapping[str, Any], text: str) -> dict[str, Any]:
    """A message object. `text`: message.text, which may be the alt text. Raises `Rejected`."""
    alternative, known, render = _CONTENTS[field]
    unknown = sorted(set(value) - set(known) - {"altText"} if alternative else set(value) - set(known))
    if unknown:
        raise invalid(f"{field}.{unknown[0]}", f"it has {', '.join(known)}")
    if not alternative:
        if text:
            raise invalid(field, "there is no place for message.text beside it")
        return {"type": field, **render(value)}
    if text and "altText" in value:
        raise invalid(f"{field}.altText", "there is a message.text, too")
    alt = text or value.get("altText")
    if not fits(alt, MAX_ALT_TEXT):
        raise invalid(f"{field}.altText", f"1 to {MAX_ALT_TEXT} characters, or message.text, are required")
    return {"type": field, "altText": alt, **render(value)}


def _sticker(value: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("packageId", "stickerId"):
        if not isinstance(value.get(name), str) or not _DIGITS.fullmatch(value[name]):
            raise invalid(f"sticker.{name}", "must be a number, as a string")
    return dict(value)


def _flex(value: Mapping[str, Any]) -> dict[str, Any]:
    contents = value.get("contents")
    if not isinstance(contents, dict) or contents.get("type") not in ("bubble", "carousel"):
        raise invalid("flex.contents", "must be an object of type bubble or carousel")
    return {"contents": contents}


def _template(value: Mapping[str, Any]) -> dict[str, Any]:
    template = value.get("template")
    kind = template.get("type") if isinstance(template, dict) else None
    if not isinstance(template, dict) or kind not in _TEMPLATES:
        raise invalid("template.template", f"must be an object of type {', '.join(_TEMPLATES)}")
    name, fewest, most = _TEMPLATES[kind]
    items = template.get(name)
    if not isinstance(items, list) or not fewest <= len(items) <= most:
        raise invalid(f"template.template.{name}", f"must be a list of {fewest} to {most}")
    return {"template": template}


def _imagemap(value: Mapping[str, Any]) -> dict[str, Any]:
    if not is_https(value.get("baseUrl")):
        raise invalid("imagemap.baseUrl", "must be an https URL")
    if not isinstance(value.get("baseSize"), dict):
        raise invalid("imagemap.baseSize", "must be an object with width and height")
    if not isinstance(value.get("actions"), list):
        raise invalid("imagemap.actions", "must be a list")
    return {name: inner for name, inner in value.items() if name != "altText"}


def _location(value: Mapping[str, Any]) -> dict[str, Any]:
    for name in ("title", "address"):
        if not fits(value.get(name), 100):
            raise invalid(f"location.{name}", "1 to 100 characters are required")
    for name, largest in (("latitude", 90), ("longitude", 180)):
        number = value.get(name)
        if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) <= largest:
            raise invalid(f"location.{name}", f"must be a number from -{largest} to {largest}")
    return dict(value)


def _coupon(value: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(value.get("couponId"), str) or not _COUPON.fullmatch(value["couponId"]):
        raise invalid("coupon.couponId", "is required")
    if "deliveryTag" in value and not fits(value["deliveryTag"], 30):
        raise invalid("coupon.deliveryTag", "1 to 30 characters")
    return dict(value)


# Field -> whether it has an alt text, its own fields, and the function that renders them.
_CONTENTS: dict[str, tuple[bool, tuple[str, ...], Callable[[Mapping[str, Any]], dict[str, Any]]]] = {
    "sticker": (False, ("packageId", "stickerId"), _sticker),
    "flex": (True, ("contents",), _flex),
    "template": (True, ("template",), _template),
    "imagemap": (True, ("baseUrl", "baseSize", "actions", "video"), _imagemap),
    "location": (False, ("title", "address", "latitude", "longitude"), _location),
    "coupon": (False, ("couponId", "deliveryTag"), _coupon),
}


def quick_reply(value: Mapping[str, Any]) -> dict[str, Any]:
    items = value.get("items")
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_ITEMS:
        raise invalid("quick_reply.items", f"must be a list of 1 to {MAX_ITEMS} buttons")
    for place, item in enumerate(items):
        action = item.get("action") if isinstance(item, dict) else None
        if not isinstance(action, dict) or not isinstance(action.get("type"), str):
            raise invalid(f"quick_reply.items[{place}].action", "must be an object with a type")
    return {"items": [{"type": "action", **item} for item in items]}


def shown_sender(value: Mapping[str, Any]) -> dict[str, Any]:
    if not value or set(value) - {"name", "iconUrl"}:
        raise invalid("sender", "it has name, iconUrl")
    if "name" in value and not fits(value["name"], MAX_NAME):
        raise invalid("sender.name", f"1 to {MAX_NAME} characters")
    if "iconUrl" in value and not is_https(value["iconUrl"]):
        raise invalid("sender.iconUrl", "must be an https URL")
    return dict(value)


def rich_menu(menu: str) -> str:
    """The id of a rich menu (#create-rich-menu); empty: none."""
    if menu and not _MENU.fullmatch(menu):
        raise invalid("rich_menu", "must be the id of a rich menu, richmenu-...; empty unlinks it")
    return menu


def is_https(url: Any) -> bool:
    return fits(url, 2000) and url.startswith("https://") and url.isascii() and " " not in url
