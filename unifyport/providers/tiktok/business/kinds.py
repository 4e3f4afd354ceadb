"""Kinds of messages: one row of `KINDS` for each value of a message's `type`.

The field of that name has its content. A row says our type, the shape of the field, and the function that
says its text, files and typed fields. `reaction` is not among them: it changes another message
(`messages.py`). The table is compared with the documentation's list in
`tests/providers/tiktok/test_kinds.py`.
"""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import attrs
import msgspec

from unifyport.model.inbound import Attachment, MessageType

from . import shapes
from .handles import by_id, by_url

S = TypeVar("S")


@attrs.define
class Said:
    """What a message says. `fields` become fields of the message in the event."""

    text: str = ""
    files: list[Attachment] = attrs.field(factory=list)
    fields: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen
class Kind(Generic[S]):
    type: MessageType
    shape: Any  # of the field: `type[S]`
    say: Callable[[S, shapes.Message], Said]


def _media(kind: str) -> Callable[[shapes.Media, shapes.Message], Said]:
    def say(media: shapes.Media, message: shapes.Message) -> Said:
        media_id = str(media.media_id)
        place = (str(message.conversation_id), str(message.message_id))
        return Said(files=[Attachment(kind, media_id, handle=by_id(*place, media_id, kind.upper()))])

    return say


def _picture(picture: shapes.Picture, message: shapes.Message) -> Said:
    """A picture at a URL, which is its handle; the message has one, so its id is the file's."""
    if not picture.url:
        return Said()
    return Said(files=[Attachment("sticker", str(message.message_id), handle=by_url(picture.url))])


def _post(post: shapes.Post, message: shapes.Message) -> Said:
    text = post.embed_url or f"[shared post {post.video_id}]"
    return Said(text, fields={"share_post": msgspec.to_builtins(post)})


def _template(template: shapes.Template, message: shapes.Message) -> Said:
    lines = []
    for card in [*template.elements, shapes.Card(template.title, template.buttons)]:
        lines += [card.title, *(f"- {button.text or button.title}" for button in card.buttons)]
    return Said("\n".join(line for line in lines if line))


KINDS: dict[str, Kind[Any]] = {
    "text": Kind("text", shapes.Text, lambda text, _: Said(text.body)),
    "image": Kind("image", shapes.Media, _media("image")),
    "video": Kind("video", shapes.Media, _media("video")),
    "sticker": Kind("sticker", shapes.Picture, _picture),
    "emoji": Kind("sticker", shapes.Picture, _picture),
    "share_post": Kind("unknown", shapes.Post, _post),
    "template": Kind("text", shapes.Template, _template),
}
