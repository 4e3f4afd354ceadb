"""Shapes of what X sends, as far as the parser reads them.

Activity events: https://docs.x.com/x-api/activity/event-payloads. The messages in them have the form of the
older Account Activity API (https://docs.x.com/x-api/account-activity/introduction); `GET /2/dm_events` has a
form of its own (https://docs.x.com/x-api/direct-messages/lookup/integrate).
"""

from typing import Annotated, Any

import msgspec
from msgspec import Raw, Struct

NULL = Raw(b"null")
# Ids are decimal numbers of up to 64 bits, as text; those of deliveries may be negative.
Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,19}$")]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


# -- activity events -----------------------------------------------------------------------------------------


class Filter(Struct):
    user_id: str = ""


class Activity(Struct):
    """`data` of an activity event. `filter.user_id`: the user whose subscription matched."""

    event_type: Text
    event_uuid: str = ""
    filter: Filter = msgspec.field(default_factory=Filter)
    payload: Raw = NULL


class Envelope(Struct):
    """A line of the stream, or a body of a webhook."""

    data: Raw = NULL
    for_user_id: str = ""  # the Account Activity API names the user here
    errors: list[Any] = []


class Revocation(Struct):
    user_id: Id
    date_time: str = ""


class Profile(Struct):
    """A user: `{"data": {…}}` in activity events, with `screen_name` in the older form."""

    name: str = ""
    username: str = ""
    screen_name: str = ""


class Entry(Struct):
    data: Profile | None = None
    name: str = ""
    screen_name: str = ""


# -- messages in activity events -----------------------------------------------------------------------------


class Target(Struct):
    recipient_id: Id


class Url(Struct):
    url: str
    expanded_url: str = ""


class Mention(Struct):
    screen_name: str = ""
    username: str = ""
    id_str: str = ""
    id: str | int | None = None


class Tag(Struct):
    text: str = ""
    tag: str = ""


class Entities(Struct):
    """Both forms: `user_mentions`, `symbols` and `text`, or `mentions`, `cashtags` and `tag`."""

    urls: list[Url] | None = None
    user_mentions: list[Mention] | None = None
    mentions: list[Mention] | None = None
    hashtags: list[Tag] | None = None
    symbols: list[Tag] | None = None
    cashtags: list[Tag] | None = None


class Variant(Struct):
    url: str = ""
    content_type: str = ""
    bitrate: int = 0
    bit_rate: int | None = None


class Video(Struct):
    variants: list[Variant] = []
    duration_millis: int | None = None


class Media(Struct):
    """A file of an activity event (a v1.1 media entity) or of `includes.media`."""

    type: str
    id_str: str = ""
    id: int | None = None
    media_key: str = ""
    media_url_https: str = ""
    media_url: str = ""
    url: str = ""  # a t.co link in the text of an activity event; the file itself in `includes.media`
    video_info: Video | None = None
    variants: list[Variant] | None = None
    duration_ms: int | None = None


class MessageAttachment(Struct):
    type: str = ""
    media: Media | None = None


class QuickReply(Struct):
    metadata: str = ""


class MessageData(Struct):
    text: str = ""
    entities: Entities | None = None
    attachment: MessageAttachment | None = None
    quick_reply_response: QuickReply | None = None


class MessageCreate(Struct):
    target: Target
    sender_id: Id
    message_data: Raw


class DirectMessage(Struct):
    id: Id
    created_timestamp: str
    message_create: MessageCreate


class Receipt(Struct):
    """`direct_message_mark_read_events`: `sender_id` has read the messages up to one."""

    sender_id: Id
    target: Target
    last_read_event_id: Id
    created_timestamp: str


# -- encrypted messages --------------------------------------------------------------------------------------


class Encrypted(Struct):
    """The payload of `chat.*`."""

    conversation_id: Text
    sender_id: Id
    id: str = ""
    created_at_msec: str | int | None = None
    encoded_event: str = ""
    conversation_key_change_event: str | None = None


# -- GET /2/dm_events ----------------------------------------------------------------------------------------


class Keys(Struct):
    media_keys: list[str] | None = None


class Referenced(Struct):
    id: Id


class DmEvent(Struct):
    id: Id
    event_type: Text
    dm_conversation_id: Text
    created_at: str
    sender_id: Id | None = None
    text: str = ""
    attachments: Keys | None = None
    entities: Entities | None = None
    referenced_posts: list[Referenced] | None = None
    referenced_tweets: list[Referenced] | None = None
    participant_ids: list[Id] | None = None


class Person(Struct):
    id: Id
    name: str = ""
    username: str = ""


class Meta(Struct):
    next_token: str | None = None


class Includes(Struct):
    users: list[Raw] = []
    media: list[Raw] = []


class Page(Struct):
    data: list[Raw] = []
    includes: Includes = msgspec.field(default_factory=Includes)
    meta: Meta = msgspec.field(default_factory=Meta)
