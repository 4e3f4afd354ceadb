"""People with Telegram on their phones, whom the sandbox plays: they write, read and react."""

import base64
import os
from typing import TYPE_CHECKING, Any

from telethon.tl import types as T

from .directory import Channel, Chat, Group, Person
from .posts import Post

if TYPE_CHECKING:
    from .platform import UserPlatform


class Customers:
    def __init__(self, platform: "UserPlatform") -> None:
        self._platform = platform
        self._server = platform.server

    def person(self, value: Any) -> Person:
        """By phone number, username or identifier. Raises `ValueError`."""
        text = str(value or "")
        directory = self._server.directory
        found = directory.by_phone(text) or directory.by_username(text)
        if found is None and text.isdigit():
            found = directory.people.get(int(text))
        if not isinstance(found, Person):
            raise ValueError(f"there is no account {text}")
        return found

    def chat(self, value: Any) -> Chat:
        """As `person`; groups and channels by the number that bots know (-5, -1005). Raises `ValueError`."""
        text = str(value or "")
        directory = self._server.directory
        found: Chat | None = None
        if text.startswith("-"):
            number = -int(text)
            found = directory.groups.get(number) or directory.channels.get(number - 1_000_000_000_000)
        elif text.startswith("@"):
            found = directory.by_username(text)
        return found if found is not None else self.person(text)

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{from, to, text}`: with `entities`, `reply_to`, `topic`, `media`, `content`, `as_channel`.

        `media`: `{type, content (base64), mime_type, filename}`. Returns the identifiers that the message has
        in the boxes, by the owner's phone number or by `channel`.
        """
        chat = self.chat(order.get("to"))
        post = self.write(
            self.person(order.get("from")),
            chat,
            str(order.get("text", "")),
            media=self.media(order["media"]) if "media" in order else None,
            date=int(order.get("date", self._server.now)),
            entities=[_entity(each) for each in order.get("entities", [])],
            grouped_id=order.get("grouped_id"),
            topic=order.get("topic"),
            reply_to=order.get("reply_to"),
        )
        return ids(post)

    def write(
        self, sender: Person, to: Chat | str, text: str = "", *, reply_to: int | None = None, **fields: Any
    ) -> Post:
        """A message; `to` may be a phone number, `reply_to` is a number of the sender's (or the channel's)
        box, `fields` are those of `Post`. Raises `ValueError`.
        """
        chat = self.person(to) if isinstance(to, str) else to
        if isinstance(chat, Group | Channel) and sender not in chat.members:
            raise ValueError("from: is not in this chat")
        author = chat if isinstance(chat, Channel) and not chat.megagroup else sender
        post = Post(author, chat, fields.pop("date", self._server.now), text, **fields)
        if reply_to is not None:
            posts = chat.posts if isinstance(chat, Channel) else sender.posts
            post.reply_to = posts.get(int(reply_to))
        self._platform.delivery.publish(post)
        return post

    def media(self, value: dict[str, Any]) -> Any:
        """Raises `ValueError`."""
        content = base64.b64decode(value.get("content", ""))
        kind = str(value.get("type"))
        if kind == "photo":
            file = self._platform.files.add(content, int(value.get("dc", 2)))
            return self._platform.files.photo(file)
        attributes = _ATTRIBUTES.get(kind)
        if attributes is None:
            raise ValueError(f"media.type: must be photo or one of {', '.join(_ATTRIBUTES)}")
        file = self._platform.files.add(content, int(value.get("dc", 2)))
        mime_type, make = attributes
        listed = make()
        if "filename" in value:
            listed.append(T.DocumentAttributeFilename(str(value["filename"])))
        return self._platform.files.document(file, str(value.get("mime_type", mime_type)), listed)

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


def _entity(value: dict[str, Any]) -> Any:
    kind = getattr(T, f"MessageEntity{value['type']}", None)
    if kind is None:
        raise ValueError("entities: there is no such type")
    return kind(**{name: each for name, each in value.items() if name != "type"})


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
