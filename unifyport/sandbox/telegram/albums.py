"""What `sendMediaGroup` makes of its parameters (https://core.telegram.org/bots/api#sendmediagroup)."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from unifyport.providers.telegram.bot.sent_kinds import MAX_CAPTION

from .contents import FILES, described, file_parameters
from .state import bad_request

_TYPES = ("photo", "video", "audio", "document", "live_photo")
_ALONE = {"audio", "document"}
_ATTACHED = "attach://"
_LARGEST_PHOTO, _LARGEST = 10 * 1024 * 1024, 50 * 1024 * 1024


def contents_of_album(
    media: list[Any],
    uploads: Mapping[str, tuple[bytes, str | None]],
    keep: Callable[[bytes], str],
    files: Mapping[str, bytes],
) -> list[dict[str, Any]]:
    """The content of each message. `uploads`: bytes and name, by field of the form; `files`: by `file_id`."""
    if not 2 <= len(media) <= 10:
        raise bad_request("group send requires at least 2 and at most 10 media")
    types = {item.get("type") for item in media}
    if not types <= {*_TYPES}:
        raise bad_request("can't parse InputMedia: type must be one of the known ones")
    if len(types) > 1 and types & _ALONE:
        raise bad_request("documents and audio can't be mixed with other media types")
    group = str(random.getrandbits(53))
    found = []
    for item in media:
        kind, more = item["type"], file_parameters(item["type"], item)
        source = str(item.get("media", ""))
        if source.startswith(_ATTACHED):
            content, name = _uploaded(source, uploads)
            if len(content) > (_LARGEST_PHOTO if kind == "photo" else _LARGEST):
                raise bad_request("file is too big")
            file_id = keep(content)
            if "file_name" not in FILES[kind] and name and kind in ("video", "audio", "document"):
                more["file_name"] = name
        elif source.startswith("https://") and kind != "live_photo":
            file_id = keep(b"")
        elif source in files:
            file_id = source
        else:
            raise bad_request("wrong file identifier/HTTP URL specified")
        if kind == "live_photo":
            more["photo"] = _picture(str(item.get("photo", "")), uploads, keep, files)
        shown = described(kind, file_id, len(files[file_id]), more)
        found.append({kind: shown, "media_group_id": group, **_caption(item)})
    return found


def _picture(
    source: str,
    uploads: Mapping[str, tuple[bytes, str | None]],
    keep: Callable[[bytes], str],
    files: Mapping[str, bytes],
) -> list[dict[str, Any]]:
    if source.startswith(_ATTACHED):
        source = keep(_uploaded(source, uploads)[0])
    if source not in files:
        raise bad_request("wrong file identifier/HTTP URL specified")
    picture: list[dict[str, Any]] = described("photo", source, len(files[source]), {})
    return picture


def _uploaded(source: str, uploads: Mapping[str, tuple[bytes, str | None]]) -> tuple[bytes, str | None]:
    upload = uploads.get(source.removeprefix(_ATTACHED))
    if upload is None:
        raise bad_request(f"there is no file {source!r} in the request")
    return upload


def _caption(item: dict[str, Any]) -> dict[str, Any]:
    caption = str(item.get("caption", ""))
    if len(caption) > MAX_CAPTION:
        raise bad_request("message caption is too long")
    shown = {name: item[name] for name in ("caption_entities", "has_spoiler") if item.get(name)}
    return {"caption": caption, **shown} if caption else {}
