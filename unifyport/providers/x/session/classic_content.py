"""What a message of the older kind says, and where its files are.

A photo is at `ton.x.com/1.1/ton/data/dm/<message id>/<media id>/<name>`, for members of the conversation
only; videos and GIFs are on X's media hosts.
"""

import re

import msgspec
from msgspec import Struct

from unifyport.model.inbound import Attachment, Content
from unifyport.model.json_text import UNREADABLE

from ..api.kinds import KINDS
from ..api.media import attachment
from ..api.shapes import NULL, Media
from ..api.texts import entities_of, links_of, written
from . import classic_shapes as shapes

MARK = b"classic:"  # the beginning of handles
_OF_MESSAGE = re.compile(r"/(1\.1/ton/data/dm/[0-9]{1,19}/[0-9]{1,19}/(?![.])[A-Za-z0-9_.-]{1,256})$")


class File(Struct, array_like=True):
    """`path`: on the host of files of messages; else `url`, on a media host."""

    path: str = ""
    url: str = ""


def content_of(id_: str, data: shapes.MessageData) -> Content:
    """The content; of a kind that is not known, a text that says so."""
    attached = data.attachment or shapes.Attachment()
    files = [
        (word, media)
        for word in ("photo", "video", "animated_gif")
        if (media := getattr(attached, word)) is not None
    ]
    hidden = [media.url for _, media in files if media.url]
    found = Content(id_, "text", written(data.text, links_of(data.entities), hidden), kind="text")
    found.entities = entities_of(found.text, data.entities)
    for word, media in files:
        if (file := _file(word, media)) is not None:
            found.attachments.append(file)
            found.type, found.kind = KINDS.get(word, "unknown"), word
    if data.reply_data is not None and data.reply_data.id:
        found.reply_to_message_id = data.reply_data.id
    if not found.text and not found.attachments:
        known = (("tweet", attached.tweet), ("card", attached.card))
        kind = next((word for word, raw in known if bytes(raw) != bytes(NULL)), "message")
        found.type, found.kind, found.unsupported = "unknown", kind, True
        found.text = f"[unsupported: {kind}]"
    return found


def _file(word: str, media: Media) -> Attachment | None:
    media.type = word
    found = attachment(media)
    if found is None:
        return None
    url = msgspec.json.decode(found.handle, type=_Url).url
    place = _OF_MESSAGE.search(media.media_url_https) if word == "photo" else _OF_MESSAGE.search(url)
    file = File(place[1]) if place is not None else File("", url or media.media_url_https)
    found.handle = MARK + msgspec.msgpack.encode(file)
    return found


class _Url(Struct):
    url: str = ""


def file_of(handle: bytes) -> File | None:
    """None: it is no handle of such a file."""
    if not handle.startswith(MARK):
        return None
    try:
        return msgspec.msgpack.decode(handle.removeprefix(MARK), type=File)
    except UNREADABLE:
        return None
