"""From the body of a send to the message, where its file is, and what it quotes.

A file is named in one of three ways, of which the first one given counts: `url`, `file_url`, `file_key`.
A URL is fetched when the message is on record and before it is sent; an upload is on the disk already.
"""

import attrs
import msgspec

from unifyport.files.outgoing import MAX_URL
from unifyport.gateway.errors import invalid
from unifyport.gateway.fields import check_id
from unifyport.gateway.remarks import Remarks
from unifyport.gateway.sends import FileSource, Quote
from unifyport.model.file_names import safe_name
from unifyport.model.json_text import UNREADABLE
from unifyport.model.message import (
    Contact,
    Email,
    OutboundContacts,
    OutboundMedia,
    OutboundMessage,
    OutboundText,
    Phone,
    Voice,
)
from unifyport.net.urls import is_url

from .. import schemas

MAX_TEXT = 65_536  # characters; platforms take less, and say so
MAX_MENTIONS = 1000
MAX_CONTACTS = 100
MAX_SECONDS = 86_400  # of a recording
MAX_FIELD = 1000  # characters of a field of a contact card
_FILE_TYPES = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "document": "document",
    "file": "document",
}


class _Recording(msgspec.Struct):
    """Audio in the form of a JSON string: a recording that is shown as one."""

    url: str
    seconds: int | None = None
    waveform: str | None = None


def read_message(body: schemas.SendMessageRequest) -> tuple[OutboundMessage, FileSource | None]:
    """The message, without a file's bytes, and where those are. Raises `UseCaseError`."""
    payload = body.message
    _length("message.text", payload.text)
    _length("message.caption", payload.caption)
    message: OutboundMessage
    source = None
    if payload.type == "text":
        message = OutboundText(body.to.id, body.to.type, payload.text or "")
    elif payload.type == "contact":
        cards = [_card(place, card) for place, card in enumerate(payload.contacts or [])]
        if not 1 <= len(cards) <= MAX_CONTACTS:
            raise invalid("message.contacts", f"1 to {MAX_CONTACTS} are required for a contact message")
        message = OutboundContacts(body.to.id, body.to.type, contacts=cards)
    else:
        source, voice, text = _file(payload)
        source = attrs.evolve(source, name=_name(payload.name))
        kind = _FILE_TYPES[payload.type]
        message = OutboundMedia(body.to.id, body.to.type, text, type=kind, voice=voice)
    message.parse_mode = _parse_mode(body)
    message.mentions = _mentions(body)
    message.provider_data = body.provider_data or {}
    return message, source


# The fields of a payload that have an effect, by the type of the message; of the sources only the first one.
_OF_A_FILE = ("caption", "text", "name")
_SOURCES = ("url", "file_url", "file_key")
_EFFECTIVE = {"text": ("text",), "contact": ("contacts",)}


def note_useless(remarks: Remarks, payload: schemas.MessagePayload) -> None:
    """Remark on fields of the payload that its type makes nothing of."""
    given = {name for name, value in attrs.asdict(payload, recurse=False).items() if value is not None}
    effective = _EFFECTIVE.get(payload.type, (*_OF_A_FILE, *_SOURCES))
    for name in sorted(given - {"type", *effective}):
        remarks.no_effect(f"message.{name}", f"has no effect on a message of type {payload.type}")
    if payload.type in _EFFECTIVE:
        return
    recording = payload.type == "audio" and (payload.text or "").startswith("{")
    sources = ["text"] * recording + [name for name in _SOURCES if getattr(payload, name)]
    for name in sources[1:]:
        remarks.no_effect(f"message.{name}", f"message.{sources[0]} names the file")
    if payload.caption and payload.text and not recording:
        remarks.no_effect("message.text", "message.caption is the caption")


def read_quote(body: schemas.SendMessageRequest) -> Quote | None:
    """The message that a reply quotes; `reply_to` counts before the older place under `provider_data`."""
    if isinstance(body.reply_to, schemas.ReplyTo):
        given = attrs.asdict(body.reply_to, filter=lambda _, value: value is not None)
        return Quote("reply_to", given)
    if body.reply_to is not None:
        return Quote("reply_to", body.reply_to)
    reply = (body.provider_data or {}).get("reply_to")
    return None if reply is None else Quote("provider_data.reply_to", reply)


def _file(payload: schemas.MessagePayload) -> tuple[FileSource, Voice | None, str]:
    """Where the file is, whether it is a recording, and its caption."""
    text = payload.caption or payload.text or ""
    if payload.type == "audio":
        for field in ("url", "text"):
            recording = _recording(f"message.{field}", getattr(payload, field))
            if recording is not None:
                if not 0 <= (recording.seconds or 0) <= MAX_SECONDS:
                    raise invalid(f"message.{field}", f"seconds: must be from 0 to {MAX_SECONDS}")
                if len(recording.waveform or "") > MAX_FIELD:
                    raise invalid(f"message.{field}", f"waveform: at most {MAX_FIELD} characters")
                url = _checked_url(f"message.{field}", recording.url)
                caption = payload.caption or ("" if field == "text" else payload.text) or ""
                return (
                    FileSource(f"message.{field}", url),
                    Voice(recording.seconds, recording.waveform),
                    caption,
                )
    for field in ("url", "file_url"):
        if value := getattr(payload, field):
            return FileSource(f"message.{field}", _checked_url(f"message.{field}", value)), None, text
    if payload.file_key:
        return FileSource("message.file_key", payload.file_key, uploaded=True), None, text
    raise invalid("message.url", f"is required for {payload.type} (or file_url, or file_key)")


def _name(name: str | None) -> str:
    """The name that the caller gives the file; empty if there is none."""
    if name is not None and (len(name) > MAX_FIELD or not safe_name(name)):
        raise invalid("message.name", f"must be a file name of at most {MAX_FIELD} characters")
    return name or ""


def _recording(field: str, value: str | None) -> _Recording | None:
    if value is None or not value.startswith("{"):
        return None
    try:
        return msgspec.json.decode(value, type=_Recording)
    except UNREADABLE:
        raise invalid(field, "as a JSON string it must hold url, and may hold seconds and waveform") from None


def _checked_url(field: str, url: str) -> str:
    if not is_url(url, MAX_URL):
        raise invalid(field, f"must be an http or https URL of at most {MAX_URL} characters")
    return url


def _card(place: int, card: schemas.ContactCard) -> Contact:
    where = f"message.contacts[{place}]"
    phones = [Phone(phone.number, phone.type or "") for phone in card.phones or []]
    emails = [Email(email.address, email.type or "") for email in card.emails or []]
    fields = {f"{where}.name": card.name, f"{where}.organization": card.organization or ""}
    fields[f"{where}.title"] = card.title or ""
    fields |= {f"{where}.phones[{n}].number": phone.number for n, phone in enumerate(phones)}
    fields |= {f"{where}.phones[{n}].type": phone.type for n, phone in enumerate(phones)}
    fields |= {f"{where}.emails[{n}].address": email.address for n, email in enumerate(emails)}
    fields |= {f"{where}.emails[{n}].type": email.type for n, email in enumerate(emails)}
    needed = ("name", "number", "address")
    for name, value in fields.items():
        empty = not value.strip() and name.endswith(needed)
        if empty or len(value) > MAX_FIELD:
            raise invalid(name, f"must be 1 to {MAX_FIELD} characters" if empty else f"at most {MAX_FIELD}")
    if len(fields) > MAX_CONTACTS:
        raise invalid(where, "has too many phones and emails")
    return Contact(card.name, phones, emails, card.organization or "", card.title or "")


def _mentions(body: schemas.SendMessageRequest) -> list[str]:
    """The ids that are mentioned; `mentions` counts before the older place under `provider_data`."""
    if body.mentions is not None:
        ids = [(f"mentions[{n}].id", mention.id) for n, mention in enumerate(body.mentions)]
    else:
        older = (body.provider_data or {}).get("mentions") or []
        if not isinstance(older, list) or not all(isinstance(each, str | dict) for each in older):
            raise invalid("provider_data.mentions", "must be a list of ids")
        named = [each.get("id") if isinstance(each, dict) else each for each in older]
        if not all(isinstance(each, str) for each in named):
            raise invalid("provider_data.mentions", "must be a list of ids")
        ids = [(f"provider_data.mentions[{n}]", str(each)) for n, each in enumerate(named)]
    if len(ids) > MAX_MENTIONS:
        raise invalid("mentions", f"at most {MAX_MENTIONS}")
    return [check_id(name, value) for name, value in ids]


def _parse_mode(body: schemas.SendMessageRequest) -> str | None:
    mode = (body.provider_data or {}).get("parse_mode")
    if mode is not None and not isinstance(mode, str):
        raise invalid("provider_data.parse_mode", "must be a string")
    return mode


def _length(field: str, text: str | None) -> None:
    if text is not None and len(text) > MAX_TEXT:
        raise invalid(field, f"must be at most {MAX_TEXT} characters")
