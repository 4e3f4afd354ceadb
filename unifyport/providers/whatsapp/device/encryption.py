"""The stanza of a message: its ciphertexts, and what stands beside them.

A message to a person is encrypted for each device of the person, and for the account's own other devices as
what this device has sent. A message to a group is encrypted once, with our sender key of the group; devices
that do not have that key get it in the same stanza. https://github.com/tulir/whatsmeow (`send.go`)
"""

import attrs

from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.signal.errors import NoSession
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.messages import pad

from .keys import DeviceKeys
from .ratchets import Ratchets
from .records import Draft
from .routes import Route, Routes
from .stanza_types import as_sent, edit_attribute, media_type, stanza_type
from .tokens import Tokens


@attrs.define
class Encryption:
    """The ciphertexts of a stanza. `first`: one begins a session, so our device identity goes along."""

    nodes: list[Node] = attrs.field(factory=list)
    first: bool = False


class Encryptor:
    """Builds the stanzas of one device, in drafts."""

    def __init__(self, keys: DeviceKeys, ratchets: Ratchets, routes: Routes, tokens: Tokens) -> None:
        self._keys = keys
        self._ratchets = ratchets
        self._routes = routes
        self._tokens = tokens

    async def stanza(
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
        me, nodes = self._routes.me(route.by_lid).bare, []
        for device in recipients:
            text = own if device.bare == me else plain
            node = await self.encrypt_for(
                draft, device, text, made, shared=shared, required=self._routes.is_needed(route, device)
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
                required = self._routes.is_needed(route, device)
                node = await self.encrypt_for(draft, device, text, made, shared={}, required=required)
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
