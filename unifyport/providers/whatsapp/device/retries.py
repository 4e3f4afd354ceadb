"""Retry receipts: a device could not decrypt what we sent, and asks for it again.

It gets the same message under the same id, encrypted for it alone, in a new session where it sent us keys or
asks for the second time. What was sent is kept for some days; what is not kept is not answered, as an empty
answer would use up one of its tries. The receipt is acknowledged once it was handled.
https://github.com/tulir/whatsmeow (`retry.go`)
"""

from collections import OrderedDict

from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.signal.errors import NoSession, SignalError
from unifyport.protocols.signal.keys import Bundle
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa

from .addresses import read_jid
from .bundles import bundle_of
from .encryption import Encryption, Encryptor
from .keys import DeviceKeys
from .outgoing import Kept, Outgoing
from .people import person
from .prekeys import PreKeys
from .ratchets import Ratchets
from .records import Draft, Records
from .socket import NodeSocket
from .stanza_types import as_sent, edit_attribute, media_type, stanza_type
from .stanzas import Head, head_of, members_of

MOST_ANSWERS = 5  # to one device for one message
_KEPT = 4096


class Retries:
    def __init__(
        self,
        records: Records,
        keys: DeviceKeys,
        *,
        ratchets: Ratchets,
        prekeys: PreKeys,
        outgoing: Outgoing,
        encryptor: Encryptor,
    ) -> None:
        self._records = records
        self._keys = keys
        self._ratchets = ratchets
        self._prekeys = prekeys
        self._outgoing = outgoing
        self._encryptor = encryptor
        self._answered: OrderedDict[tuple[str, Jid], int] = OrderedDict()

    async def answer(self, node: Node, socket: NodeSocket) -> None:
        """Send the message again, if it is kept. Raises `MalformedNode` and failure classes."""
        head, retry = head_of(node, self._keys), node.child("retry")
        if retry is None:
            return
        id_, count = retry.get("id", head.id), retry.number("count", 1)
        kept = await self._outgoing.kept(Draft(self._records), id_)
        if kept is None or not await self._was_sent_to(kept, head) or not self._may_answer(id_, head.sender):
            return
        content = wa.Message.FromString(kept.content)
        bundle = await self._keys_for(node, head, count)
        async with self._records.lock:
            draft = Draft(self._records)
            try:
                if bundle is not None:
                    await self._ratchets.begin(draft, head.sender, bundle)
                stanza = await self._stanza(draft, node, head, content, place=(id_, count))
            except (NoSession, SignalError):
                return
            await self._records.commit(draft.changes)
        await socket.send(stanza)

    async def _was_sent_to(self, kept: Kept, head: Head) -> bool:
        """Whether the device that asks is of the conversation: no other may have the message."""
        chat = read_jid(kept.chat)
        if chat is None or head.group or chat.is_group:
            return chat == head.chat
        if head.from_me:
            return True
        draft = Draft(self._records)
        return (await person(draft, chat)).is_of(head.sender)

    def _may_answer(self, id_: str, device: Jid) -> bool:
        count = self._answered.get((id_, device), 0) + 1
        self._answered[id_, device] = count
        while len(self._answered) > _KEPT:
            self._answered.popitem(last=False)
        return count <= MOST_ANSWERS

    async def _keys_for(self, node: Node, head: Head, count: int) -> Bundle | None:
        """Keys for a new session; None: the session in use will do."""
        if node.child("keys") is not None:
            return bundle_of(node)
        draft = Draft(self._records)
        known = await self._ratchets.registration_id(draft, head.sender)
        stated = int.from_bytes(node.bytes_of("registration") or b"")
        stale = known is not None and stated and stated != known
        if count >= 2 or stale or not await self._ratchets.has_session(draft, head.sender):
            return (await self._prekeys.fetch([head.sender])).get(head.sender)
        return None

    async def _stanza(
        self, draft: Draft, node: Node, head: Head, content: wa.Message, *, place: tuple[str, int]
    ) -> Node:
        id_, count = place
        whole = content
        if head.group:
            whole = await self._with_sender_key(draft, head, content)
        elif head.from_me:
            whole = as_sent(content, head.chat)
        made = Encryption()
        shared = {"count": str(count)}
        if media := media_type(content):
            shared["mediatype"] = media
        part = await self._encryptor.encrypt_for(
            draft, head.sender, whole.SerializeToString(), made, shared=shared, required=True
        )
        assert part is not None
        attributes = {"to": node.get("from"), "type": stanza_type(content), "id": id_, "t": node.get("t")}
        attributes |= members_of(node)
        if not head.group:
            attributes["device_fanout"] = "false"
        if edit := edit_attribute(content):
            attributes["edit"] = edit
        return Node("message", attributes, [part, *([self._encryptor.identity_node()] if made.first else [])])

    async def _with_sender_key(self, draft: Draft, head: Head, content: wa.Message) -> wa.Message:
        """With our key of the group: the device may lack that as well."""
        whole = wa.Message()
        whole.CopyFrom(content)
        own = await self._ratchets.kept_key(draft, head.chat)
        if own is not None:
            told = whole.senderKeyDistributionMessage
            told.groupID = str(head.chat)
            told.axolotlSenderKeyDistributionMessage = own.keys.distribution()
            own.holders.add(head.sender)
            self._ratchets.keep_own_key(draft, head.chat, own)
        return whole
