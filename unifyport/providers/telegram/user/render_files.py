"""Uploaded files -> media of the API. Pure."""

import base64
import contextlib
from collections.abc import Mapping
from typing import Any

import attrs
from telethon.tl import types

from unifyport.model.message import OutboundMedia, Voice
from unifyport.providers.contract.errors import Rejected

from ..bot.render import Request

_METHODS = {
    "sendPhoto": "photo",
    "sendVideo": "video",
    "sendAnimation": "animation",
    "sendVideoNote": "video_note",
    "sendAudio": "audio",
    "sendVoice": "voice",
    "sendDocument": "document",
    "sendSticker": "sticker",
}


def file_kind(made: Request) -> str:
    """The kind of the file of a plan, as the Bot API names it."""
    return _METHODS[made.method]


@attrs.frozen
class FileFacts:
    """What is said of a file beside its bytes."""

    kind: str
    name: str
    mime_type: str
    fields: Mapping[str, Any]
    voice: Voice | None = None


def facts_of(made: Request, message: OutboundMedia) -> FileFacts:
    return FileFacts(file_kind(made), message.name, message.mime_type, made.fields, message.voice)


def uploaded(file: Any, facts: FileFacts) -> Any:
    """The media of an uploaded file."""
    fields, spoiler = facts.fields, facts.fields.get("has_spoiler") or None
    if facts.kind == "photo":
        return types.InputMediaUploadedPhoto(file, spoiler=spoiler)
    attributes: list[Any] = [types.DocumentAttributeFilename(facts.name)] if facts.name else []
    duration, width, height = (fields.get(name) or 0 for name in ("duration", "width", "height"))
    mime_type, force = facts.mime_type or "application/octet-stream", None
    match facts.kind:
        case "video" | "animation" | "video_note":
            is_round, side = facts.kind == "video_note", fields.get("length") or 0
            streaming = fields.get("supports_streaming") or None
            size = (side, side) if is_round else (width, height)
            video = types.DocumentAttributeVideo(
                duration, *size, round_message=is_round or None, supports_streaming=streaming
            )
            attributes.append(video)
            if facts.kind == "animation":
                attributes.append(types.DocumentAttributeAnimated())
        case "audio":
            title, performer = fields.get("title"), fields.get("performer")
            attributes.append(types.DocumentAttributeAudio(duration, title=title, performer=performer))
        case "voice":
            waveform = _waveform(facts.voice)
            attributes = [types.DocumentAttributeAudio(duration, voice=True, waveform=waveform)]
            mime_type = (
                "audio/ogg" if mime_type.partition(";")[0] in ("audio/opus", "application/ogg") else mime_type
            )
        case "sticker":
            emoji = fields.get("emoji") or ""
            attributes.append(types.DocumentAttributeSticker(emoji, types.InputStickerSetEmpty()))
        case "document":
            force = fields.get("disable_content_type_detection") or None
    return types.InputMediaUploadedDocument(file, mime_type, attributes, force_file=force, spoiler=spoiler)


def _waveform(voice: Voice | None) -> bytes | None:
    """The platform's own form: 100 values of 5 bits, which a caller gives as base64."""
    if voice is None or not voice.waveform:
        return None
    with contextlib.suppress(ValueError):
        return base64.b64decode(voice.waveform, validate=True)[:100]
    raise Rejected("invalid_waveform", "the waveform is not base64")


def kept(media: Any) -> Any:
    """What names a file again that the platform has made of an upload. Raises `Rejected` for none."""
    match media:
        case types.MessageMediaPhoto(photo=types.Photo() as photo):
            id_ = types.InputPhoto(photo.id, photo.access_hash, photo.file_reference)
            return types.InputMediaPhoto(id_, spoiler=media.spoiler)
        case types.MessageMediaDocument(document=types.Document() as document):
            named = types.InputDocument(document.id, document.access_hash, document.file_reference)
            return types.InputMediaDocument(named, spoiler=media.spoiler)
    raise Rejected("file_not_accepted", "Telegram did not take a file of the album")


def external(url: str, kind: str, has_spoiler: Any) -> Any:
    """A file that the platform fetches itself."""
    make = types.InputMediaPhotoExternal if kind == "photo" else types.InputMediaDocumentExternal
    return make(url, spoiler=has_spoiler or None)
