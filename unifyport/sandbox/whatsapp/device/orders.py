"""Orders of the control port: what phones, their owners and the platform do, by the name in `do`."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
from google.protobuf import json_format

from unifyport.protocols.binary_node import Jid, MalformedJid, Node
from unifyport.protocols.whatsapp.history_pb2 import HistorySync

from ...order_shapes import text_of
from . import devices
from .customers import Customers
from .directory import Device
from .groups import Group
from .media import MediaServer
from .posts import Posts
from .relay import Relay
from .tokens import give_token

Order = Callable[[dict[str, Any]], dict[str, Any] | Awaitable[None] | None]


class Orders:
    """Obeys orders by the name in their field `do`."""

    def __init__(self, relay: Relay, media: MediaServer, customers: Customers) -> None:
        self._relay = relay
        self._media = media
        self._customers = customers
        posts = Posts(relay, customers)
        self._known: dict[str, Order] = {
            "account": self._account,
            "scan": self._scan,
            "enter_code": self._enter_code,
            "group": self._group,
            "join": self._join,
            "leave": self._leave,
            "timer": self._timer,
            "drop_prekeys": self._drop_prekeys,
            "stream_error": self._stream_error,
            "refuse": self._refuse,
            "unlink": self._unlink,
            "silent": self._silent,
            "expire_media": self._expire_media,
            "typing": customers.typing,
            "call": customers.call,
            "flood": customers.flood,
            "token": self._token,
            "identity_change": self._identity_change,
            "history": self._history,
            "status": posts.status,
            "newsletter": posts.newsletter,
            "broadcast": posts.broadcast,
            "forge_keys": self._forge_keys,
            "repeat": self._repeat,
            "reorder": self._reorder,
            "limit": self._limit,
            "mute": self._mute,
            "check_payload": self._check_payload,
        }

    def obey(self, order: dict[str, Any]) -> dict[str, Any] | Awaitable[None] | None:
        """Raises `ValueError` naming the wrong field."""
        act = self._known.get(str(order.get("do")))
        if act is None:
            raise ValueError(f"do: must be one of {', '.join(self._known)}")
        return act(order)

    def _account(self, order: dict[str, Any]) -> dict[str, Any]:
        """Settings are those of `Account`: `name`, `lid`, `lid_addressed`, `tokens_required`, `passkey`."""
        wanted = {name: value for name, value in order.items() if name not in ("do", "phone")}
        account = self._customers.account(text_of(order, "phone"), **wanted)
        return {"jid": str(account.phone_jid), "lid": str(account.lid_jid)}

    def _scan(self, order: dict[str, Any]) -> None:
        self._relay.pairing.scan(text_of(order, "qr"), self._relay.account(text_of(order, "phone")))

    async def _enter_code(self, order: dict[str, Any]) -> None:
        await self._relay.pairing.enter_code(
            text_of(order, "code"), self._relay.account(text_of(order, "phone"))
        )

    def _group(self, order: dict[str, Any]) -> dict[str, Any]:
        people = [self._relay.account(str(phone)) for phone in order.get("phones") or ()]
        if not people:
            raise ValueError("phones: must name the members, the creator first")
        lid = order.get("addressing", "lid") == "lid"
        group = self._relay.groups.create(people[0], text_of(order, "subject"), people[1:], lid_addressed=lid)
        return {"id": str(group.jid)}

    def _join(self, order: dict[str, Any]) -> None:
        group = self._find_group(order)
        self._relay.groups.add(group, [self._relay.account(text_of(order, "phone"))], group.creator)

    def _leave(self, order: dict[str, Any]) -> None:
        account = self._relay.account(text_of(order, "phone"))
        self._relay.groups.remove(self._find_group(order), [account], account)

    def _timer(self, order: dict[str, Any]) -> None:
        group = self._find_group(order)
        self._relay.groups.set_timer(group, int(order.get("seconds", 0)), group.creator)

    def _drop_prekeys(self, order: dict[str, Any]) -> None:
        for device in self._devices(order):
            self._relay.prekeys.drop(device, int(order.get("left", 0)))

    def _stream_error(self, order: dict[str, Any]) -> None:
        about = {"code": str(order["code"])} if "code" in order else {}
        conflict = order.get("conflict")
        content = (Node("conflict", {"type": str(conflict)}),) if conflict else ()
        for device in self._devices(order):
            self._relay.stream_error(device, about, content)

    def _refuse(self, order: dict[str, Any]) -> None:
        """From now on the account's logins are refused; without a reason, they are accepted again."""
        account = self._relay.account(text_of(order, "phone"))
        refusal = {name: str(value) for name, value in order.items() if name not in ("do", "phone")}
        account.refusal = refusal or None

    def _unlink(self, order: dict[str, Any]) -> None:
        for device in self._devices(order):
            self._relay.unlink(device)

    def _silent(self, order: dict[str, Any]) -> None:
        """The connections that are open stay open, and nothing on them is answered."""
        for device in self._devices(order):
            if device.receiver is not None:
                device.receiver.silent = True  # type: ignore[attr-defined]

    def _expire_media(self, order: dict[str, Any]) -> None:
        self._media.expire()

    def _token(self, order: dict[str, Any]) -> None:
        """`from` gives `to` a token for writing to it."""
        give_token(self._relay.account(text_of(order, "from")), self._relay.account(text_of(order, "to")))

    def _identity_change(self, order: dict[str, Any]) -> None:
        """The person gets a new phone: a new identity key, and no sessions."""
        account = self._relay.account(text_of(order, "phone"))
        self._customers.renew(account)
        devices.identity_changed(account)

    def _history(self, order: dict[str, Any]) -> None:
        """The phone gives its linked devices a piece of history: `sync`, a `HistorySync` as JSON."""
        account = self._relay.account(text_of(order, "phone"))
        try:
            sync = json_format.ParseDict(order.get("sync") or {}, HistorySync())
        except json_format.ParseError as error:
            raise ValueError(f"sync: {error}") from None
        for device in self._devices(order):
            self._customers.phones[account].share_history(device, sync)

    def _forge_keys(self, order: dict[str, Any]) -> None:
        """The signed prekey of a device (`device` 0: the phone) is given out with a wrong signature."""
        account = self._relay.account(text_of(order, "phone"))
        number = order.get("device")
        for device in account.devices.values():
            if number in (None, device.number):
                key = device.signed_prekey
                device.signed_prekey = attrs.evolve(key, signature=key.signature[::-1])

    def _repeat(self, order: dict[str, Any]) -> None:
        """The next `count` messages are handed over twice."""
        self._relay.messages.duplicates = int(order.get("count", 1))

    def _reorder(self, order: dict[str, Any]) -> None:
        """The next `count` messages to devices are held; the latest of them then comes first."""
        self._relay.messages.reorder = int(order.get("count", 2))

    def _limit(self, order: dict[str, Any]) -> None:
        """Queries of this `xmlns` are refused with 429; without one, none is any more."""
        self._relay.limited = {str(order["xmlns"])} if "xmlns" in order else set()

    def _mute(self, order: dict[str, Any]) -> None:
        """Queries of this `xmlns` get no answer; without one, all do again."""
        self._relay.muted = {str(order["xmlns"])} if "xmlns" in order else set()

    def _check_payload(self, order: dict[str, Any]) -> None:
        """Logins without a raised counter, or with an id of a phone, are accepted and then ignored."""
        self._relay.checks_payload = bool(order.get("on", True))

    def _devices(self, order: dict[str, Any]) -> list[Device]:
        """The linked devices of an account, or the one that `device` names."""
        account = self._relay.account(text_of(order, "phone"))
        number = order.get("device")
        return [device for device in account.companions if number in (None, device.number)]

    def _find_group(self, order: dict[str, Any]) -> Group:
        try:
            group = self._relay.groups.find(Jid.parse(text_of(order, "group")))
        except MalformedJid:
            group = None
        if group is None:
            raise ValueError("group: there is no such group")
        return group
