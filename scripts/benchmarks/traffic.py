"""What a load says: the bytes of webhooks of platforms and of requests to send.

Each message has a number, which is in its text. The conversation follows from the number, and the caller
that sends it follows from the conversation: so the messages of a conversation are sent one after another, in
the order of their numbers.
"""

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable

import attrs

from .wire import post

CONVERSATIONS = 512  # a number of callers must divide it
APP_SECRET, SIGNING_SECRET = "bench-app-secret", "bench-signing-secret"
BOT_TOKEN = "42:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
_TEXT = re.compile(rb"hello (\d+)")
_TIMESTAMP = re.compile(rb"\r\nx-device-timestamp: *([^\r]+)", re.IGNORECASE)
_SIGNATURE = re.compile(rb"\r\nx-device-signature: *([^\r]+)", re.IGNORECASE)


def phone_number_id(account: int = 0) -> str:
    return str(10**14 + account)


def bot_token(account: int = 0) -> str:
    return BOT_TOKEN.replace("42:", f"{42 + account}:")


def text_of(number: int) -> str:
    return f"hello {number}"


def number_in(body: bytes) -> int | None:
    """The number of the first message in a body."""
    match = _TEXT.search(body)
    return None if match is None else int(match[1])


def customer(number: int) -> int:
    return 6590000000 + number % CONVERSATIONS


def signed(head: bytes, body: bytes) -> bool:
    """Whether a delivery has a valid `device` signature, with or without a standard time-stamp."""
    timestamp, signature = _TIMESTAMP.search(head), _SIGNATURE.search(head + b"\r\n")
    if timestamp is None or signature is None:
        return False
    expected = hmac.new(SIGNING_SECRET.encode(), timestamp[1] + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature[1].strip())


@attrs.frozen
class Door:
    """Where a platform's webhooks go: a path, and for Telegram the headers that it was told to send."""

    path: str
    headers: dict[str, str] = attrs.field(factory=dict)


def whatsapp(door: Door, number: int) -> bytes:
    """A signed webhook of WhatsApp with one text message."""
    sender = str(customer(number))
    message = {
        "from": sender,
        "id": f"wamid.{_run}.{number}",
        "timestamp": str(int(time.time())),
        "text": {"body": text_of(number)},
        "type": "text",
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "6500000000", "phone_number_id": phone_number_id()},
        "contacts": [{"profile": {"name": "A customer"}, "wa_id": sender}],
        "messages": [message],
    }
    change = {"value": value, "field": "messages"}
    entry = {"id": "1", "changes": [change]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()
    signature = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return post(door.path, body, {**door.headers, "x-hub-signature-256": f"sha256={signature}"})


def telegram(door: Door, number: int) -> bytes:
    """An update of the Telegram Bot API with one text message."""
    chat = customer(number)
    person = {"id": chat, "first_name": "A customer"}
    message = {
        "message_id": number,
        "date": int(time.time()),
        "text": text_of(number),
        "from": {**person, "is_bot": False},
        "chat": {**person, "type": "private"},
    }
    return post(door.path, json.dumps({"update_id": number, "message": message}).encode(), door.headers)


WEBHOOKS: dict[str, Callable[[Door, int], bytes]] = {"whatsapp": whatsapp, "telegram": telegram}
_run = time.time_ns()
