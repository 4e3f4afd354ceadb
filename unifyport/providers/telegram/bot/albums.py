"""Albums: 2 to 10 files that are shown together (https://core.telegram.org/bots/api#sendmediagroup).

A file of an album is one that Telegram has or fetches (`media`: a file_id or an https URL), or one that the
gateway uploads with the message: an upload (`file_key`), or a file that it fetches (`url`). The last two are
parts of the form, which `media` names as `attach://<part>`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from unifyport.model.message import OutboundMessage, OutboundText
from unifyport.net.urls import is_url
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.contract.fields import NamedFile, fits, invalid

from .field_types import check_kinds
from .marks import entities_of, parse_mode_of
from .sent_kinds import MAX_CAPTION

FIELD = "album"
METHOD = "sendMediaGroup"
SIZES = (2, 10)
MAX_NAME = 1000
MAX_URL = 4096
_OF_EACH = frozenset(
    ("type", "media", "file_key", "url", "name", "caption", "parse_mode", "caption_entities")
)
_SHOWN = ("show_caption_above_media", "has_spoiler")
# Type -> further fields, as the Bot API has them in https://core.telegram.org/bots/api#inputmedia.
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "photo": _SHOWN,
    "video": (*_SHOWN, "width", "height", "duration", "supports_streaming", "start_timestamp", "cover"),
    "audio": ("duration", "performer", "title"),
    "document": ("disable_content_type_detection",),
    "live_photo": (*_SHOWN, "photo", "photo_file_key", "photo_url"),
}
# Type -> our type of a message, whose limit of size counts.
_KINDS = {"photo": "image", "video": "video", "audio": "audio", "document": "document", "live_photo": "video"}
_ALONE = frozenset({"audio", "document"})  # types that are not mixed with others
# Parameter with a file -> prefix of the fields that name one to upload.
_SOURCES = {"media": "", "photo": "photo_"}


def render_album(items: list[Any], caption: str, mark_up: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The `media` of the request. `caption`, with its `mark_up`, is that of the first file.

    Raises `Rejected`.
    """
    least, most = SIZES
    if not least <= len(items) <= most:
        raise invalid(FIELD, f"must have {least} to {most} files")
    rendered = [_render(place, item) for place, item in enumerate(items)]
    types = {item["type"] for item in rendered}
    if len(types) > 1 and types & _ALONE:
        raise invalid(FIELD, "audio and documents are not mixed with other types")
    if caption:
        if rendered[0].get("caption"):
            raise invalid(f"{FIELD}[0].caption", "there is a message.text, too")
        if len(caption) > MAX_CAPTION and "parse_mode" not in mark_up:
            raise Rejected(
                "caption_too_long", f"Telegram takes at most {MAX_CAPTION} characters of a caption"
            )
        rendered[0] |= {"caption": caption, **mark_up}
    elif mark_up:
        raise invalid(next(iter(mark_up)).removeprefix("caption_"), "there is no message.text")
    return rendered


def album_files(message: OutboundMessage) -> list[NamedFile]:
    """The files that go with the message as parts of its form. The album is one that `render_album` takes."""
    if not isinstance(message, OutboundText):
        return []
    return [
        file
        for place, item in enumerate(message.provider_data.get(FIELD) or ())
        for file in _files_of(place, item)
    ]


def _files_of(place: int, item: Mapping[str, Any]) -> Iterator[NamedFile]:
    where = f"{FIELD}[{place}]"
    for parameter, prefix in _SOURCES.items():
        kind = _KINDS[item["type"]] if parameter == "media" else "image"
        name = item.get("name", "") if parameter == "media" else ""
        for field, uploaded in ((f"{prefix}file_key", True), (f"{prefix}url", False)):
            if field in item:
                part = _part(place, parameter)
                yield NamedFile(part, f"{where}.{field}", item[field], uploaded, kind, name)


def _part(place: int, parameter: str) -> str:
    return f"{parameter}{place}"


def _render(place: int, item: Any) -> dict[str, Any]:
    """One file of the album as an `InputMedia`."""
    where = f"{FIELD}[{place}]"
    if not isinstance(item, dict) or not isinstance(item.get("type"), str) or item["type"] not in _FIELDS:
        raise invalid(f"{where}.type", f"must be one of {', '.join(_FIELDS)}")
    item = {name: value for name, value in item.items() if value is not None}
    unknown = sorted(item.keys() - _OF_EACH - {*_FIELDS[item["type"]]})
    if unknown:
        raise invalid(f"{where}.{unknown[0][:100]}", f"has no effect on {item['type']}")
    check_kinds(where, item)
    if "name" in item and not fits(item["name"], MAX_NAME):
        raise invalid(f"{where}.name", f"must be a file name of at most {MAX_NAME} characters")
    live = item["type"] == "live_photo"
    for parameter in ("media", "photo") if live else ("media",):
        item |= {parameter: _source(where, item, parameter, place, by_url=not live)}
    rendered = {n: v for n, v in item.items() if n == "type" or n == "media" or n in _FIELDS[item["type"]]}
    for name in ("photo_file_key", "photo_url"):
        rendered.pop(name, None)
    return rendered | _caption(where, item)


def _source(where: str, item: Mapping[str, Any], parameter: str, place: int, *, by_url: bool) -> str:
    """What the parameter says: a file that Telegram has or fetches, or the part of the form."""
    prefix = _SOURCES[parameter]
    names = (parameter, f"{prefix}file_key", f"{prefix}url")
    given = [name for name in names if name in item]
    if len(given) != 1:
        raise invalid(f"{where}.{given[1] if given else parameter}", f"needs one of {', '.join(names)}")
    [name] = given
    value = item[name]
    if name != parameter:
        if not isinstance(value, str) or not value or (name.endswith("url") and not is_url(value, MAX_URL)):
            raise invalid(f"{where}.{name}", "must be the key of an upload, or an http or https URL")
        return f"attach://{_part(place, parameter)}"
    plain = isinstance(value, str) and value and not value.startswith(("attach:", "http:", "file:"))
    if not plain or (value.startswith("https:") and not by_url):
        raise invalid(
            f"{where}.{name}", "must be an https URL or a file_id" if by_url else "must be a file_id"
        )
    return str(value)


def _caption(where: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """The caption of one file with its mark-up; offsets of entities are in code points, as in events."""
    caption, mode, entities = (item.get(name) for name in ("caption", "parse_mode", "caption_entities"))
    if not caption:
        if mode or entities:
            raise invalid(f"{where}.{'parse_mode' if mode else 'caption_entities'}", "there is no caption")
        return {}
    if not isinstance(caption, str) or (len(caption) > MAX_CAPTION and not mode):
        raise invalid(f"{where}.caption", f"must be at most {MAX_CAPTION} characters")
    if mode and entities:
        raise invalid(f"{where}.caption_entities", "there is a parse_mode, too")
    if mode:
        return {"caption": caption, "parse_mode": parse_mode_of(str(mode))}
    if not isinstance(entities or [], list):
        raise invalid(f"{where}.caption_entities", "must be a list")
    marked = (
        {"caption_entities": entities_of(f"{where}.caption_entities", caption, entities)} if entities else {}
    )
    return {"caption": caption, **marked}
