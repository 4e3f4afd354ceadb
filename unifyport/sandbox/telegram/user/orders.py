"""Orders of the control port: what phones, their owners and the platform do, by the name in `do`."""

import base64
import binascii
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from telethon.tl import types as T

from .customers import bot_id
from .directory import Channel, Person
from .errors import Refused
from .noise import Flood
from .posts import Post

if TYPE_CHECKING:
    from .platform import UserPlatform

Order = Callable[[dict[str, Any]], dict[str, Any] | None]


class Orders:
    """Obeys orders by the name in their field `do`."""

    def __init__(self, platform: "UserPlatform") -> None:
        self._platform = platform
        self._server = platform.server
        self._customers = platform.customers
        self._known: dict[str, Order] = {
            "account": self._account,
            "code": self._code,
            "scan": self._scan,
            "set_password": self._set_password,
            "delete_account": self._delete_account,
            "revoke": self._revoke,
            "flood": self._flood,
            "error": self._error,
            "gap": self._gap,
            "duplicate": self._duplicate,
            "too_long": self._too_long,
            "lose": self._lose,
            "mute": self._mute,
            "silence": self._silence,
            "cut": self._cut,
            "new_salt": self._new_salt,
            "forget_sessions": self._forget_sessions,
            "group": self._group,
            "channel": self._channel,
            "ask_to_join": self._ask_to_join,
            "read": self._read,
            "edit": self._edit,
            "delete": self._delete,
            "react": self._react,
            "typing": self._typing,
            "slices": self._slices,
            "expire_files": lambda order: self._platform.files.expire(),
        }

    def obey(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """Raises `ValueError`."""
        if (do := str(order.get("do"))) not in self._known:
            raise ValueError(f"do: must be one of {', '.join(self._known)}")
        try:
            return self._known[do](order)
        except Refused as refused:
            raise ValueError(refused.name) from None

    # -- accounts --------------------------------------------------------------------------------------------

    def _account(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{phone, name, last_name, username, password, hint, dc, contacts}`."""
        names = ("name", "last_name", "username", "password", "hint", "dc", "bot")
        given = {name: order[name] for name in names if name in order}
        if given.get("dc", 2) not in self._server.centres:
            raise ValueError("dc: there is no such data centre")
        person = self._platform.account(str(order.get("phone", "")), **given)
        for phone in order.get("contacts", []):
            other = self._customers.person(phone)
            person.contacts[other] = {"first_name": other.name, "last_name": other.last_name}
        return {"id": person.id}

    def _code(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{phone}`: the code that Telegram has sent to this number."""
        code = self._platform.logins.codes.get(str(order.get("phone", "")).lstrip("+"))
        if code is None:
            raise ValueError("phone: no code was asked for")
        if "expire" in order:
            code.expires = 0
        return {"code": code.value}

    def _scan(self, order: dict[str, Any]) -> None:
        """`{qr, phone}`: the phone accepts a QR code (`tg://login?token=…`)."""
        text = str(order.get("qr", "")).partition("token=")[2]
        try:
            token = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise ValueError("qr: is no login token") from None
        self._platform.logins.scan(token, self._customers.person(order.get("phone")))

    def _set_password(self, order: dict[str, Any]) -> None:
        person = self._customers.person(order.get("phone"))
        person.password, person.hint = order.get("password"), order.get("hint")

    def _delete_account(self, order: dict[str, Any]) -> None:
        """Its devices are told `USER_DEACTIVATED` at their next call, and are disconnected."""
        person = self._customers.person(order.get("phone"))
        person.deleted = True
        for authorization in person.authorizations:
            authorization.close()

    def _revoke(self, order: dict[str, Any]) -> None:
        """`{phone, error, code, forget}`: its sessions are ended by the owner, or the keys are forgotten."""
        person = self._customers.person(order.get("phone"))
        for authorization in self._server.authorizations_of(person):
            if order.get("forget"):
                del self._server.centres[authorization.dc].authorizations[authorization.key.id]
            else:
                error = str(order.get("error", "SESSION_REVOKED"))
                authorization.refusal = int(order.get("code", 401)), error
            authorization.close()

    # -- noise -----------------------------------------------------------------------------------------------

    def _flood(self, order: dict[str, Any]) -> None:
        """`{method, seconds, count, peer, name}`."""
        peer = self._customers.chat(order["peer"]).id if "peer" in order else None
        seconds, count = float(order.get("seconds", 1)), float(order.get("count", 1))
        name = str(order.get("name", "FLOOD_WAIT"))
        self._server.noise.floods.append(Flood(str(order["method"]), seconds, count, peer, name))

    def _error(self, order: dict[str, Any]) -> None:
        """`{method, code, name, count}`."""
        error = int(order.get("code", 400)), str(order["name"])
        count, waiting = int(order.get("count", 1)), self._server.noise.errors
        waiting.setdefault(str(order["method"]), deque()).extend([error] * count)

    def _gap(self, order: dict[str, Any]) -> None:
        """`{count}`: so many updates are not pushed."""
        self._server.noise.gaps += int(order.get("count", 1))

    def _duplicate(self, order: dict[str, Any]) -> None:
        self._server.noise.doubled += int(order.get("count", 1))

    def _lose(self, order: dict[str, Any]) -> None:
        self._server.noise.lost += int(order.get("count", 1))

    def _mute(self, order: dict[str, Any]) -> None:
        """`{method, count}`: it is executed, and not answered."""
        self._server.noise.mute[str(order["method"])] += int(order.get("count", 1))

    def _silence(self, order: dict[str, Any]) -> None:
        """`{on}`: clients hear nothing."""
        self._server.noise.silent = bool(order.get("on", True))

    def _too_long(self, order: dict[str, Any]) -> None:
        """`{phone, channel}`: `updatesTooLong`, or `updateChannelTooLong`."""
        person = self._customers.person(order.get("phone"))
        if "channel" in order:
            channel = self._customers.chat(order["channel"])
            self._platform.delivery.push(person, [T.UpdateChannelTooLong(channel.id)])
        else:
            self._platform.delivery.push_raw(person, T.UpdatesTooLong())

    def _cut(self, order: dict[str, Any]) -> None:
        """All connections are reset."""
        for link in list(self._platform.links):
            link.cut()

    def _new_salt(self, order: dict[str, Any]) -> None:
        for centre in self._server.centres.values():
            for authorization in centre.authorizations.values():
                authorization.change_salt()

    def _forget_sessions(self, order: dict[str, Any]) -> None:
        """The server knows no session any more; keys remain."""
        for centre in self._server.centres.values():
            for authorization in centre.authorizations.values():
                authorization.close()
                authorization.sessions.clear()

    def _slices(self, order: dict[str, Any]) -> None:
        """`{slice, most, channel_slice, channel_most}` of differences."""
        for name in ("slice", "most", "channel_slice", "channel_most", "timeout"):
            if name in order:
                setattr(self._platform.states, name, int(order[name]))

    # -- chats -----------------------------------------------------------------------------------------------

    def _group(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{title, phones}`: a basic group; the first makes it."""
        people = [self._customers.person(phone) for phone in order.get("phones", [])]
        return {"id": bot_id(self._platform.members.make_group(str(order.get("title", "Group")), people))}

    def _channel(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{title, phones, megagroup, forum, username}`."""
        people = [self._customers.person(phone) for phone in order.get("phones", [])]
        settings = {name: order[name] for name in ("megagroup", "forum", "username") if name in order}
        made = self._platform.members.make_channel(str(order.get("title", "Channel")), people, **settings)
        return {"id": bot_id(made)}

    def _ask_to_join(self, order: dict[str, Any]) -> None:
        """`{from, to}`: a person asks to be let into a group or channel."""
        room = self._customers.chat(order.get("to"))
        if isinstance(room, Person):
            raise ValueError("to: must be a group or channel")
        self._platform.joins.ask(room, self._customers.person(order.get("from")))

    def _post(self, order: dict[str, Any], person: Person) -> Post:
        """The message `id` of the chat `to`, as this person numbers it. Raises `ValueError`."""
        chat = self._customers.chat(order.get("to"))
        posts = chat.posts if isinstance(chat, Channel) else person.posts
        post = posts.get(int(order.get("id", 0)))
        if post is None:
            raise ValueError("id: there is no such message")
        return post

    def _read(self, order: dict[str, Any]) -> None:
        """`{from, to, id}`: the person has read the chat, up to `id`."""
        person, chat = self._customers.person(order.get("from")), self._customers.chat(order.get("to"))
        if isinstance(chat, Channel):
            self._platform.reading.read_channel(person, chat, int(order.get("id", chat.last_post)))
        else:
            self._platform.reading.read(person, chat, int(order.get("id", person.last_post)))

    def _edit(self, order: dict[str, Any]) -> None:
        """`{from, to, id, text}`."""
        post = self._post(order, self._customers.person(order.get("from")))
        post.text, post.edit_date = str(order.get("text", "")), self._server.now
        self._platform.delivery.edited(post)

    def _delete(self, order: dict[str, Any]) -> None:
        """`{from, to, id}`: for everybody."""
        person = self._customers.person(order.get("from"))
        post = self._post(order, person)
        if isinstance(post.chat, Channel):
            self._platform.changes.delete_in_channel(post.chat, [post])
        else:
            self._platform.changes.delete([post], person, everywhere=True)

    def _react(self, order: dict[str, Any]) -> None:
        """`{from, to, id, emoji}`."""
        person = self._customers.person(order.get("from"))
        given = [T.ReactionEmoji(str(order["emoji"]))] if order.get("emoji") else []
        self._platform.changes.react(self._post(order, person), person, given)

    def _typing(self, order: dict[str, Any]) -> None:
        person, chat = self._customers.person(order.get("from")), self._customers.chat(order.get("to"))
        action = T.SendMessageCancelAction() if order.get("stop") else T.SendMessageTypingAction()
        self._platform.changes.typing(person, chat, action)
