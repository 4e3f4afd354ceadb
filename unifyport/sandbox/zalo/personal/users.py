"""Users on their phones: what they write, what becomes of it, and what web clients have sent them.

Users are named by their id. `to` and `thread` of an order are a user's id, or `g` and a group's.
"""

import base64
from typing import Any

import msgspec

from ...order_shapes import text_of
from .mail import Mail
from .uploads import Uploads
from .world import Group, Message, Refused, User, World

# media.type -> kind of message, name of the file, MIME type
_MEDIA = {
    "image": ("chat.photo", "photo.jpg", "image/jpeg"),
    "gif": ("chat.gif", "picture.gif", "image/gif"),
    "video": ("chat.video.msg", "video.mp4", "video/mp4"),
    "voice": ("chat.voice", "voice.m4a", "audio/mp4"),
    "file": ("share.file", "paper.pdf", "application/pdf"),
}


class Users:
    def __init__(self, world: World, mail: Mail, uploads: Uploads) -> None:
        self._world = world
        self._mail = mail
        self._uploads = uploads

    def user(self, order: dict[str, Any], name: str = "user") -> User:
        found = self._world.users.get(str(order.get(name)))
        if found is None:
            raise ValueError(f"{name}: there is no such user")
        return found

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{from, to, text | media | message}`: a user writes on the phone; who is not there is added.

        `media`: `{type, content (base64), name, caption}`; `message`: `{msgType, content, ...}` as it is on
        the socket. `from`, `name`: who writes.
        """
        sender = self._world.users.get(str(order.get("from")))
        if sender is None:
            sender = self._world.add_user(str(order.get("name", "Mai")), str(order.get("from", "")))
        kind, content, said = self._written(order)
        thread = self.thread(order, "to")
        client_id = str(order.get("client_id", ""))
        try:
            message = self._mail.send(sender, thread, kind, content, client_id=client_id, said=said)
        except Refused as refused:
            raise ValueError(refused.message) from None
        conversation = f"g{thread.id}" if isinstance(thread, Group) else sender.id
        return {"message_id": message.id, "client_id": message.client_id, "conversation_id": conversation}

    def receipt(self, order: dict[str, Any]) -> None:
        """`{message_id, status, user}`: `delivered` or `read`; without a user, all receivers say so."""
        message, status = self.message(order), order.get("status")
        if status not in ("delivered", "read"):
            raise ValueError("status: must be one of delivered, read")
        for reader in [self.user(order)] if "user" in order else message.readers:
            if status == "delivered":
                self._mail.delivered(reader, message)
            else:
                self._mail.seen(reader, message)

    def sent(self) -> list[dict[str, Any]]:
        return [
            {
                "id": message.id,
                "client_id": message.client_id,
                "from": message.sender.id,
                "to": f"g{message.thread.id}" if isinstance(message.thread, Group) else message.thread.id,
                "kind": message.kind,
                "content": message.content,
                "text": message.content if isinstance(message.content, str) else message.content.get("title"),
                "fields": message.fields,
                "undone": message.undone,
            }
            for message in self._world.messages.values()
            if message.from_web
        ]

    def _written(self, order: dict[str, Any]) -> tuple[str, Any, dict[str, Any]]:
        """Kind, content, and further fields of a message."""
        if isinstance(told := order.get("message"), dict):
            said = {name: value for name, value in told.items() if name not in ("msgType", "content")}
            return str(told.get("msgType", "webchat")), told.get("content", ""), said
        if isinstance(media := order.get("media"), dict):
            if media.get("type") not in _MEDIA:
                raise ValueError(f"media.type: must be one of {', '.join(_MEDIA)}")
            kind, name, mime_type = _MEDIA[media["type"]]
            try:
                content = base64.b64decode(media["content"], validate=True)
            except (KeyError, ValueError, TypeError):
                raise ValueError("media.content: must be base64") from None
            name = str(media.get("name", name))
            url = self._uploads.keep(content, name, str(media.get("mime_type", mime_type)))
            title = name if kind == "share.file" else str(media.get("caption", ""))
            params = {"hd": url, "m4a": url, "video": url, "fileSize": str(len(content)), "duration": 3000}
            item = {"title": title, "description": "", "href": url, "thumb": url, "action": ""}
            return kind, {**item, "params": msgspec.json.encode(params).decode()}, {}
        return "webchat", text_of(order, "text"), {}

    # -- looking up ------------------------------------------------------------------------------------------

    def thread(self, order: dict[str, Any], name: str = "thread") -> User | Group:
        id_ = str(order.get(name, ""))
        found = self._world.groups.get(id_[1:]) if id_.startswith("g") else self._world.users.get(id_)
        if found is None:
            raise ValueError(f"{name}: there is no such user or group")
        return found

    def group(self, order: dict[str, Any]) -> Group:
        found = self.thread(order, "group")
        if not isinstance(found, Group):
            raise ValueError("group: must be g and a group's id")
        return found

    def message(self, order: dict[str, Any]) -> Message:
        found = self._world.messages.get(str(order.get("message_id")))
        if found is None:
            raise ValueError("message_id: there is no such message")
        return found
