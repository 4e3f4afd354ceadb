"""What the Bot Platform sends (https://bot.zaloplatforms.com/docs/webhook)."""

from msgspec import Struct, field


class From(Struct):
    """`name` and `first_name` were used before `display_name`."""

    id: str
    display_name: str = ""
    name: str = ""
    first_name: str = ""
    is_bot: bool = False

    @property
    def shown(self) -> str:
        return self.display_name or self.name or self.first_name


class Chat(Struct):
    id: str
    chat_type: str = "PRIVATE"


class Head(Struct):
    """What every message has."""

    chat: Chat
    from_: From = field(name="from")
    message_id: str = ""
    date: int | str = 0


class Body(Struct):
    """What a message says: the fields that its kind has. `url`: of a sticker's picture."""

    text: str = ""
    caption: str = ""
    photo_url: str = ""
    photo: str = ""  # until 2026
    sticker: str = ""
    url: str = ""
    voice_url: str = ""
