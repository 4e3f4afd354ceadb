"""`<message>` stanzas: decrypted once, told as events, acknowledged after both are durable.

    what it is                                      event                    also
    --------------------------------------------    ---------------------    ---------------------------------
    told before                                     -                        -
    its keys are used up: decrypted before          -                        delivery receipt
    decrypts                                        the message              delivery receipt
    decrypts to what is no message                  the message, `unknown`   -
    does not decrypt                                - (a row of its own)     retry receipt, see `recovery.py`
    does not decrypt, and we have given up          `undecryptable`          -
    from the account's own devices, no content      -                        `controls.py`
    of a status broadcast or newsletter             -                        -

Every stanza gets exactly one acknowledgement, whatever became of it.
"""

import logging
from collections.abc import Collection

import attrs

from unifyport.model.inbound import (
    Conversation,
    ConversationMoved,
    Ignored,
    MoveReason,
    ProviderEvent,
    Unparsed,
    dedupe_key,
)
from unifyport.protocols.binary_node import Jid, Node
from unifyport.protocols.signal.errors import Duplicate, NoSession, SignalError
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.messages import MalformedMessage, read_message, unknown_fields, unpad

from . import memory, people
from .additions import examine
from .contents import Incoming, content_of
from .controls import TakesHistory, concerns_device, work_of
from .group_cache import GroupCache
from .keys import DeviceKeys
from .outcomes import Outcome
from .parse import parse, undecryptable
from .ratchets import Ratchets
from .records import Draft
from .recovery import Recovery
from .stanzas import Head, ack, members_of
from .wrappers import BESIDE, unwrap

log = logging.getLogger(__name__)


class Undecryptable(Exception):
    """`reason`: a word. `with_keys`: the sender needs keys of ours, as it has, or we have, no session."""

    def __init__(self, reason: str, *, with_keys: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.with_keys = with_keys


class Messages:
    """Reads messages of one device. The caller holds `Records.lock`."""

    def __init__(
        self,
        keys: DeviceKeys,
        *,
        ratchets: Ratchets,
        groups: GroupCache,
        recovery: Recovery,
        history: TakesHistory,
    ) -> None:
        self._keys = keys
        self._account = keys.me.user
        self._ratchets = ratchets
        self._groups = groups
        self._recovery = recovery
        self._history = history

    def key_of(self, head: Head) -> bytes:
        """The dedupe key of a message: by its sender, too, who chooses the id. Which of the sender's two ids
        the stanza has first makes no difference.
        """
        sender = max(str(head.sender.bare), str((head.sender_other or head.sender).bare))
        return dedupe_key("whatsapp", self._account, "message", sender, head.id)

    async def read(self, draft: Draft, node: Node, head: Head, seen: Collection[bytes]) -> Outcome:
        outcome = Outcome()
        if head.broadcast or head.newsletter:
            outcome.replies.append(ack(node, self._keys.me))
            return outcome
        key = self.key_of(head)
        if key not in seen:
            try:
                message = await self._decrypt(draft, node, head)
            except Undecryptable as failed:
                await self._recover(draft, node, head, outcome, failed=failed)
            except MalformedMessage:
                outcome.events.append(await self._unreadable(draft, node, head, key))
            else:
                if message is not None:
                    await self._recovery.succeeded(draft, head)
                    await self._take(draft, head, key, message, outcome=outcome)
                outcome.replies.append(self._delivered(node, head))
        outcome.replies.append(ack(node, self._keys.me))
        return outcome

    # -- decryption -----------------------------------------------------------------------------------------

    async def _decrypt(self, draft: Draft, node: Node, head: Head) -> wa.Message | None:
        """The message; None if it was handled before. Raises `Undecryptable`, `MalformedMessage`."""
        found: wa.Message | None = None
        parts = list(node.all("enc"))
        if not parts:
            raise Undecryptable("unavailable" if node.child("unavailable") is not None else "no_content")
        for part in parts:
            try:
                plaintext = await self._decrypt_part(draft, head, part)
            except Duplicate:
                continue
            except NoSession:
                raise Undecryptable("no_session", with_keys=True) from None
            except SignalError as error:
                raise Undecryptable(type(error).__name__) from None
            message = read_message(plaintext)
            await self._take_sender_key(draft, head, message)
            if found is None or _has_content(message):
                found = message
        return found

    async def _decrypt_part(self, draft: Draft, head: Head, part: Node) -> bytes:
        kind, body = part.get("type"), part.bytes_of() or b""
        sender = head.sender_other if head.sender_other is not None and head.sender_other.is_lid else None
        device = sender.on_device(head.sender.device) if sender is not None else head.sender
        if kind in ("pkmsg", "msg"):
            padded = await self._ratchets.decrypt(draft, device, kind, body)
        elif kind == "skmsg" and head.group:
            padded = await self._ratchets.decrypt_group(draft, head.chat, device, body)
        else:
            raise Undecryptable("unknown_encryption")
        return unpad(padded, part.number("v", 2))

    async def _take_sender_key(self, draft: Draft, head: Head, message: wa.Message) -> None:
        if not message.HasField("senderKeyDistributionMessage") or not head.group:
            return
        told = message.senderKeyDistributionMessage
        if told.groupID and told.groupID != str(head.chat):
            return
        try:
            await self._ratchets.accept_sender_key(
                draft, head.chat, head.sender, told.axolotlSenderKeyDistributionMessage
            )
        except SignalError as error:
            log.info("whatsapp: a sender key could not be taken: %s", type(error).__name__)

    async def _recover(
        self, draft: Draft, node: Node, head: Head, outcome: Outcome, *, failed: Undecryptable
    ) -> None:
        asked = await self._recovery.ask_again(
            draft, node, head, reason=failed.reason, with_keys=failed.with_keys
        )
        if asked is not None:
            receipt, row = asked
            outcome.replies.append(receipt)
            outcome.events.append(row)
        else:
            outcome.events.append(await self.given_up(draft, head, failed.reason))

    async def given_up(self, draft: Draft, head: Head, reason: str) -> ProviderEvent:
        """The event of a message that never came in a form that can be read. A later success has its own."""
        key = dedupe_key("whatsapp", self._account, "undecryptable", str(head.sender.bare), head.id)
        return undecryptable(await self._incoming(draft, head, key, wa.Message()), reason)

    async def _unreadable(self, draft: Draft, node: Node, head: Head, key: bytes) -> ProviderEvent:
        found = await self._incoming(draft, head, key, wa.Message())
        raw = f"{node.tag} {dict(node.attrs)}".encode()
        return Unparsed(key, raw, "malformed_message", found.chat, found.sender, head.id, head.at or None)

    # -- what a message says --------------------------------------------------------------------------------

    async def _take(
        self, draft: Draft, head: Head, key: bytes, message: wa.Message, *, outcome: Outcome
    ) -> None:
        if head.from_me and message.HasField("deviceSentMessage"):
            message = message.deviceSentMessage.message
        found = unwrap(message)
        if head.from_me and concerns_device(head, found.message):
            work = work_of(draft, head, found.message, self._history)
            outcome.later += [work] if work is not None else []
            outcome.events.append(Ignored(key))
            return
        if not _has_content(message):
            outcome.events.append(Ignored(key))
            return
        await memory.learn_timer(draft, head.chat, found.message)
        incoming = await self._incoming(draft, head, key, message)
        about = await examine(draft, self._keys, head, found.message)
        incoming = attrs.evolve(incoming, found=about)
        text = content_of(incoming, found, head.id).text
        sender, at = None if head.from_me else head.sender, head.at // 1000
        await memory.remember(draft, head.chat, head.id, sender=sender, at=at, found=found, text=text)
        outcome.events.append(parse(incoming))

    async def _incoming(self, draft: Draft, head: Head, key: bytes, message: wa.Message) -> Incoming:
        who = await people.person(draft, head.sender)
        chat = await self.conversation(draft, head.chat, "" if head.from_me else head.name)
        return Incoming(key, head, chat, who.sender(head.name), message)

    async def conversation(self, draft: Draft, chat: Jid, title: str = "") -> Conversation:
        """A conversation as events show it."""
        if chat.is_group:
            info = self._groups.peek(chat)
            return Conversation(str(chat), "group", info.subject if info is not None else "")
        return (await people.person(draft, chat)).conversation(title)

    async def learn(self, draft: Draft, head: Head) -> list[ProviderEvent]:
        """Take the ids that stand beside those of a stanza. Returns events of persons with another number."""
        moved: list[ProviderEvent] = []
        for one, other in ((head.sender, head.sender_other), (head.chat, head.chat_other)):
            former = await people.learn(draft, one, other)
            if former is not None and not head.group:
                moved.append(await self._moved(draft, head, former))
        return moved

    async def _moved(self, draft: Draft, head: Head, former: Jid) -> ProviderEvent:
        person = await people.person(draft, head.chat)
        key = dedupe_key("whatsapp", self._account, "moved", str(former), str(person.id))
        reason = MoveReason.NUMBER_CHANGED
        return ConversationMoved(key, person.conversation(), str(former), reason, "number_changed", head.at)

    def _delivered(self, node: Node, head: Head) -> Node:
        attributes = {"id": head.id, "to": node.get("from")}
        attributes |= members_of(node)
        if head.category == "peer":
            attributes["type"] = "peer_msg"
        elif head.from_me:
            attributes["type"] = "sender"
        return Node("receipt", attributes)


def _has_content(message: wa.Message) -> bool:
    """Whether it is more than a sender key."""
    known = any(field.name not in BESIDE for field, _ in message.ListFields())
    return known or bool(unknown_fields(message))
