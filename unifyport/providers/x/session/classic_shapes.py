"""Shapes of X's older direct messages in the web application, as far as the parser reads them.

Facts: https://github.com/mautrix/twitter, `data/types/messaging.go`, `data/types/event.go`,
`data/response/inbox.go`.
"""

from msgspec import Raw, Struct, field

from ..api.shapes import NULL, Entities, Id, Media, Text


class Quoted(Struct):
    id: str = ""


class Attachment(Struct):
    """One of these, by its kind; `tweet` and `card` are no files."""

    photo: Media | None = None
    video: Media | None = None
    animated_gif: Media | None = None
    tweet: Raw = NULL
    card: Raw = NULL


class MessageData(Struct):
    sender_id: Id
    text: str = ""
    time: str | int | None = None
    entities: Entities | None = None
    attachment: Attachment | None = None
    reply_data: Quoted | None = None
    edit_count: int = 0
    conversation_key_version: str | int | None = None


class Deleted(Struct):
    message_id: str = ""


class Member(Struct):
    user_id: str = ""
    last_read_event_id: str = ""


class Entry(Struct):
    """What entries of all kinds hold."""

    id: Id
    time: str | int
    conversation_id: Text
    request_id: str = ""
    sender_id: str = ""
    message_data: Raw = NULL
    message_id: str = ""  # that a reaction is to
    emoji_reaction: str = ""
    reaction_key: str = ""
    last_read_event_id: str = ""
    messages: list[Deleted] = []
    participants: list[Member] = []
    conversation_name: str = ""
    by_user_id: str = ""


class Place(Struct):
    """A conversation. `trusted`: the account has accepted it."""

    conversation_id: Text
    type: str = ""
    name: str = ""
    trusted: bool = True
    participants: list[Member] = []
    min_entry_id: str = ""


class Timeline(Struct):
    status: str = ""


class Timelines(Struct):
    trusted: Timeline = field(default_factory=Timeline)
    untrusted: Timeline = field(default_factory=Timeline)


class Page(Struct):
    """`status` of history, and of the timelines of a first state: `HAS_MORE` or `AT_END`."""

    entries: list[Raw] = []
    users: Raw = NULL
    conversations: dict[str, Raw] = {}
    cursor: str = ""
    status: str = ""
    inbox_timelines: Timelines = field(default_factory=Timelines)


class Answer(Struct):
    """Of all calls that read; `inbox_initial_state` comes for a cursor that X does not know any more."""

    inbox_initial_state: Page | None = None
    user_events: Page | None = None
    conversation_timeline: Page | None = None
