"""Kinds of messages: one row of `KINDS` for each, and of `INTERACTIVE` for each reply to a message of ours.

A kind is the value of a message's `type`, and the field of that name has its content. Its row says our type,
the shape of the field, and the function that says its text, files and typed fields. The tables are compared
with the documentation's list in `tests/providers/test_whatsapp_kinds.py`.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs
import msgspec
from msgspec import Struct

from unifyport.model.inbound import Attachment, Button, MessageType
from unifyport.model.json_text import UNREADABLE

from . import shapes
from .cards import vcard

S = TypeVar("S")


@attrs.define
class Said:
    """What a field says. `fields` become fields of the message in the event. `kind`: a narrower one."""

    text: str = ""
    files: list[Attachment] = attrs.field(factory=list)
    fields: dict[str, Any] = attrs.field(factory=dict)
    button: Button | None = None
    type: MessageType | None = None


@attrs.frozen
class Kind(Generic[S]):
    type: MessageType
    shape: Any  # of the field: `type[S]`
    say: Callable[[S], Said]


def _file(kind: str) -> Callable[[shapes.File], Said]:
    def say(file: shapes.File) -> Said:
        found = Attachment(
            type=kind,
            file_id=file.id,
            title=file.filename,
            mime_type=file.mime_type,
            sha256=hex_digest(file.sha256),
        )
        flags = {name: True for name in ("animated", "voice") if getattr(file, name)}
        return Said(file.caption, [found] if file.id else [], flags)

    return say


def hex_digest(digest: str) -> str:
    """A SHA-256 digest as hex: Meta writes it in base64 or in hex. Empty for anything else."""
    if re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        return digest.lower()
    try:
        plain = base64.b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return plain.hex() if len(plain) == hashlib.sha256().digest_size else ""


def _location(location: shapes.Location) -> Said:
    point = f"{location.latitude:.6f},{location.longitude:.6f}"
    text = "\n".join(part for part in (location.name, location.address, point) if part)
    return Said(text, fields={"location": _plain(location)})


def _contacts(cards: list[shapes.Card]) -> Said:
    return Said("\n".join(map(vcard, cards)), fields={"contacts": [_plain(card) for card in cards]})


def _template_button(button: shapes.TemplateButton) -> Said:
    title = button.text or button.payload
    return Said(title, button=Button(button.payload, title))


def _order(order: shapes.Order) -> Said:
    lines = [order.text]
    for item in order.product_items:
        price = f" ({item.item_price} {item.currency})" if item.item_price != "" else ""
        lines.append(f"{item.quantity} x {item.product_retailer_id}{price}")
    shown = _plain(order) | {"product_items": [_item(item) for item in order.product_items]}
    return Said("\n".join(line for line in lines if line), fields={"order": shown})


def _item(item: shapes.Item) -> dict[str, Any]:
    return {"quantity": item.quantity, **_plain(item)}


def _interactive(interactive: shapes.Interactive) -> Said:
    for field, say in INTERACTIVE.items():
        value = getattr(interactive, field)
        if value is not None:
            said: Said = say(value)
            said.fields["interactive_type"] = field
            return said
    return Said(f"[unsupported: interactive {interactive.type}]", type="unknown")


def _choice(choice: shapes.Choice) -> Said:
    title = choice.title or choice.id
    return Said(title, button=Button(choice.id, title, choice.description))


def _form(form: shapes.Form) -> Said:
    """The answers are the text, as JSON; and typed, where they are an object."""
    try:
        answers = msgspec.json.decode(form.response_json, type=dict[str, Any])
    except UNREADABLE:
        answers = {}
    shown = {"name": form.name, "body": form.body, "answers": answers}
    text = form.response_json or form.body
    return Said(text, fields={"form": {name: value for name, value in shown.items() if value}})


def _call_permission(reply: shapes.CallPermission) -> Said:
    text = f"[call permission: {reply.response}]"
    return Said(text, fields={"call_permission": _plain(reply)}, type="unknown")


def _product(product: shapes.Product) -> Said:
    return Said(
        f"[product {product.product_retailer_id}]", fields={"product": _plain(product)}, type="unknown"
    )


def _plain(value: Struct) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(value)
    return found


INTERACTIVE: dict[str, Callable[[Any], Said]] = {
    "button_reply": _choice,
    "list_reply": _choice,
    "nfm_reply": _form,
    "call_permission_reply": _call_permission,
    "product": _product,
}
KINDS: dict[str, Kind[Any]] = {
    "text": Kind("text", shapes.Text, lambda text: Said(text.body)),
    "image": Kind("image", shapes.File, _file("image")),
    "video": Kind("video", shapes.File, _file("video")),
    "audio": Kind("audio", shapes.File, _file("audio")),
    "document": Kind("document", shapes.File, _file("document")),
    "sticker": Kind("sticker", shapes.File, _file("sticker")),
    "location": Kind("location", shapes.Location, _location),
    "contacts": Kind("contact", list[shapes.Card], _contacts),
    "button": Kind("text", shapes.TemplateButton, _template_button),
    "interactive": Kind("text", shapes.Interactive, _interactive),
    "order": Kind("unknown", shapes.Order, _order),
}
