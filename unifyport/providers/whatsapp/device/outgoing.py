"""From a message to its stanza: for whom it is encrypted, with what, and what the platform answered.

A message to a person is encrypted for each device of the person, and for the account's own other devices as
what this device has sent. A message to a group is encrypted once, with our sender key of the group; devices
that do not have that key get it in the same stanza. All names in a stanza are of one kind, LID or number: a
group says which, and for persons it is a property of the account, which the platform may change: it then
refuses the other kind, and the message, which nobody got, is sent again once in the other kind.

https://github.com/tulir/whatsmeow (`send.go`)
"""

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
from unifyport.protocols.whatsapp.messages import pad, participant_hash
from unifyport.providers.contract.capabilities import CONTACT_NOT_FOUND
from unifyport.providers.contract.errors import Rejected, Transient

from . import people
from .devices import Devices
from .errors import message_refusal
from .group_cache import GroupCache
from .groups import GroupInfo
from .keys import RECORD, DeviceKeys
from .ratchets import Ratchets
from .records import Draft, Records
from .requests import Requests
from .tokens import Tokens

SENT = "sent"
_WRONG_ADDRESSING = {400: LID, 463: PHONE}  # refusal -> the kind of name that is refused by it
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


@attrs.frozen
class Route:
    """Where a stanza goes. `by_lid`: the kind of all names in it."""

    to: Jid
    by_lid: bool
    phone: Jid | None = None  # of a person that is named by LID
    group: GroupInfo | None = None


@attrs.define
class Encryption:
    """The ciphertexts of a stanza. `first`: one begins a session, so our device identity goes along."""

    nodes: list[Node] = attrs.field(factory=list)
    first: bool = False


def new_message_id() -> str:
    """As ids of WhatsApp Web look: 22 hexadecimal digits."""
    return "3EB0" + os.urandom(9).hex().upper()


class Outgoing:
    """Sends encrypted messages of one device."""

    def __init__(
        self,
        records: Records,
        keys: DeviceKeys,
        requests: Requests,
        *,
        ratchets: Ratchets,
        devices: Devices,
        groups: GroupCache,
        prekeys: FetchesKeys,
        tokens: Tokens,
    ) -> None:
        self._records = records
        self._keys = keys
        self._requests = requests
        self._ratchets = ratchets
        self._devices = devices
        self._groups = groups
        self._prekeys = prekeys
        self._tokens = tokens

    async def send(self, chat: Jid, content: wa.Message, message_id: str, hand_over: HandOver) -> None:
        """Send a message once; `hand_over` makes its changes durable before the first byte.

        Raises `Rejected`, `RateLimited`, `Transient`, and what `hand_over` raises. It is called again only
        for a message that was refused in one kind of names and is sent in the other.
        """
        route = await self.route(chat)
        code, sent_to = await self._send(route, content, message_id, hand_over)
        refused = _WRONG_ADDRESSING.get(code)
        if refused is not None and not chat.is_group and (refused == LID) == route.by_lid:
            other = await self._other_route(route)
            if other is not None:
                await self.remember_addressing(other.by_lid)
                route = other
                code, sent_to = await self._send(route, content, message_id, self._records.commit)
        if code:
            raise message_refusal(code, group=chat.is_group)
        if sent_to is not None:
            await self._send_to_new_devices(route, content, message_id, sent_to)

    # -- where to -------------------------------------------------------------------------------------------

    async def route(self, chat: Jid) -> Route:
        """Raises `Rejected` for somebody who is not on WhatsApp, or a group that we are not in."""
        if chat.is_group:
            info = await self._groups.get(chat)
            if not any(self._keys.is_mine(member.jid) for member in info.members):
                raise Rejected("not_a_member", "the account is not a member of this group")
            return Route(chat, info.by_lid, group=info)
        if self._keys.lid_migrated and self._keys.my_lid is not None:
            if chat.server == LID:
                phone = await people.phone_of_lid(Draft(self._records), chat)
                return Route(chat, True, phone)
            lid = await self._devices.lid_of(chat)
            if lid is not None:
                return Route(lid, True, chat)
            if not await self._devices.of([chat]):
                raise Rejected(CONTACT_NOT_FOUND, "this number is not on WhatsApp")
            return Route(chat, False)
        if chat.server == LID:
            phone = await people.phone_of_lid(Draft(self._records), chat)
            return Route(phone, False) if phone is not None else Route(chat, True)
        return Route(chat, False)

    async def _other_route(self, route: Route) -> Route | None:
        """The same person by the other kind of name, if it is known."""
        if route.by_lid:
            return Route(route.phone, False) if route.phone is not None else None
        lid = await self._devices.lid_of(route.to)
        return Route(lid, True, route.to) if lid is not None and self._keys.my_lid is not None else None

    async def remember_addressing(self, by_lid: bool) -> None:
        async with self._records.lock:
            self._keys.lid_migrated = by_lid
            await self._records.commit([SessionChange(*RECORD, self._keys.dump())])

    def _me(self, by_lid: bool) -> Jid:
        lid = self._keys.my_lid
        return lid if by_lid and lid is not None else self._keys.me

    # -- one stanza -----------------------------------------------------------------------------------------

    async def _send(
        self, route: Route, content: wa.Message, message_id: str, hand_over: HandOver
    ) -> tuple[int, set[Jid] | None]:
        """Returns the code of a refusal (0: none), and whom it was sent to if the platform knows more
        devices than we do.
        """
        people_ = [member.jid for member in route.group.members] if route.group else [route.to]
        me = self._me(route.by_lid)
        everyone = await self._devices.of([*people_, me.bare])
        recipients = [device for device in everyone if device != me]
        others = {person for person in people_ if person != me.bare}
        if not recipients or (others and not any(device.bare in others for device in recipients)):
            self._forget(route)
            raise self._nobody(route)
        node = await self._encrypted(route, content, message_id, recipients, hand_over=hand_over)
        phash = participant_hash([*recipients, me])
        if route.group is not None:
            node = attrs.evolve(node, attrs={**node.attrs, "phash": phash})
        answer = await self._requests.exchange(node)
        code = answer.number("error")
        if code in _STALE:
            self._forget(route)
        stated = answer.get("phash")
        return code, (set(recipients) if stated and stated != phash and not code else None)

    def _nobody(self, route: Route) -> Rejected:
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
                    await self._begin(draft, bundles)
                    node = await self._stanza(draft, route, content, message_id, recipients=recipients)
                except NoSession:
                    continue  # a session ended between the look and the lock
                self._keep(draft, route.to, content, message_id)
                await hand_over(draft.changes)
                return node
        raise Transient("recipient_keys_missing")

    async def _missing_keys(self, route: Route, recipients: Iterable[Jid]) -> dict[Jid, Bundle]:
        """Keys of devices that we have no session with and that this stanza is encrypted for. Devices without
        keys are left out of `recipients` by `_stanza`.
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
        if route.group is None and route.to in missing and route.to not in bundles:
            raise Rejected("recipient_keys_missing", "WhatsApp has no keys of this person's phone")
        return bundles

    async def _begin(self, draft: Draft, bundles: dict[Jid, Bundle]) -> None:
        for device, bundle in bundles.items():
            if not await self._ratchets.has_session(draft, device):
                try:
                    await self._ratchets.begin(draft, device, bundle)
                except SignalError as error:
                    raise Rejected("recipient_keys_invalid", str(error)) from None

    async def _stanza(
        self, draft: Draft, route: Route, content: wa.Message, message_id: str, *, recipients: list[Jid]
    ) -> Node:
        kind, media = stanza_type(content), media_type(content)
        attributes = {"id": message_id, "to": str(route.to), "type": kind}
        shared = {"mediatype": media} if media else {}
        if edit := edit_attribute(content):
            attributes["edit"] = edit
        if edit or kind == "reaction":
            shared["decrypt-fail"] = "hide"
        parts: list[Node] = []
        if route.group is not None:
            attributes["addressing_mode"] = "lid" if route.by_lid else "pn"
            found = await self._for_group(draft, route, content, recipients=recipients, shared=shared)
        else:
            if route.by_lid and route.phone is not None:
                attributes["peer_recipient_pn"] = str(route.phone)
            found = await self._for_devices(draft, route, content, recipients, shared=shared)
            parts += await self._tokens.nodes(draft, route.to)
        parts = [*found.nodes, *([self.identity_node()] if found.first else []), *parts]
        return Node("message", attributes, parts)

    async def _for_devices(
        self,
        draft: Draft,
        route: Route,
        content: wa.Message,
        recipients: list[Jid],
        *,
        shared: dict[str, str],
    ) -> Encryption:
        plain, own = content.SerializeToString(), as_sent(content, route.to).SerializeToString()
        made = Encryption()
        me, nodes = self._me(route.by_lid).bare, []
        for device in recipients:
            text = own if device.bare == me else plain
            node = await self.encrypt_for(
                draft, device, text, made, shared=shared, required=device == route.to
            )
            if node is not None:
                nodes.append(Node("to", {"jid": str(device)}, [node]))
        made.nodes = [Node("participants", {}, nodes)]
        return made

    async def _for_group(
        self,
        draft: Draft,
        route: Route,
        content: wa.Message,
        *,
        recipients: list[Jid],
        shared: dict[str, str],
    ) -> Encryption:
        made = Encryption()
        own = await self._ratchets.own_key(draft, route.to, recipients)
        new = [device for device in recipients if device not in own.holders]
        nodes = []
        if new:
            told = wa.Message()
            told.senderKeyDistributionMessage.groupID = str(route.to)
            told.senderKeyDistributionMessage.axolotlSenderKeyDistributionMessage = own.keys.distribution()
            text = told.SerializeToString()
            for device in new:
                node = await self.encrypt_for(draft, device, text, made, shared={}, required=False)
                if node is not None:
                    nodes.append(Node("to", {"jid": str(device)}, [node]))
                    own.holders.add(device)
        body = self._ratchets.encrypt_group(draft, route.to, own, pad(content.SerializeToString()))
        whole = Node("enc", {"v": "2", "type": "skmsg", **shared}, body)
        made.nodes = [Node("participants", {}, nodes), whole] if nodes else [whole]
        return made

    async def encrypt_for(
        self,
        draft: Draft,
        device: Jid,
        plaintext: bytes,
        made: Encryption,
        *,
        shared: dict[str, str],
        required: bool,
    ) -> Node | None:
        """`<enc>` for one device. None for a companion device without keys, which is left out."""
        try:
            encrypted = await self._ratchets.encrypt(draft, device, pad(plaintext))
        except NoSession:
            if required:
                raise
            return None
        made.first = made.first or encrypted.type == "pkmsg"
        return Node("enc", {"v": "2", "type": encrypted.type, **shared}, encrypted.body)

    def identity_node(self) -> Node:
        """What the phone has signed: that this device belongs to the account."""
        return Node("device-identity", {}, self._keys.account)

    def _keep(self, draft: Draft, chat: Jid, content: wa.Message, message_id: str) -> None:
        kept = Kept(str(chat), int(time.time()), content.SerializeToString())
        draft.put(SENT, message_id.encode(), msgspec.msgpack.encode(kept))

    async def kept(self, draft: Draft, message_id: str) -> Kept | None:
        """What was sent under this id; None if it is not kept any more."""
        stored = await draft.get(SENT, message_id.encode())
        return msgspec.msgpack.decode(stored, type=Kept) if stored is not None else None

    # -- devices that the platform knows and we did not -----------------------------------------------------

    def _forget(self, route: Route) -> None:
        if route.group is not None:
            self._groups.forget(route.to)
            for member in route.group.members:
                self._devices.forget(member.jid)
        self._devices.forget(route.to)
        self._devices.forget(self._me(route.by_lid))

    async def _send_to_new_devices(
        self, route: Route, content: wa.Message, message_id: str, sent_to: set[Jid]
    ) -> None:
        """The acknowledgement has another hash of the recipients: our lists were old. Devices of a person
        that we did not know get the message under the same id; those of a group ask for it, as they lack our
        key. The message counts as sent whatever becomes of that.
        """
        self._forget(route)
        if route.group is not None:
            return
        try:
            me = self._me(route.by_lid)
            everyone = await self._devices.of([route.to, me.bare])
            new = [device for device in everyone if device != me and device not in sent_to]
            if new:
                node = await self._encrypted(route, content, message_id, new, hand_over=self._records.commit)
                await self._requests.exchange(node)
        except (Rejected, Transient):
            return


# -- what the platform wants to know of a message ------------------------------------------------------------


def as_sent(content: wa.Message, to: Jid) -> wa.Message:
    """What the account's other devices get: the message, and to whom this device has sent it."""
    made = wa.Message()
    made.deviceSentMessage.destinationJID = str(to)
    made.deviceSentMessage.message.CopyFrom(content)
    if content.HasField("messageContextInfo"):
        made.messageContextInfo.CopyFrom(content.messageContextInfo)
    return made


def stanza_type(content: wa.Message) -> str:
    if content.HasField("reactionMessage"):
        return "reaction"
    if content.HasField("pollCreationMessage") or content.HasField("pollUpdateMessage"):
        return "poll"
    return "media" if media_type(content) else "text"


def media_type(content: wa.Message) -> str:
    """Empty for what is no media; contact cards are, for the platform."""
    if content.HasField("documentWithCaptionMessage"):
        return "document"
    for field, name in (
        ("imageMessage", "image"),
        ("videoMessage", "video"),
        ("documentMessage", "document"),
        ("contactMessage", "vcard"),
        ("contactsArrayMessage", "contact_array"),
    ):
        if content.HasField(field):
            return name
    if content.HasField("audioMessage"):
        return "ptt" if content.audioMessage.PTT else "audio"
    return ""


def edit_attribute(content: wa.Message) -> str:
    """`1`: an edit, `7`: revoked by its sender or a reaction taken back, `8`: revoked by an admin."""
    change = content.protocolMessage
    if content.HasField("editedMessage"):
        change = content.editedMessage.message.protocolMessage
    if content.HasField("protocolMessage") or content.HasField("editedMessage"):
        if change.type == wa.ProtocolMessage.REVOKE:
            return "7" if change.key.fromMe else "8"
        return "1" if change.type == wa.ProtocolMessage.MESSAGE_EDIT else ""
    if content.HasField("reactionMessage") and not content.reactionMessage.text:
        return "7"
    return ""
