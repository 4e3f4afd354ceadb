"""The shapes of webhooks (https://developers.line.biz/en/reference/messaging-api/#webhooks, and
`webhook.yml` of https://github.com/line/line-openapi).

Only fields that a parser reads are here, and only those are required that it cannot do without. Nulls are
taken out before.
"""

from typing import Any

from msgspec import Raw, Struct


class Webhook(Struct):
    destination: str
    events: list[Raw]


class Source(Struct, rename="camel"):
    type: str
    user_id: str = ""
    group_id: str = ""
    room_id: str = ""


class DeliveryContext(Struct, rename="camel", frozen=True):
    is_redelivery: bool = False


class Head(Struct, rename="camel"):
    """What every event has. `timestamp`: unix ms, when it happened, also in a redelivery."""

    type: str
    timestamp: int
    webhook_event_id: str = ""
    mode: str = "active"
    source: Source | None = None
    reply_token: str = ""
    delivery_context: DeliveryContext = DeliveryContext()


class MessageHead(Struct, rename="camel"):
    id: str
    type: str
    quote_token: str = ""
    quoted_message_id: str = ""
    mark_as_read_token: str = ""


class Emoji(Struct, rename="camel"):
    index: int
    length: int
    product_id: str = ""
    emoji_id: str = ""


class Mentionee(Struct, rename="camel"):
    index: int
    length: int
    type: str = "user"
    user_id: str = ""
    is_self: bool = False


class Mention(Struct, frozen=True):
    mentionees: list[Mentionee] = []


class Text(Struct):
    text: str
    emojis: list[Emoji] = []
    mention: Mention = Mention()


class ContentProvider(Struct, rename="camel", frozen=True):
    """`external`: the content is at another host, where the app of the account has put it."""

    type: str = "line"
    original_content_url: str = ""
    preview_image_url: str = ""


class ImageSet(Struct, omit_defaults=True):
    """Images that were sent together; `index` counts from 1."""

    id: str
    index: int = 0
    total: int = 0


class File(Struct, rename="camel"):
    """Of an image, a video, audio, and any other file."""

    id: str
    content_provider: ContentProvider = ContentProvider()
    image_set: ImageSet | None = None
    duration: int | None = None  # ms
    file_name: str = ""
    file_size: int | None = None


class Location(Struct):
    latitude: float
    longitude: float
    title: str = ""
    address: str = ""


class Sticker(Struct, rename="camel"):
    package_id: str = ""
    sticker_id: str = ""
    sticker_resource_type: str = ""
    keywords: list[str] = []
    text: str = ""


class Unsend(Struct, rename="camel"):
    message_id: str


class Members(Struct):
    members: list[Source]


class Postback(Struct):
    """`params`: the time or the rich menu that was chosen."""

    data: str
    params: dict[str, Any] = {}


class Follow(Struct, rename="camel", frozen=True):
    is_unblocked: bool = False


class VideoPlayComplete(Struct, rename="camel"):
    tracking_id: str = ""
