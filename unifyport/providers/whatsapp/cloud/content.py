"""A message of the Cloud API -> what it says: the content by its kind, and what stands beside the content."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from unifyport.model.inbound import Content

from . import shapes
from .errors import shown
from .kinds import KINDS, Said

# Kinds without content of their own, and their text.
BARE = {"request_welcome": "[the customer opened the chat]", "media_placeholder": "[media]"}


def content(message: Mapping[str, Any], message_id: str) -> Content:
    """What a message says. `message` has no nulls.

    Raises `ValidationError` if the field of its kind has another shape.
    """
    name = _kind_of(message)
    if name in KINDS and name in message:
        kind = KINDS[name]
        said: Said = kind.say(msgspec.convert(message[name], kind.shape))
        text = said.text if said.text or said.files else f"[{name}]"
        found = Content(message_id, said.type or kind.type, text, said.files, button=said.button, kind=name)
        found.fields = said.fields
    elif name in BARE:
        found = Content(message_id, "unknown", BARE[name], kind=name)
    elif name == "unsupported" or message.get("errors"):
        found = _refused(message, message_id, name)
    else:
        found = Content(message_id, "unknown", f"[unsupported: {name}]", kind=name, unsupported=True)
    for field, (shape, add) in BESIDE.items():
        if field in message:
            with contextlib.suppress(msgspec.ValidationError):
                add(found, msgspec.convert(message[field], shape))
    return found


def _kind_of(message: Mapping[str, Any]) -> str:
    """The message's type; if there is no field of that name, the kind whose field is there."""
    name = message.get("type")
    if isinstance(name, str) and (name not in KINDS or name in message) and name:
        return name
    return next((kind for kind in KINDS if kind in message), str(name or "message"))


def _refused(message: Mapping[str, Any], message_id: str, name: str) -> Content:
    """A message that the platform does not hand on, and why."""
    errors: list[shapes.Error] = []
    what = ""
    with contextlib.suppress(msgspec.ValidationError):
        errors = msgspec.convert(message.get("errors", []), list[shapes.Error])
    with contextlib.suppress(msgspec.ValidationError):
        what = msgspec.convert(message.get("unsupported", {}), shapes.Unsupported).type
    reasons = [error.error_data.details or error.message or error.title for error in errors]
    text = " ".join((f"[unsupported: {what or name}]", *(reason for reason in reasons if reason)))
    found = Content(message_id, "unknown", text, kind=name)
    if errors:
        found.fields["errors"] = [shown(error) for error in errors]
    if what:
        found.fields["unsupported_type"] = what
    return found


def _add_context(found: Content, context: shapes.Context) -> None:
    if context.id:
        found.reply_to_message_id = context.id
    if context.forwarded or context.frequently_forwarded:
        found.fields["forwarded"] = True
    if context.frequently_forwarded:
        found.fields["frequently_forwarded"] = True
    if context.referred_product is not None:
        found.fields["referred_product"] = msgspec.to_builtins(context.referred_product)


def _add_referral(found: Content, referral: shapes.Referral) -> None:
    found.fields["referral"] = msgspec.to_builtins(referral)


def _flag(name: str) -> Callable[[Content, bool], None]:
    def add(found: Content, value: bool) -> None:
        if value:
            found.fields[name] = True

    return add


# Field that may stand beside the content -> its shape, and what it adds.
BESIDE: dict[str, tuple[Any, Callable[[Content, Any], None]]] = {
    "context": (shapes.Context, _add_context),
    "referral": (shapes.Referral, _add_referral),
    "ephemeral": (bool, _flag("ephemeral")),
    "is_ephemeral": (bool, _flag("ephemeral")),
}
