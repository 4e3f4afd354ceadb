"""Orders of the control port: what people write in XChat, and what the platform does to sessions.

People are decimal ids; they set up XChat when they first write. `to` is the id of a person or of a group.
Messages are named by the `message_id` that an order has returned, or that a client has sent.
"""

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...order_shapes import text_of
from ..chat.shapes import ChatEvent, ChatRefusal
from .classic_orders import ClassicOrders
from .sessions import FAILURES

if TYPE_CHECKING:
    from .platform import XWebPlatform

# media.type -> X's number of the kind, name of the file
_MEDIA = {
    "image": (1, "photo.jpg"),
    "gif": (2, "animation.gif"),
    "video": (3, "video.mp4"),
    "audio": (4, "voice.m4a"),
    "file": (5, "paper.pdf"),
}
Order = Callable[[dict[str, Any]], Any]


class Orders:
    """Obeys orders by the name in their field `do`."""

    def __init__(self, platform: "XWebPlatform") -> None:
        self._platform = platform
        self._chat = platform.chat
        self._people = platform.people
        self._known: dict[str, Order] = {
            "session": self._session,
            "end_session": self._end_session,
            "fail_session": self._fail_session,
            "rotate_csrf": self._rotate_csrf,
            "retire": self._retire,
            "refuse_call": self._refuse_call,
            "refuse": self._refuse,
            "drop": self._drop,
            "repeat": self._repeat,
            "group": self._group,
            "rotate": self._rotate,
            "renew": self._renew,
            "react": self._react,
            "edit": self._edit,
            "delete": self._delete,
            "put": self._put,
            **ClassicOrders(platform.mail).words,
        }

    async def push(self, order: dict[str, Any]) -> dict[str, Any]:
        """Raises `ValueError` naming the wrong field."""
        act = self._known.get(str(order.get("do")))
        if act is None:
            raise ValueError(f"do: must be one of {', '.join(self._known)}")
        try:
            found = act(order)
            return (await found if hasattr(found, "__await__") else found) or {}
        except ChatRefusal as refusal:
            raise ValueError(f"{refusal.kind}: {refusal}") from None

    # -- people ----------------------------------------------------------------------------------------------

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{from, to, text, media, reply_to}`. `media`: `{type, content (base64), name}`."""
        sender, to = self._user(order, "from"), text_of(order, "to")
        try:
            if "media" in order:
                event = self._send_file(sender, to, order)
            else:
                quoted = self._message(order, "reply_to") if "reply_to" in order else None
                event = self._people.write(
                    sender, self._at(sender, to), text_of(order, "text"), quoted=quoted
                )
        except ChatRefusal as refusal:
            raise ValueError(f"to: {refusal.kind}") from None
        conversation = to if to.startswith("g") else sender
        return {
            "message_id": event.message_id,
            "sequence_id": str(event.sequence),
            "conversation_id": conversation,
        }

    def _send_file(self, sender: str, to: str, order: dict[str, Any]) -> ChatEvent:
        media = order["media"]
        if not isinstance(media, dict) or media.get("type") not in _MEDIA:
            raise ValueError(f"media.type: must be one of {', '.join(_MEDIA)}")
        kind, name = _MEDIA[media["type"]]
        try:
            content = base64.b64decode(str(media.get("content", "")), validate=True)
        except binascii.Error:
            raise ValueError("media.content: must be base64") from None
        text, name = str(order.get("text", "")), str(media.get("name", name))
        return self._people.send_file(sender, self._at(sender, to), text, content, kind=kind, name=name)

    def _at(self, sender: str, to: str) -> str:
        """The conversation; the other person of a pair sets up XChat, too."""
        if not to.startswith("g"):
            self._people.enrol(self._user({"to": to}, "to"))
        return self._chat.conversation(sender, to).id

    def receipt(self, order: dict[str, Any]) -> None:
        """`{user, message_id}`: the person has read up to this message."""
        event = self._message(order)
        others = self._chat.conversations[event.conversation].members - {event.sender}
        reader = self._user(order) if "user" in order else min(others)
        if order.get("status", "read") != "read":
            raise ValueError("status: X has read only")
        self._people.read(reader, event)

    def _react(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{from, message_id, emoji, removed}`."""
        event = self._people.react(
            self._user(order, "from"),
            self._message(order),
            text_of(order, "emoji"),
            removed=bool(order.get("removed")),
        )
        return _ids(event)

    def _edit(self, order: dict[str, Any]) -> dict[str, Any]:
        target = self._message(order)
        return _ids(self._people.edit(target.sender, target, text_of(order, "text")))

    def _delete(self, order: dict[str, Any]) -> dict[str, Any]:
        target = self._message(order)
        return _ids(self._people.delete(target.sender, target))

    def _group(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{name, members}`, the creator first."""
        members = order.get("members")
        if not isinstance(members, list) or len(members) < 2:
            raise ValueError("members: must name two users at least, the creator first")
        users = [self._user({"members": each}, "members") for each in members]
        return {"id": self._people.make_group(users[0], users[1:], text_of(order, "name")).id}

    def _rotate(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{from, to}`: the conversation gets a new key."""
        sender = self._user(order, "from")
        return _ids(self._people.rotate(sender, self._at(sender, text_of(order, "to"))))

    def _renew(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{user}`: the person registers other keys."""
        return {"version": str(self._people.renew(self._user(order)).version)}

    def _put(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{event}`: an event in base64, as it is, into the conversation that it names."""
        return _ids(self._chat.append(text_of(order, "event"), str(order.get("kind", "message"))))

    # -- sessions and the platform ---------------------------------------------------------------------------

    async def _session(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{user, passcode}`: log in with a browser. A passcode: the user's keys are kept in the realms."""
        user = self._user(order)
        if "passcode" in order:
            await self._people.keep_in_realms(user, text_of(order, "passcode"))
        return {"cookies": self._platform.sessions.open(user).cookies}

    def _end_session(self, order: dict[str, Any]) -> None:
        self._platform.sessions.close(self._user(order))

    def _fail_session(self, order: dict[str, Any]) -> None:
        """`{user, failure}`: every call is refused so; an empty one ends that."""
        failure = str(order.get("failure", ""))
        if failure and failure not in FAILURES:
            raise ValueError(f"failure: must be one of {', '.join(FAILURES)}")
        for session in self._platform.sessions.of(self._user(order)):
            session.failure = failure

    def _rotate_csrf(self, order: dict[str, Any]) -> None:
        """The next answer sets a new token."""
        for session in self._platform.sessions.of(self._user(order)):
            session.next_csrf = session.csrf[::-1]

    def _retire(self, order: dict[str, Any]) -> None:
        """`{name}`: X has a new query id of this name."""
        self._platform.retired.add(text_of(order, "name"))

    def _refuse_call(self, order: dict[str, Any]) -> None:
        """`{name, code}`: X answers the GraphQL calls of this name with an error."""
        self._platform.refused[text_of(order, "name")] = _number(order, "code")

    def _refuse(self, order: dict[str, Any]) -> None:
        """`{failure_type}`: the next message is answered with this number."""
        self._platform.mutations.refuse.append(_number(order, "failure_type"))

    def _drop(self, order: dict[str, Any]) -> None:
        """`{count}`: so many events are told to no socket."""
        self._platform.socket.drop += _number(order, "count")

    def _repeat(self, order: dict[str, Any]) -> None:
        """`{count}`: so many events are told two times."""
        self._platform.socket.twice += _number(order, "count")

    # -- their parts -----------------------------------------------------------------------------------------

    def _user(self, order: dict[str, Any], name: str = "user") -> str:
        user = str(order.get(name, ""))
        if not self._platform.directory.exists(user):
            raise ValueError(f"{name}: must be a decimal id that does not begin with 404")
        return user

    def _message(self, order: dict[str, Any], name: str = "message_id") -> ChatEvent:
        wanted = order.get(name)
        for place in self._chat.conversations.values():
            for event in reversed(place.events):
                if event.kind == "message" and event.message_id == wanted:
                    return event
        raise ValueError(f"{name}: there is no such message")


def _ids(event: ChatEvent) -> dict[str, Any]:
    return {"message_id": event.message_id, "sequence_id": str(event.sequence)}


def _number(order: dict[str, Any], name: str) -> int:
    value = order.get(name, 1)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: must be a number of at least 1")
    return value
