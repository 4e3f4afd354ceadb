"""Files of direct messages -> attachments, and the handle by which a file can be downloaded.

A photo of a message is at `…/dm/<message id>/<media id>/<name>`, which only members of the conversation may
read: `GET /2/dm_conversations/media/{dm_id}/{media_id}/{resource_id}`
(https://docs.x.com/x-api/direct-messages/download-dm-media). Videos and GIFs (which X keeps as MP4) are on
its media hosts.
"""

import re
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from unifyport.model.inbound import Attachment, MessageType

from .shapes import Media, Variant

# X's word -> our type, and the type of the file where X does not say it.
TYPES: dict[str, tuple[MessageType, str]] = {
    "photo": ("image", "image/jpeg"),
    "animated_gif": ("video", "video/mp4"),
    "video": ("video", "video/mp4"),
}
_OF_MESSAGE = re.compile(r"/dm/([0-9]{1,19})/([0-9]{1,19})/([A-Za-z0-9_.-]{1,256})")
_MIME = {"png": "image/png", "webp": "image/webp", "gif": "image/gif"}


class Handle(Struct, omit_defaults=True):
    """Either the three ids of a file of a message, or a URL on a media host."""

    dm: str = ""
    media: str = ""
    resource: str = ""
    url: str = ""


def attachment(media: Media) -> Attachment | None:
    """None: a kind of file that is not known."""
    if media.type not in TYPES:
        return None
    kind, mime_type = TYPES[media.type]
    best = _best(media)
    url = best.url if best is not None else (media.media_url_https or media.media_url or media.url)
    if best is not None and best.content_type:
        mime_type = best.content_type
    elif kind == "image":
        mime_type = _MIME.get(_path(url).rpartition(".")[2].lower(), mime_type)
    handle = handle_of(url)
    id_ = media.id_str or media.media_key or str(media.id or "") or handle.media
    duration = media.duration_ms
    if duration is None and media.video_info is not None:
        duration = media.video_info.duration_millis
    return Attachment(
        str(kind),
        id_,
        handle.resource,
        mime_type,
        duration_ms=duration or None,
        handle=msgspec.json.encode(handle),
    )


def handle_of(url: str) -> Handle:
    parts = _OF_MESSAGE.search(_path(url))
    return Handle(parts[1], parts[2], parts[3]) if parts is not None else Handle(url=url[:2048])


def _best(media: Media) -> Variant | None:
    """The MP4 with the highest rate; None: it is no video."""
    variants = [*(media.variants or ())] + (media.video_info.variants if media.video_info else [])
    files = [each for each in variants if each.url and each.content_type in ("video/mp4", "")]
    return max(files, key=lambda each: each.bitrate or each.bit_rate or 0, default=None)


def _path(url: str) -> str:
    """Empty if it is no URL."""
    try:
        return urlsplit(url).path
    except ValueError:
        return ""
