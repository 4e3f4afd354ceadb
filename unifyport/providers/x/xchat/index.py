"""What all readers of opened events share: keys, targets, and what the session keeps of messages.

X names the target of a reaction, an edit, a deletion and a read mark by its sequence id, which is the
server's; we name messages by their signed id. So both are kept for each message. A repeat of an event has the
same key whatever its sequence id is, and so is a repeat for us as well.
"""

from typing import Any

import msgspec

from unifyport.model.inbound import (
    Content,
    Conversation,
    Ignored,
    PlatformEvent,
    ProviderEvent,
    Status,
    StatusChanged,
    Unparsed,
    dedupe_key,
    raw_key,
)
from unifyport.process.clock import Clock

from ..api.people import conversation as conversation_in_model
from ..api.people import sender
from .heads import Head
from .opening import Refused
from .records import MESSAGE, SENT, SEQUENCE, Draft, Message, Sent, message_place, sequence_place

MAX_KEPT_EVENT = 16 * 1024  # characters
MAX_KEPT_TEXT = 512
_MAX_QUARANTINED = 64 * 1024


class Index:
    """`me`: the id of the account's user."""

    def __init__(self, me: str, clock: Clock) -> None:
        self._me = me
        self._clock = clock

    def _chat(self, head: Head) -> Conversation:
        return conversation_in_model(self._me, head.conversation, {})

    async def _own(self, head: Head, draft: Draft) -> ProviderEvent | None:
        """The end of what this gateway has sent; None: it was sent elsewhere."""
        stored = await draft.get(SENT, head.message_id.encode())
        if stored is None:
            return None
        draft.put(SENT, head.message_id.encode(), None)
        if not (ref := msgspec.msgpack.decode(stored, type=Sent).client_ref):
            return Ignored(self._key(head))
        chat, at = self._chat(head), self._at(head)
        id_ = head.message_id
        return StatusChanged(self._key(head), chat, [id_], Status.SENT, at, client_ref=ref)

    async def kept(self, conversation: str, message_id: str, draft: Draft) -> Message | None:
        stored = await draft.get(MESSAGE, message_place(conversation, message_id))
        return None if stored is None else msgspec.msgpack.decode(stored, type=Message)

    async def _keep(self, head: Head, draft: Draft, text: str, encoded: str) -> None:
        """Keep what later events and commands need of a message; of its repeats the first one counts."""
        place = message_place(head.conversation, head.message_id)
        if head.sequence is None or await draft.get(MESSAGE, place) is not None:
            return
        event = encoded if len(encoded) <= MAX_KEPT_EVENT else ""
        kept = Message(
            head.sequence, head.sender, self._at(head), head.version or 0, text[:MAX_KEPT_TEXT], event
        )
        draft.put(MESSAGE, place, msgspec.msgpack.encode(kept))
        draft.put(SEQUENCE, sequence_place(head.conversation, head.sequence), head.message_id.encode())

    async def _target(self, head: Head, sequence: Any, draft: Draft) -> str:
        """The signed id of the message with a sequence id; the sequence id itself where it is not known."""
        text = str(sequence or "")
        if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) >= 2**63:
            raise ValueError("sequence")
        stored = await draft.get(SEQUENCE, sequence_place(head.conversation, int(text)))
        return text if stored is None else stored.decode()

    def _key(self, head: Head, *more: str) -> bytes:
        return dedupe_key("x", self._me, "chat", head.conversation, head.message_id, *more)

    def _at(self, head: Head) -> int:
        return self._clock.now_ms() if head.at is None else head.at

    def _echo(
        self, head: Head, details: dict[str, Any], content: Content | None = None, more: tuple[str, ...] = ()
    ) -> PlatformEvent:
        chat, who = self._chat(head), sender(self._me, {})
        key = self._key(head, *more)
        return PlatformEvent(
            key, "message_echo", head.at, chat, who, content, direction="outbound", details=details
        )

    def _other(self, head: Head, plain: dict[str, Any], name: str = "") -> PlatformEvent:
        chat = self._chat(head)
        named = name or f"chat.{plain.get('type')}"[:64]
        return PlatformEvent(self._key(head), named, head.at, chat, sender(head.sender, {}))

    def _quarantined(self, refused: Refused) -> Unparsed:
        """Never under the key of the message that it claims to be, which may come yet."""
        raw = refused.encoded.encode("utf-8", "replace")[:_MAX_QUARANTINED]
        return Unparsed(raw_key("x", self._me, raw, "chat"), raw, refused.reason)
