"""What a decrypted message says: its text, entities and files. `chat_xdk` gives it as plain values.

A file is encrypted with the key of its conversation, of the version of the message that names it, so both are
in its handle (https://docs.x.com/xchat/media).
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from unifyport.model.inbound import Attachment, Content, MessageType
from unifyport.model.provider_data import ANYWHERE, ProviderData, Redactions, provider_data

from ..api.kinds import mark_unsupported

# `type` of a media attachment (https://github.com/mautrix/twitter, `data/payload/thrift.go`).
IMAGE, GIF, VIDEO, AUDIO, FILE, SVG = range(1, 7)
_WORDS = {IMAGE: "IMAGE", GIF: "GIF", VIDEO: "VIDEO", AUDIO: "AUDIO", FILE: "FILE", SVG: "SVG"}
_TYPES: dict[str, MessageType] = {
    "IMAGE": "image",
    "GIF": "image",
    "VIDEO": "video",
    "AUDIO": "audio",
    "FILE": "document",
    "SVG": "document",
}
_MIME = {"IMAGE": "image/jpeg", "GIF": "image/gif", "VIDEO": "video/mp4", "SVG": "image/svg+xml"}
_ENTITIES = {
    "mention": ("mention", "@"),
    "hashtag": ("hashtag", "#"),
    "cashtag": ("cashtag", "$"),
    "url": ("url", ""),
    "email": ("email", ""),
    "phoneNumber": ("phone_number", ""),
}
_MOST = 100  # entities and files of a message
_REDACTED: Redactions = {
    ANYWHERE: frozenset(
        {"legacy_media_url_https", "legacy_media_preview_url", "media_hash_key", "media_hashes"}
    )
}


class FileHandle(msgspec.Struct, array_like=True, frozen=True):
    """A file of a conversation, and the version of the key that it is encrypted with."""

    conversation: str
    media_hash: str
    version: int


def text_content(id_: str, plain: Mapping[str, Any], conversation: str, version: int | None) -> Content:
    """Of a `Text`. `plain`: the `content` of a decrypted event. Raises what wrong shapes raise."""
    text = str(plain.get("text") or "")
    found = Content(id_, "text", text, kind="text", entities=_entities(text, plain.get("entities")))
    unknown = ""
    for each in (plain.get("attachments") or [])[:_MOST]:
        (word, value), *_ = each.items()
        match word:
            case "media":
                found.attachments.append(_file(value, conversation, version or 0))
            case "url":
                found.fields.setdefault("links", []).append(str(value.get("url") or "")[:2048])
            case "post":
                posts = found.fields.setdefault("referenced_post_ids", [])
                posts.append(str(value.get("rest_id") or "")[:64])
            case _:
                unknown = unknown or str(word)
    if found.attachments:
        kind = _kind(plain["attachments"])
        found.type, found.kind = _TYPES.get(kind, "document"), kind.lower()
    elif not text:
        links = [*found.fields.get("links", []), *found.fields.get("referenced_post_ids", [])]
        found.text = links[0] if links else ""
        if not found.text:
            mark_unsupported(found, unknown or "message")
    quoted = plain.get("replying_to_preview")
    if isinstance(quoted, Mapping) and quoted.get("replying_to_message_id"):
        found.reply_to_message_id = str(quoted["replying_to_message_id"])[:64]
    if plain.get("forwarded_message"):
        found.fields["forwarded"] = True
        if found.unsupported and (forwarded := str(plain["forwarded_message"].get("message_text") or "")):
            found.type, found.text, found.kind, found.unsupported = "text", forwarded, "text", False
    return found


def edit_content(id_: str, plain: Mapping[str, Any]) -> Content:
    """The new text of an `Edit`; `id_` is that of the message that was edited."""
    text = str(plain.get("new_text") or "")
    return Content(id_, "text", text, kind="text", entities=_entities(text, plain.get("entities")))


def unknown_content(id_: str, kind: str) -> Content:
    found = Content(id_, "unknown", "")
    mark_unsupported(found, kind)
    return found


def undecryptable(id_: str) -> Content:
    """A message that its sender has signed, and of which the account has no key."""
    return Content(id_, "unknown", "[message that cannot be decrypted]", kind="undecryptable")


def encrypted(id_: str) -> Content:
    """A message as an account without keys sees it."""
    return Content(id_, "unknown", "[encrypted message]", kind="encrypted")


def shown(plain: Mapping[str, Any]) -> ProviderData | None:
    """The decrypted event as the platform's item of our event."""
    return provider_data(dict(plain), msgspec.json.encode(plain), _REDACTED)


def _kind(attachments: list[Any]) -> str:
    for each in attachments:
        if "media" in each:
            return _word(each["media"])
    return ""


def _word(media: Mapping[str, Any]) -> str:
    kind = media.get("type")
    return _WORDS.get(kind, "FILE") if isinstance(kind, int) else str(kind or "FILE")


def _file(media: Mapping[str, Any], conversation: str, version: int) -> Attachment:
    kind, hash_ = _word(media), str(media.get("media_hash_key") or "")[:256]
    size, duration = media.get("filesize_bytes"), media.get("duration_millis")
    handle = FileHandle(conversation, hash_, version)
    return Attachment(
        str(_TYPES.get(kind, "document")),
        hash_,
        str(media.get("filename") or "")[:256],
        _MIME.get(kind, ""),
        size if isinstance(size, int) and 0 <= size < 2**53 else None,
        duration if isinstance(duration, int) and 0 < duration < 2**53 else None,
        handle=msgspec.msgpack.encode(handle),
    )


def _entities(text: str, given: Any) -> list[dict[str, Any]]:
    """Under Telegram's names, in code points. What does not fit the text is left out."""
    found = []
    for each in (given or [])[:_MOST]:
        start, end, content = each.get("start_index"), each.get("end_index"), each.get("content") or {}
        kind = next(iter(content), "")
        if kind not in _ENTITIES or not isinstance(start, int) or not isinstance(end, int):
            continue
        name, sign = _ENTITIES[kind]
        place = _placed(text, start, end, sign)
        if place is not None:
            found.append({"type": name, "offset": place[0], "length": place[1] - place[0]})
    return found


def _placed(text: str, start: int, end: int, sign: str) -> tuple[int, int] | None:
    """Where a part of the text is, in code points. It is not documented whether X counts them or UTF-16: the
    count by which the part begins with its sign is taken.
    """
    if not 0 <= start < end:
        return None
    if end <= len(text) and text.startswith(sign, start):
        return start, end
    units = text.encode("utf-16-le", "surrogatepass")
    if 2 * end > len(units):
        return None
    before = len(units[: 2 * start].decode("utf-16-le", "replace"))
    part = units[2 * start : 2 * end].decode("utf-16-le", "replace")
    return (before, before + len(part)) if part.startswith(sign) else None
