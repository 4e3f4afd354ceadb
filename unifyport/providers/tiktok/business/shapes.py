"""The shapes of webhooks: https://business-api.tiktok.com/portal/docs?id=1832190670631937.

Only fields that a parser reads are here. Ids may be numbers of up to 64 bits, which become text.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Struct

MAX_ID = 512  # characters
MAX_TIME = 253_402_300_799  # seconds: the last of the year 9999
Id = Annotated[str, msgspec.Meta(max_length=MAX_ID)] | int
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME * 1000)]


class Envelope(Struct):
    """`user_openid`: the business account. `content`: JSON as a string. `create_time`: seconds."""

    event: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    user_openid: Id
    content: Any = None
    create_time: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME)] | None = None


class Person(Struct, frozen=True):
    id: Id = ""


class Head(Struct, rename={"from_": "from"}):
    """Who and where. `from_` and `to` are user names; `unique_identifier` is an id of the customer."""

    from_: str = ""
    to: str = ""
    from_user: Person = Person()
    to_user: Person = Person()
    unique_identifier: Id = ""
    conversation_id: Id = ""
    timestamp: Milliseconds | None = None


class Tag(Struct, frozen=True):
    source: str = ""


class Reference(Struct, frozen=True):
    referenced_message_id: Id = ""


class PressedButton(Struct, frozen=True):
    reply_source_unique_id: Id = ""


class Message(Head):
    message_id: Id = ""
    type: Annotated[str, msgspec.Meta(max_length=128)] = ""
    message_tag: Tag = Tag()
    auto_message_type: str = ""
    referenced_message_info: Reference = Reference()
    reply_source_payload: PressedButton = PressedButton()


class Text(Struct, frozen=True):
    body: str


class Media(Struct):
    media_id: Id


class Picture(Struct):
    url: str = ""


class Post(Struct, omit_defaults=True):
    embed_url: str = ""
    video_id: Id = ""


class Button(Struct):
    text: str = ""
    title: str = ""


class Card(Struct):
    title: str = ""
    buttons: list[Button] = []


class Template(Struct):
    title: str = ""
    buttons: list[Button] = []
    elements: list[Card] = []


class Reaction(Struct):
    operation: str
    original_msg_id: Id
    emoji: str = ""
    type: str = ""
    unique_identifier: Id = ""
    timestamp: Milliseconds | None = None


class Read(Struct):
    last_read_timestamp: Milliseconds
