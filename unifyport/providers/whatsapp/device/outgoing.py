"""Sending a message: for which devices, with which keys, and what the platform answered.

All names in a stanza are of one kind, LID or number (`routes.py`). Where the platform refuses that kind the
message, which was not delivered, is sent again once in the other kind.

https://github.com/tulir/whatsmeow (`send.go`)
"""

import logging
import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Protocol

import attrs
import msgspec

from unifyport.model.unit import SessionChange
from unifyport.protocols.binary_node import LID, PHONE, Jid, Node
from unifyport.protocols.signal.errors import NoSession, SignalError
from unifyport.protocols.signal.keys import Bundle
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.messages import participant_hash
from unifyport.providers.contract.capabilities import CONTACT_NOT_FOUND
from unifyport.providers.contract.errors import Rejected, Transient

from .devices import Devices
from .encryption import Encryptor
from .errors import message_refusal
from .ratchets import Ratchets
from .records import Draft, Records
from .requests import Requests
from .routes import Route, Routes

log = logging.getLogger(__name__)
SENT = "sent"
_WRONG_ADDRESSING = {400: LID, 463: PHONE}  # refusal -> the kind of name that is refused by it
LARGEST_KEPT = 192 * 1024  # bytes of a message; a record of the session may have 256 KiB
_STALE = (400, 421, 463, 479)  # refusals after which device lists and groups are asked for again

HandOver = Callable[[list[SessionChange]], Awaitable[None]]


class FetchesKeys(Protocol):
    async def fetch(self, devices: Collection[Jid]) -> dict[Jid, Bundle]:
        """The keys of these devices; of those that have none there is no entry. Raises a failure class."""


class Kept(msgspec.Struct, array_like=True):
    """What was sent, for devices that ask for it again. `at`: unix seconds."""

    chat: str
    at: int
    content: bytes


def new_message_id() -> str:
    """As ids of WhatsApp Web look: 22 hexadecimal digits."""
    return "3EB0" + os.urandom(9).hex().upper()


class Outgoing:
    """Sends encrypted messages of one device."""

    def __init__(
        self,
        records: Records,
        requests: Requests,
        *,
        routes: Routes,
        devices: Devices,
        ratchets: Ratchets,
        prekeys: FetchesKeys,
        encryptor: Encryptor,
    ) -> None:
        self._records = records
        self._requests = requests
        self._routes = routes
        self._devices = devices
        self._ratchets = ratchets
        self._prekeys = prekeys
        self._encryptor = encryptor
        self.unswept = 0  # bytes that were kept since `upkeep.sweep` has looked at all of them

    async def send(self, chat: Jid, content: wa.Message, message_id: str, hand_over: HandOver) -> None:
        """Send a message once; `hand_over` makes its changes durable before the first byte.

        Raises `Rejected`, `RateLimited`, `Transient`, and what `hand_over` raises. It is called again only
        for a message that was refused in one kind of names and is sent in the other.
        """
        route = await self._routes.route(chat)
        code, sent_to = await self._send(route, content, message_id, hand_over)
        refused = _WRONG_ADDRESSING.get(code)
        if refused is not None and not chat.is_group and (refused == LID) == route.by_lid:
            other = await self._routes.other_route(route)
            if other is not None:
                second, sent_to = await self._send(other, content, message_id, self._records.commit)
                if second not in _WRONG_ADDRESSING:  # else it was not the kind of name
                    await self._routes.remember_addressing(other.by_lid)
                    code, route = second, other
        if code:
            raise message_refusal(code, group=chat.is_group)
        if sent_to is not None:
            await self._send_to_new_devices(route, content, message_id, sent_to)

    # -- one stanza -----------------------------------------------------------------------------------------

    async def _send(
        self, route: Route, content: wa.Message, message_id: str, hand_over: HandOver
    ) -> tuple[int, set[Jid] | None]:
        """Returns the code of a refusal (0: none), and whom it was sent to if the platform knows more
        devices than we do.
        """
        people_ = [member.jid for member in route.group.members] if route.group else [route.to]
        me = self._routes.me(route.by_lid)
        everyone = await self._devices.of([*people_, me.bare])
        recipients = [device for device in everyone if device != me]
        others = {person for person in people_ if person != me.bare}
        if not recipients or (others and not any(device.bare in others for device in recipients)):
            self._routes.forget(route)
            raise self._no_recipients(route)
        node = await self._encrypted(route, content, message_id, recipients, hand_over=hand_over)
        phash = participant_hash([*recipients, me])
        if route.group is not None:
            node = attrs.evolve(node, attrs={**node.attrs, "phash": phash})
        answer = await self._requests.exchange(node)
        code = answer.number("error")
        if code in _STALE:
            self._routes.forget(route)
        stated = answer.get("phash")
        return code, (set(recipients) if stated and stated != phash and not code else None)

    def _no_recipients(self, route: Route) -> Rejected:
        if route.group is not None:
            return Rejected("no_recipients", "WhatsApp names no device of any member of this group")
        return Rejected(CONTACT_NOT_FOUND, "this number is not on WhatsApp")

    async def _encrypted(
        self,
        route: Route,
        content: wa.Message,
        message_id: str,
        recipients: list[Jid],
        *,
        hand_over: HandOver,
    ) -> Node:
        """The stanza, whose keys are used up when this returns."""
        for _ in range(3):
            bundles = await self._missing_keys(route, recipients)
            async with self._records.lock:
                draft = Draft(self._records)
                try:
                    await self._begin(draft, route, bundles)
                    node = await self._encryptor.stanza(
                        draft, route, content, message_id, recipients=recipients
                    )
                except NoSession:
                    continue  # a session ended between the look and the lock
                self._keep(draft, route.to, content, message_id)
                await hand_over(draft.changes)
                return node
        raise Transient("recipient_keys_missing")

    async def _missing_keys(self, route: Route, recipients: Iterable[Jid]) -> dict[Jid, Bundle]:
        """Keys of devices that we have no session with and that this stanza is encrypted for. The stanza
        leaves out devices without keys.
        """
        draft = Draft(self._records)
        wanted = recipients
        if route.group is not None:
            own = await self._ratchets.own_key(draft, route.to, list(recipients))
            wanted = [device for device in recipients if device not in own.holders]
        missing = [device for device in wanted if not await self._ratchets.has_session(draft, device)]
        if not missing:
            return {}
        bundles = await self._prekeys.fetch(missing)
        for device in missing:
            if device not in bundles and self._routes.is_needed(route, device):
                raise Rejected(
                    "recipient_keys_missing", f"WhatsApp has no keys of the phone of {device.bare}"
                )
        return bundles

    async def _begin(self, draft: Draft, route: Route, bundles: dict[Jid, Bundle]) -> None:
        """Begin sessions. A companion device whose keys are broken or forged is left out, and asked for again
        with the next message; without the phone of a person nothing is sent.
        """
        for device, bundle in bundles.items():
            if not await self._ratchets.has_session(draft, device):
                try:
                    await self._ratchets.begin(draft, device, bundle)
                except SignalError as error:
                    if self._routes.is_needed(route, device):
                        detail = f"the keys of the phone of {device.bare} are not valid: {error}"
                        raise Rejected("recipient_keys_invalid", detail) from None
                    log.info("whatsapp: a companion device is left out: %s", type(error).__name__)

    def _keep(self, draft: Draft, chat: Jid, content: wa.Message, message_id: str) -> None:
        """Keep what is sent for those who ask for it again; a message that is too large is sent once."""
        body = content.SerializeToString()
        if len(body) > LARGEST_KEPT:
            return
        kept = msgspec.msgpack.encode(Kept(str(chat), int(time.time()), body))
        draft.put(SENT, message_id.encode(), kept)
        self.unswept += len(kept)

    async def kept(self, draft: Draft, message_id: str) -> Kept | None:
        """What was sent under this id; None if it is not kept any more."""
        stored = await draft.get(SENT, message_id.encode())
        return msgspec.msgpack.decode(stored, type=Kept) if stored is not None else None

    # -- devices that the platform knows and we did not -----------------------------------------------------

    async def _send_to_new_devices(
        self, route: Route, content: wa.Message, message_id: str, sent_to: set[Jid]
    ) -> None:
        """The acknowledgement has another hash of the recipients: our lists were old. Devices of a person
        that we did not know get the message under the same id; those of a group ask for it, as they lack our
        key. The message counts as sent whatever becomes of that.
        """
        self._routes.forget(route)
        if route.group is not None:
            return
        try:
            me = self._routes.me(route.by_lid)
            everyone = await self._devices.of([route.to, me.bare])
            new = [device for device in everyone if device != me and device not in sent_to]
            if new:
                node = await self._encrypted(route, content, message_id, new, hand_over=self._records.commit)
                await self._requests.exchange(node)
        except (Rejected, Transient):
            return
