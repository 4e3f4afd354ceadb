"""What a direct message says: the content by the kind of its file, or its text.

`KINDS` has a row for each word that X has for a file of a message. A file of another kind, and a message
without text and file, is of type `unknown` with a text that says so.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from unifyport.model.inbound import Button, Content, MessageType

from . import shapes
from .media import TYPES, attachment
from .texts import entities_of, links_of, written

KINDS: dict[str, MessageType] = {"text": "text", **{word: kind for word, (kind, _) in TYPES.items()}}
# Fields of `message_data` that are read, or that belong to what is read.
_KNOWN = frozenset({"text", "entities", "attachment", "quick_reply", "quick_reply_response", "ctas"})


def of_activity(id_: str, raw: Raw) -> Content:
    """The content of `message_data` of an activity event. Raises `DecodeError`."""
    data = msgspec.json.decode(raw, type=shapes.MessageData)
    media = data.attachment.media if data.attachment is not None else None
    link = [media.url] if media is not None and media.url else []
    found = _content(id_, written(data.text, links_of(data.entities), link), [media] if media else [])
    found.entities = entities_of(found.text, data.entities)
    if data.quick_reply_response is not None:
        found.button = Button(data.quick_reply_response.metadata, found.text)
    if data.attachment is not None and media is None:
        mark_unsupported(found, data.attachment.type or "attachment")
    elif not found.text and not found.attachments:
        unknown = [name for name in msgspec.json.decode(raw, type=dict[str, Raw]) if name not in _KNOWN]
        mark_unsupported(found, unknown[0] if unknown else "message")
    return found


def of_event(event: shapes.DmEvent, media: Sequence[shapes.Media], missing: Sequence[str]) -> Content:
    """The content of a `MessageCreate` of `GET /2/dm_events`. `missing`: keys of files that it does not
    describe.
    """
    links = links_of(event.entities)
    # A file is a t.co link in the text, too; X shows it as a page of the conversation.
    files = [short for short, long in links.items() if media and _is_of_message(long)]
    found = _content(event.id, written(event.text, links, files), media)
    found.entities = entities_of(found.text, event.entities)
    posts = event.referenced_posts or event.referenced_tweets or []
    if posts:
        found.fields["referenced_post_ids"] = [post.id for post in posts]
    if missing and not found.attachments:
        found.fields["media_keys"] = list(missing)
        mark_unsupported(found, "media")
    elif not found.text and not found.attachments:
        mark_unsupported(found, "message")
    return found


def _content(id_: str, text: str, media: Sequence[shapes.Media]) -> Content:
    files = [(each.type, attachment(each)) for each in media]
    known: list[Any] = [file for _, file in files if file is not None]
    unknown = [word for word, file in files if file is None]
    kind = media[0].type if known else "text"
    found = Content(id_, KINDS.get(kind, "text"), text, known, kind=kind)
    if unknown and not known:
        mark_unsupported(found, unknown[0])
    return found


def mark_unsupported(content: Content, kind: str) -> None:
    """Say that it is of a kind that is not known; a text that it has stays."""
    content.type, content.kind, content.unsupported = "unknown", kind[:64], True
    content.text = content.text or f"[unsupported: {kind[:64]}]"


def _is_of_message(url: str) -> bool:
    return "/messages/media/" in url or "/dm/" in url
