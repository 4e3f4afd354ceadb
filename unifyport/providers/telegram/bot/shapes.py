"""The shapes of what the Bot API sends: https://core.telegram.org/bots/api#available-types, version 10.3.

Only fields that the parser reads are here, and only those are required that it cannot do without. Shapes that
are written into events (`poll`, `location`) leave out what has its default.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct

UnixTime = Annotated[int, Meta(ge=0, le=253_402_300_799)]  # seconds, until the year 9999


class User(Struct):
    id: int
    first_name: str = ""
    last_name: str = ""
    username: str = ""


class Chat(Struct):
    id: int
    type: str  # private, group, supergroup, channel
    title: str = ""
    first_name: str = ""
    last_name: str = ""
    username: str = ""


class Named(Struct):
    """A chat or a user that something names."""

    id: int
    title: str = ""
    first_name: str = ""
    last_name: str = ""
    username: str = ""


class Head(Struct, rename={"from_": "from"}):
    """What every message has beside its content."""

    message_id: int
    date: UnixTime
    chat: Chat
    from_: User | None = None
    sender_chat: Chat | None = None
    sender_business_bot: User | None = None
    edit_date: UnixTime | None = None
    business_connection_id: str | None = None
    guest_query_id: str | None = None
    message_thread_id: int | None = None
    is_topic_message: bool | None = None
    ephemeral_message_id: int | None = None


class File(Struct):
    """Document, video, audio, voice, animation, video note, sticker, live photo, or one size of a photo."""

    file_id: str
    file_size: int | None = None
    file_name: str = ""
    title: str = ""
    mime_type: str = ""
    duration: int | None = None
    emoji: str = ""
    photo: list["File"] | None = None  # of a live photo


class Media(Struct):
    """The files that an object may have beside each other, such as a block of a rich message."""

    animation: File | None = None
    live_photo: File | None = None
    video: File | None = None
    video_note: File | None = None
    audio: File | None = None
    voice: File | None = None
    voice_note: File | None = None
    sticker: File | None = None
    document: File | None = None
    photo: list[File] | None = None


class Location(Struct, omit_defaults=True):
    latitude: float
    longitude: float
    horizontal_accuracy: float | None = None
    live_period: int | None = None
    heading: int | None = None


class Venue(Struct):
    location: Location
    title: str = ""
    address: str = ""


class Contact(Struct):
    phone_number: str
    first_name: str = ""
    last_name: str = ""
    user_id: int | None = None
    vcard: str = ""


class Option(Struct, omit_defaults=True):
    text: str
    persistent_id: str = ""
    voter_count: int = 0
    media: Media | None = None


class Poll(Struct, omit_defaults=True):
    question: str
    options: list[Option]
    id: str = ""
    description: str = ""
    type: str = "regular"
    allows_multiple_answers: bool = False
    is_anonymous: bool = True
    is_closed: bool = False
    total_voter_count: int = 0
    correct_option_ids: list[int] | None = None
    explanation: str = ""
    media: Media | None = None


class Dice(Struct):
    emoji: str
    value: int


class Task(Struct, omit_defaults=True):
    id: int
    text: str
    completion_date: UnixTime = 0  # 0: not done


class Checklist(Struct):
    title: str
    tasks: list[Task]


class PaidMedia(Struct):
    star_count: int
    paid_media: list[Media] = []


class Game(Struct):
    title: str
    description: str = ""
    text: str = ""
    photo: list[File] | None = None
    animation: File | None = None


class Invoice(Struct):
    title: str
    currency: str
    total_amount: int
    description: str = ""
    start_parameter: str = ""


class Story(Struct):
    id: int
    chat: Named


class Giveaway(Struct, omit_defaults=True):
    winner_count: int
    winners_selection_date: UnixTime = 0
    chats: list[Named] = []
    prize_description: str = ""
    prize_star_count: int = 0
    premium_subscription_month_count: int = 0


class GiveawayWinners(Struct, omit_defaults=True):
    winner_count: int
    winners: list[Named] = []
    winners_selection_date: UnixTime = 0
    prize_description: str = ""
    prize_star_count: int = 0
    premium_subscription_month_count: int = 0


class WebAppData(Struct):
    data: str
    button_text: str = ""


class Rich(Struct):
    blocks: list[dict[str, Any]]


class Entity(Struct):
    """Its other fields depend on its type."""

    type: str
    offset: int
    length: int


class Topic(Struct):
    """A topic of direct messages to a channel."""

    topic_id: int


class Quote(Struct):
    text: str
    position: int = 0
    is_manual: bool = False
    entities: list[dict[str, Any]] = []


class Origin(Struct, omit_defaults=True):
    """Where a forwarded message was first sent."""

    type: str
    date: UnixTime = 0
    sender_user: Named | None = None
    sender_user_name: str = ""
    sender_chat: Named | None = None
    chat: Named | None = None
    message_id: int | None = None
    author_signature: str = ""


class Elsewhere(Struct):
    """A message of another chat that is replied to."""

    origin: Origin
    chat: Named | None = None
    message_id: int | None = None


class Pressed(Struct):
    """The message below which a button was pressed. The content may be inaccessible by then."""

    message_id: int
    chat: Chat
    business_connection_id: str | None = None
    message_thread_id: int | None = None
    reply_markup: Any = None


class CallbackQuery(Struct, rename={"from_": "from"}):
    id: str
    from_: User
    message: Pressed | None = None
    data: str | None = None
    game_short_name: str | None = None


class ReactionType(Struct):
    type: str
    emoji: str = ""
    custom_emoji_id: str = ""


class Reaction(Struct):
    chat: Chat
    message_id: int
    date: UnixTime
    new_reaction: list[ReactionType]
    user: User | None = None
    actor_chat: Chat | None = None


class Member(Struct):
    status: str
    user: User
    is_member: bool = False  # of a restricted one


class MemberUpdate(Struct, rename={"from_": "from"}):
    chat: Chat
    from_: User
    date: UnixTime
    old_chat_member: Member
    new_chat_member: Member


class JoinRequest(Struct, rename={"from_": "from"}):
    chat: Chat
    from_: User
    date: UnixTime
    invite_link: Any = None


class Deleted(Struct):
    business_connection_id: str
    chat: Chat
    message_ids: list[int]


class Vote(Struct):
    poll_id: str
    option_ids: list[int] = []
    user: User | None = None
    voter_chat: Chat | None = None


class About(Struct, rename={"from_": "from"}):
    """Who and what some other update is about, as far as it says it."""

    chat: Chat | None = None
    from_: User | None = None
    user: User | None = None
    date: UnixTime | None = None
