"""What an Official Account's webhooks hold (https://docs.zaloplatforms.com/docs/OA/webhook)."""

from msgspec import Struct


class Party(Struct, frozen=True):
    """`admin_id`: who wrote in the account's name."""

    id: str = ""
    admin_id: str = ""


class Envelope(Struct):
    """What every event has, and the ids that stand beside the message."""

    event_name: str
    timestamp: str | int = ""
    app_id: str | int = ""
    oa_id: str | int = ""
    sender: Party = Party()
    recipient: Party = Party()
    follower: Party = Party()
    user_id: str = ""
    user_id_by_app: str = ""
    group_id: str = ""
    source: str = ""
    users: list[Party] = []


class Message(Struct):
    """`conversation_id`: of a customer who has not logged in. `msg_ids`: of a receipt."""

    msg_id: str = ""
    text: str = ""
    quote_msg_id: str = ""
    conversation_id: str = ""
    msg_ids: list[str] = []
    react_icon: str = ""


class File(Struct):
    """`checksum` is MD5. `type` is the ending of the file's name."""

    url: str = ""
    thumbnail: str = ""
    name: str = ""
    size: str | int = ""
    checksum: str = ""
    type: str = ""


class Link(Struct):
    url: str = ""
    description: str = ""
    thumbnail: str = ""


class Sticker(Struct):
    url: str = ""
    id: str = ""


class Point(Struct):
    latitude: str | float
    longitude: str | float


class Location(Struct):
    coordinates: Point


class Card(Struct):
    """A contact card, as JSON in the description of a link."""

    phone: str = ""
    caption: str = ""
    qrCodeUrl: str = ""
