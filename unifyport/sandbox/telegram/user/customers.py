"""People with Telegram on their phones, whom the sandbox plays: they write, read and react."""

import inspect
import os
import struct
from typing import TYPE_CHECKING, Any

from telethon.tl import types as T

from ...order_shapes import read
from . import order_shapes as shapes
from .cdn import CDN
from .directory import Channel, Chat, Group, Person
from .posts import Post

if TYPE_CHECKING:
    from .platform import UserPlatform


class Customers:
    def __init__(self, platform: "UserPlatform") -> None:
        self._platform = platform
        self._server = platform.server

    def person(self, value: Any, field: str = "phone") -> Person:
        """By phone number, username or identifier. Raises `ValueError` naming `field`."""
        text = str(value or "")
        directory = self._server.directory
        found = directory.by_phone(text) or directory.by_username(text)
        if found is None and text.isdecimal():
            found = directory.people.get(int(text))
        if not isinstance(found, Person):
            raise ValueError(f"{field}: there is no account {text}")
        return found

    def chat(self, value: Any, field: str = "to") -> Chat:
        """As `person`; groups and channels by the number that bots know (-5, -1005)."""
        text = str(value or "")
        directory = self._server.directory
        found: Chat | None = None
        if text[:1] == "-" and text[1:].isdecimal():
            number = -int(text)
            found = directory.groups.get(number) or directory.channels.get(number - 1_000_000_000_000)
        elif text.startswith("@"):
            found = directory.by_username(text)
        return found if found is not None else self.person(text, field)

    def in_chat(self, order: shapes.InChat) -> tuple[Person, Chat]:
        """The person `from`, and the chat `to`, which the person is in. Raises `ValueError`."""
        person, chat = self.person(order.from_, "from"), self.chat(order.to, "to")
        if isinstance(chat, Group | Channel) and person not in chat.members:
            raise ValueError("from: is not in this chat")
        return person, chat

    def post(self, person: Person, chat: Chat, number: int, field: str) -> Post:
        """A message, as the person numbers it. Raises `ValueError`."""
        found = (chat.posts if isinstance(chat, Channel) else person.posts).get(number)
        if found is None or found.is_gone_for(person) or found.chat_for(person) is not chat:
            raise ValueError(f"{field}: there is no such message in this chat")
        return found

    def check_username(self, username: str | None) -> None:
        """Raises `ValueError`."""
        if username is not None and self._server.directory.by_username(username) is not None:
            raise ValueError("username: is taken")

    def check_data_centre(self, dc: int, field: str) -> None:
        """Raises `ValueError`."""
        if dc not in self._server.centres or dc == CDN:
            raise ValueError(f"{field}: there is no such data centre")

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A person writes from a phone: a `Message`. Returns the identifiers that the message has in the
        boxes, by the owner's phone number or by `channel`. Raises `ValueError` naming the wrong field.
        """
        said = read(order, shapes.Message)
        sender, chat = self.in_chat(said)
        if said.reply_to is not None:
            self.post(sender, chat, said.reply_to, "reply_to")
        if said.topic is not None:
            if not isinstance(chat, Channel) or not chat.forum:
                raise ValueError("topic: this chat has no topics")
            self.post(sender, chat, said.topic, "topic")
        post = self.write(
            sender,
            chat,
            said.text,
            date=self._server.now if said.date is None else said.date,
            entities=[_entity(each, said.text) for each in said.entities],
            grouped_id=said.grouped_id,
            topic=said.topic,
            reply_to=said.reply_to,
            media=None if said.media is None else self.media(said.media),  # last: it adds a file
        )
        return ids(post)

    def write(
        self, sender: Person, to: Chat | str, text: str = "", *, reply_to: int | None = None, **fields: Any
    ) -> Post:
        """A message; `to` may be a phone number, `reply_to` is a number of the sender's (or the channel's)
        box, `fields` are those of `Post`. Raises `ValueError`.
        """
        chat = self.person(to, "to") if isinstance(to, str) else to
        if isinstance(chat, Group | Channel) and sender not in chat.members:
            raise ValueError("from: is not in this chat")
        author = chat if isinstance(chat, Channel) and not chat.megagroup else sender
        post = Post(author, chat, fields.pop("date", self._server.now), text, **fields)
        if reply_to is not None:
            posts = chat.posts if isinstance(chat, Channel) else sender.posts
            post.reply_to = posts.get(int(reply_to))
        self._platform.delivery.publish(post)
        return post

    def media(self, told: shapes.File) -> Any:
        """Raises `ValueError`."""
        self.check_data_centre(told.dc, "media.dc")
        file = self._platform.files.add(told.content, told.dc)
        if told.type == "photo":
            return self._platform.files.photo(file)
        mime_type, make = _ATTRIBUTES[told.type]
        listed = make()
        if told.filename is not None:
            listed.append(T.DocumentAttributeFilename(told.filename))
        return self._platform.files.document(file, told.mime_type or mime_type, listed)

    def sent(self) -> list[dict[str, Any]]:
        """What clients sent."""
        return [
            {"from": person.phone, "to": bot_id(post.chat), "text": post.text, **ids(post)}
            for person in self._server.directory.people.values()
            for post in person.sent.values()
        ]


def ids(post: Post) -> dict[str, Any]:
    """The identifiers of a message, by whose box it is in."""
    return {
        "ids": {
            owner.phone if isinstance(owner, Person) else "channel": number
            for owner, number in post.numbers.items()
        }
    }


def bot_id(chat: Chat) -> int:
    """The number that bots know a chat by."""
    if isinstance(chat, Person):
        return chat.id
    return -chat.id if isinstance(chat, Group) else -1_000_000_000_000 - chat.id


def _entity(told: dict[str, Any], text: str) -> Any:
    """Raises `ValueError`."""
    given = dict(told)
    kind = getattr(T, f"MessageEntity{given.pop('type', '')}", None)
    if kind is None:
        raise ValueError("entities: there is no such type")
    try:
        entity = kind(**given)
        bytes(entity)
    except (TypeError, ValueError, AttributeError, struct.error):
        names = ", ".join(inspect.signature(kind).parameters)
        raise ValueError(f"entities: {kind.__name__} takes {names}") from None
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if entity.offset < 0 or entity.length < 1 or entity.offset + entity.length > units:
        raise ValueError("entities: offset and length must be within the text, in UTF-16 units")
    return entity


_ATTRIBUTES: dict[str, tuple[str, Any]] = {
    "document": ("application/octet-stream", list),
    "voice": (
        "audio/ogg",
        lambda: [T.DocumentAttributeAudio(3, voice=True, waveform=os.urandom(63))],
    ),
    "audio": ("audio/mpeg", lambda: [T.DocumentAttributeAudio(180, title="Song", performer="Band")]),
    "video": ("video/mp4", lambda: [T.DocumentAttributeVideo(10, 640, 480, supports_streaming=True)]),
    "round": ("video/mp4", lambda: [T.DocumentAttributeVideo(10, 240, 240, round_message=True)]),
    "animation": (
        "video/mp4",
        lambda: [T.DocumentAttributeVideo(3, 320, 240, nosound=True), T.DocumentAttributeAnimated()],
    ),
    "sticker": (
        "image/webp",
        lambda: [
            T.DocumentAttributeImageSize(512, 512),
            T.DocumentAttributeSticker("\N{SMILING FACE WITH SUNGLASSES}", T.InputStickerSetEmpty()),
        ],
    ),
}
