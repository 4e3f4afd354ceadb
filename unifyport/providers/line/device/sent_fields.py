"""`provider_data` of a send from a device: stickers and places."""

import math
from collections.abc import Mapping
from typing import Any

from unifyport.model.message import OutboundMessage, OutboundText
from unifyport.providers.contract.fields import ProviderField, invalid

PROVIDER_DATA = (
    ProviderField("sticker", "object", "`packageId`, `stickerId`", content=True),
    ProviderField("location", "object", "`title`, `address`, `latitude`, `longitude`", content=True),
)
_LONGEST = 256


def check_fields(message: OutboundMessage) -> str:
    """The name of the field that is the message; empty where there is none. Raises `Rejected`."""
    found = [field.name for field in PROVIDER_DATA if field.name in message.provider_data]
    if not found:
        return ""
    if len(found) > 1:
        raise invalid(found[1], f"there is {found[0]}, too")
    if not isinstance(message, OutboundText) or message.text:
        raise invalid(found[0], "a message has this, or a text or file")
    value = message.provider_data[found[0]]
    (_check_sticker if found[0] == "sticker" else _check_location)(value)
    return found[0]


def _check_sticker(value: Mapping[str, Any]) -> None:
    for name in ("packageId", "stickerId"):
        text = value.get(name)
        if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 20):
            raise invalid(f"sticker.{name}", "must be the digits of an id, as text")


def _check_location(value: Mapping[str, Any]) -> None:
    for name, most in (("latitude", 90), ("longitude", 180)):
        number = value.get(name)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise invalid(f"location.{name}", "must be a number")
        if not math.isfinite(number) or abs(number) > most:
            raise invalid(f"location.{name}", f"must be between -{most} and {most}")
    for name in ("title", "address"):
        text = value.get(name, "")
        if not isinstance(text, str) or len(text) > _LONGEST:
            raise invalid(f"location.{name}", f"must be a text of at most {_LONGEST} characters")
