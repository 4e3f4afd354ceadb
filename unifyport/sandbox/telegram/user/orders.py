"""Orders of the control port: what phones, their owners and the platform do, by the name in `do`.

An order is read and checked as a whole before anything changes.
"""

import base64
import binascii
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from telethon.tl import types as T

from ...order_shapes import read
from . import noise
from . import order_shapes as shapes
from .chat_orders import ChatOrders
from .directory import Channel, Person
from .errors import refusing
from .server import method_name

if TYPE_CHECKING:
    from .platform import UserPlatform

Answer = dict[str, Any] | None
Order = Callable[[dict[str, Any]], Answer]
Shape = TypeVar("Shape")


class Orders:
    """Obeys orders by the name in their field `do`."""

    def __init__(self, platform: "UserPlatform") -> None:
        self._platform = platform
        self._server = platform.server
        self._customers = platform.customers
        chats = ChatOrders(platform)
        self._known: dict[str, Order] = {
            "account": _order(shapes.Account, self._account),
            "code": _order(shapes.AskedCode, self._code),
            "scan": _order(shapes.Scan, self._scan),
            "set_password": _order(shapes.Password, self._set_password),
            "delete_account": _order(shapes.Owner, self._delete_account),
            "revoke": _order(shapes.Revocation, self._revoke),
            "flood": _order(shapes.Flood, self._flood),
            "error": _order(shapes.Failure, self._error),
            "gap": _order(shapes.HowMany, self._gap),
            "duplicate": _order(shapes.HowMany, self._duplicate),
            "too_long": _order(shapes.TooLong, self._too_long),
            "lose": _order(shapes.HowMany, self._lose),
            "mute": _order(shapes.Muted, self._mute),
            "silence": _order(shapes.Silence, self._silence),
            "cut": _order(shapes.Nothing, self._cut),
            "new_salt": _order(shapes.Nothing, self._new_salt),
            "forget_sessions": _order(shapes.Nothing, self._forget_sessions),
            "group": _order(shapes.NewGroup, chats.group),
            "channel": _order(shapes.NewChannel, chats.channel),
            "ask_to_join": _order(shapes.InChat, chats.ask_to_join),
            "read": _order(shapes.Reading, chats.read),
            "edit": _order(shapes.Edit, chats.edit),
            "delete": _order(shapes.OfMessage, chats.delete),
            "react": _order(shapes.Reaction, chats.react),
            "typing": _order(shapes.Typing, chats.typing),
            "slices": _order(shapes.Slices, self._slices),
            "expire_files": _order(shapes.Nothing, lambda order: platform.files.expire()),
        }

    def obey(self, order: dict[str, Any]) -> Answer:
        """Raises `ValueError` naming the wrong field; nothing has changed then."""
        do = order.get("do")
        if not isinstance(do, str) or do not in self._known:
            raise ValueError(f"do: must be one of {', '.join(self._known)}")
        return self._known[do]({name: value for name, value in order.items() if name != "do"})

    # -- accounts --------------------------------------------------------------------------------------------

    def _account(self, order: shapes.Account) -> dict[str, Any]:
        contacts = [self._customers.person(each, "contacts") for each in order.contacts]
        self._customers.check_data_centre(order.dc, "dc")
        self._customers.check_username(order.username)
        person = self._platform.account(
            order.phone,
            order.name,
            last_name=order.last_name,
            username=order.username,
            password=order.password,
            hint=order.hint,
            dc=order.dc,
            bot=order.bot,
        )
        for other in contacts:
            person.contacts[other] = {"first_name": other.name, "last_name": other.last_name}
        return {"id": person.id}

    def _code(self, order: shapes.AskedCode) -> dict[str, Any]:
        """The code that Telegram has sent to this number."""
        code = self._platform.logins.codes.get(order.phone.lstrip("+"))
        if code is None:
            raise ValueError("phone: no code was asked for")
        if order.expire:
            code.expires = 0
        return {"code": code.value}

    def _scan(self, order: shapes.Scan) -> None:
        """The phone accepts a QR code (`tg://login?token=…`)."""
        person = self._person(order)
        text = order.qr.partition("token=")[2]
        try:
            token = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raise ValueError("qr: is no login token") from None
        with refusing("qr"):
            self._platform.logins.scan(token, person)

    def _set_password(self, order: shapes.Password) -> None:
        person = self._person(order)
        person.password, person.hint = order.password, order.hint

    def _delete_account(self, order: shapes.Owner) -> None:
        """Its devices are told `USER_DEACTIVATED` at their next call, and are disconnected."""
        person = self._person(order)
        person.deleted = True
        for authorization in person.authorizations:
            authorization.close()

    def _revoke(self, order: shapes.Revocation) -> None:
        """The account's sessions are ended by the owner, or the keys are forgotten."""
        for authorization in self._server.authorizations_of(self._person(order)):
            if order.forget:
                del self._server.centres[authorization.dc].authorizations[authorization.key.id]
            else:
                authorization.refusal = order.code, order.error
            authorization.close()

    def _person(
        self, order: shapes.Owner | shapes.Scan | shapes.Password | shapes.Revocation | shapes.TooLong
    ) -> Person:
        return self._customers.person(order.phone, "phone")

    # -- noise -----------------------------------------------------------------------------------------------

    def _flood(self, order: shapes.Flood) -> None:
        method = self._method(order.method)
        peer = None if order.peer is None else self._customers.chat(order.peer, "peer").id
        flood = noise.Flood(method, order.seconds, order.count, peer, order.name)
        self._server.noise.floods.append(flood)

    def _error(self, order: shapes.Failure) -> None:
        waiting = self._server.noise.errors.setdefault(self._method(order.method), deque())
        waiting.extend([(order.code, order.name)] * order.count)

    def _gap(self, order: shapes.HowMany) -> None:
        """So many updates are not pushed."""
        self._server.noise.gaps += order.count

    def _duplicate(self, order: shapes.HowMany) -> None:
        self._server.noise.doubled += order.count

    def _lose(self, order: shapes.HowMany) -> None:
        self._server.noise.lost += order.count

    def _mute(self, order: shapes.Muted) -> None:
        """The method is executed, and not answered."""
        self._server.noise.mute[self._method(order.method)] += order.count

    def _method(self, name: str) -> str:
        if name not in map(method_name, self._server.handlers):
            raise ValueError("method: the sandbox does not have it")
        return name

    def _silence(self, order: shapes.Silence) -> None:
        """Clients hear nothing."""
        self._server.noise.silent = order.on

    def _too_long(self, order: shapes.TooLong) -> None:
        """`updatesTooLong`, or `updateChannelTooLong`."""
        person = self._person(order)
        if order.channel is None:
            self._platform.delivery.push_raw(person, T.UpdatesTooLong())
            return
        channel = self._customers.chat(order.channel, "channel")
        if not isinstance(channel, Channel):
            raise ValueError("channel: must be a channel or supergroup")
        self._platform.delivery.push(person, [T.UpdateChannelTooLong(channel.id)])

    def _cut(self, order: shapes.Nothing) -> None:
        """All connections are reset."""
        for link in list(self._platform.links):
            link.cut()

    def _new_salt(self, order: shapes.Nothing) -> None:
        for centre in self._server.centres.values():
            for authorization in centre.authorizations.values():
                authorization.change_salt()

    def _forget_sessions(self, order: shapes.Nothing) -> None:
        """The server knows no session any more; keys remain."""
        for centre in self._server.centres.values():
            for authorization in centre.authorizations.values():
                authorization.close()
                authorization.sessions.clear()

    def _slices(self, order: shapes.Slices) -> None:
        """Of differences."""
        for name in order.__struct_fields__:
            if (value := getattr(order, name)) is not None:
                setattr(self._platform.states, name, value)


def _order(shape: type[Shape], act: Callable[[Shape], Answer]) -> Order:
    return lambda order: act(read(order, shape))
