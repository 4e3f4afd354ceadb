"""The ciphertexts of a message -> the message, and the sender keys that come with it."""

import logging

from unifyport.protocols.binary_node import Node
from unifyport.protocols.signal.errors import Duplicate, NoSession, SignalError
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.messages import read_message, unknown_fields, unpad

from .ratchets import Ratchets
from .records import Draft
from .stanzas import Head
from .wrappers import BESIDE

log = logging.getLogger(__name__)


class Undecryptable(Exception):
    """`reason`: a word. `with_keys`: the sender needs keys of ours, as it has, or we have, no session."""

    def __init__(self, reason: str, *, with_keys: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.with_keys = with_keys


class Decryption:
    """The caller holds `Records.lock`."""

    def __init__(self, ratchets: Ratchets) -> None:
        self._ratchets = ratchets

    async def read(self, draft: Draft, node: Node, head: Head) -> wa.Message | None:
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
            if found is None or has_content(message):
                found = message
        return found

    async def _decrypt_part(self, draft: Draft, head: Head, part: Node) -> bytes:
        kind, body = part.get("type"), part.bytes_of() or b""
        sender = head.sender_other if head.sender_other is not None and head.sender_other.is_lid else None
        device = sender.on_device(head.sender.device) if sender is not None else head.sender
        if kind in ("pkmsg", "msg"):
            padded = await self._ratchets.decrypt(draft, device, kind, body)
        elif kind == "skmsg" and head.by_sender_key:
            padded = await self._ratchets.decrypt_group(draft, head.chat, device, body)
        else:
            raise Undecryptable("unknown_encryption")
        return unpad(padded, part.number("v", 2))

    async def _take_sender_key(self, draft: Draft, head: Head, message: wa.Message) -> None:
        if not message.HasField("senderKeyDistributionMessage") or not head.by_sender_key:
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


def has_content(message: wa.Message) -> bool:
    """Whether it is more than a sender key."""
    known = any(field.name not in BESIDE for field, _ in message.ListFields())
    return known or bool(unknown_fields(message))
