"""What orders of the control port consist of: https://core.telegram.org/methods names the methods."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Phone = Annotated[str, Meta(pattern=r"^\+?[0-9]{1,20}$")]
Named = int | str  # a phone number, a username or an identifier; of chats also the number that bots know
Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Int32 = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Error = Annotated[str, Meta(pattern="^[A-Z][A-Z0-9_]*$")]
MediaType = Literal["photo", "document", "voice", "audio", "video", "round", "animation", "sticker"]


class Shape(Struct, forbid_unknown_fields=True, kw_only=True):
    """The fields of an order besides `do`."""


class Nothing(Shape):
    pass


# -- accounts ------------------------------------------------------------------------------------------------


class Account(Shape):
    phone: Phone
    name: str = ""
    last_name: str = ""
    username: Text | None = None
    password: Text | None = None
    hint: str | None = None
    dc: int = 2
    bot: bool = False
    contacts: list[Named] = []


class Owner(Shape):
    phone: Named


class AskedCode(Shape):
    phone: Phone
    expire: bool = False


class Scan(Shape):
    qr: Annotated[str, Meta(pattern="token=")]
    phone: Named


class Password(Shape):
    phone: Named
    password: Text | None = None
    hint: str | None = None


class Revocation(Shape):
    phone: Named
    error: Error = "SESSION_REVOKED"
    code: Int32 = 401
    forget: bool = False


# -- noise ---------------------------------------------------------------------------------------------------


class Flood(Shape):
    method: str
    seconds: Seconds = 1
    count: Count = 1
    peer: Named | None = None
    name: Error = "FLOOD_WAIT"


class Failure(Shape):
    method: str
    name: Error
    code: Int32 = 400
    count: Count = 1


class Muted(Shape):
    method: str
    count: Count = 1


class HowMany(Shape):
    count: Count = 1


class Silence(Shape):
    on: bool = True


class TooLong(Shape):
    phone: Named
    channel: Named | None = None


class Slices(Shape):
    slice: Count | None = None
    most: Count | None = None
    channel_slice: Count | None = None
    channel_most: Count | None = None
    timeout: Int32 | None = None


# -- chats ---------------------------------------------------------------------------------------------------


class NewGroup(Shape):
    phones: Annotated[list[Named], Meta(min_length=1)]
    title: Text = "Group"


class NewChannel(Shape):
    phones: Annotated[list[Named], Meta(min_length=1)]
    title: Text = "Channel"
    megagroup: bool = False
    forum: bool = False
    username: Text | None = None


class InChat(Shape):
    from_: Named = field(name="from")
    to: Named


class Reading(InChat):
    id: Int32 | None = None


class OfMessage(InChat):
    id: Int32


class Edit(OfMessage):
    text: Text


class Reaction(OfMessage):
    emoji: str = ""


class Typing(InChat):
    stop: bool = False


# -- messages ------------------------------------------------------------------------------------------------


class File(Shape):
    """`content` is base64."""

    type: MediaType
    content: bytes = b""
    mime_type: Text | None = None
    filename: Text | None = None
    dc: int = 2


class Message(InChat):
    """`entities`: constructors `messageEntity…` by their `type`, with their fields."""

    text: str = ""
    entities: list[dict[str, Any]] = []
    media: File | None = None
    reply_to: Int32 | None = None
    topic: Int32 | None = None
    grouped_id: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    date: Int32 | None = None
