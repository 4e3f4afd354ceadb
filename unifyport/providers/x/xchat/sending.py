"""Messages of commands to conversations of XChat.

    find the key of the conversation          `senders_keys.py`
    encrypt, which mints the message's id
    `Session.sending`, client_ref = that id   with a row by which the event that X reports back is known
    hand over                                 once; a lost answer leaves the send unknown until that report

X may refuse a message because the conversation has a newer key: then that key is fetched and the message is
made and sent once more, under a new id, as the first one was not taken.
"""

import attrs
import msgspec

from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND, Sent
from unifyport.providers.contract.errors import ChannelError, RateLimited, Rejected, Transient
from unifyport.providers.contract.session import Session
from unifyport.providers.recent import Recent

from . import files
from .heads import Item, Unreadable, read_item
from .ids import conversation_of, in_path
from .made import Encoded
from .making import File, Key, Making
from .records import MESSAGE, SENT, Message, message_place
from .records import Sent as SentRow
from .senders_keys import SendersKeys
from .threads import CryptoError, compute
from .transport import ChatTransport

MAX_TEXT = 10_000
_REMEMBERED = 1024
_RATE_SECONDS = 60.0
INVALID_REQUEST = "invalid_request"  # a reason of both connections
_OUT_OF_DATE = frozenset({6, 8})
# `failure_type` (https://github.com/mautrix/twitter, `data/payload/thrift.go`).
_FAILURES = {
    3: "too_large",
    5: "signature_refused",
    6: "conversation_key_out_of_date",
    7: "conversation_not_accepted",
    8: "recipient_key_changed",
    9: "encrypted_only",
    11: "looks_like_spam",
    13: "signature_refused",
    15: "not_a_member",
    16: "signature_refused",
}
_TOO_FAST = frozenset({4, 12})


class Failed(Exception):
    """X's answer says that it has not taken the message. `failure`: for the caller."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def failure(self) -> ChannelError:
        if self.number in _TOO_FAST:
            return RateLimited(_RATE_SECONDS)
        return Rejected(_FAILURES.get(self.number, "refused_by_x"), code=self.number)


@attrs.define
class Handing:
    """Hands what was made to X, and remembers what X has made of it."""

    transport: ChatTransport
    session: Session
    me: str
    clock: Clock
    answered: Recent[str, Message] = attrs.field(factory=lambda: Recent(_REMEMBERED))

    def row(self, message_id: str, conversation: str, *, client_ref: str = "") -> SessionChange:
        """By which the report of it is known."""
        kept = SentRow(conversation, self.clock.now_ms(), client_ref)
        return SessionChange(SENT, message_id.encode(), msgspec.msgpack.encode(kept))

    async def hand_over(self, made: Encoded, text: str = "") -> None:
        """Send it, once. Raises `Failed`, failure classes."""
        answer = await self.transport.send(made.conversation, made)
        item = self._answer(answer, made)
        detail = item.event.detail
        if detail is not None and detail.failure is not None:
            raise Failed(detail.failure.failure_type or 0)
        if item.head.message_id != made.message_id or item.head.sequence is None:
            raise Transient("malformed_answer", maybe_applied=True)
        at = item.head.at or self.clock.now_ms()
        self.answered.put(
            made.message_id,
            Message(item.head.sequence, self.me, at, made.key_version, text[:512], answer),
        )

    def _answer(self, answer: str, made: Encoded) -> Item:
        try:
            item = read_item(answer, self.me)
        except Unreadable:
            raise Transient("malformed_answer", maybe_applied=True) from None
        if item.head.conversation != made.conversation:
            raise Transient("malformed_answer", maybe_applied=True)
        return item

    async def kept(self, conversation: str, message_id: str) -> Message:
        """A message that a command names. Raises `Rejected("message_not_found")`."""
        if (known := self.answered.get(message_id)) is not None:
            return known
        stored = None
        if 0 < len(message_id) <= 64 and message_id.isascii():
            stored = await self.session.get(MESSAGE, message_place(conversation, message_id))
        if stored is None:
            raise Rejected("message_not_found", "no message of this id is known in the conversation")
        return msgspec.msgpack.decode(stored, type=Message)


def conversation(me: str, conversation_id: str) -> str:
    """As in signatures. Raises `Rejected(CONVERSATION_NOT_FOUND)`."""
    found = conversation_of(me, conversation_id)
    if found is None:
        raise Rejected(CONVERSATION_NOT_FOUND)
    return found


@attrs.frozen
class Refused:
    """A message that X has not taken, and what it was made of."""

    made: Encoded
    key: Key
    text: str
    original: Message | None
    failure: ChannelError


class Sending:
    """The sends of one connection."""

    def __init__(self, handing: Handing, making: Making, keys: SendersKeys) -> None:
        self._handing = handing
        self._making = making
        self._keys = keys

    async def send(self, message: OutboundMessage, quoted: str | None = None) -> Sent:
        """Send a text or a file, once. Raises failure classes, and what `Session.sending` raises."""
        handing = self._handing
        place = conversation(handing.me, message.conversation_id)
        original = None if quoted is None else await handing.kept(place, quoted)
        if len(message.text) > MAX_TEXT:
            raise Rejected("text_too_long", f"X takes at most {MAX_TEXT} characters")
        key = await self._keys.find(place)
        attached = [await self._uploaded(message, key)] if isinstance(message, OutboundMedia) else []
        made = await self._make(key, message.text, original, attached)
        ref = made.message_id
        await handing.session.sending(message, [handing.row(ref, place, client_ref=ref)], client_ref=ref)
        try:
            await handing.hand_over(made, message.text)
        except Failed as failed:
            if failed.number not in _OUT_OF_DATE or attached:
                raise failed.failure from None
            made = await self._again(Refused(made, key, message.text, original, failed.failure))
        except Rejected as refused:  # the API says of no refusal that it is for the key
            if refused.reason != INVALID_REQUEST or attached:
                raise
            made = await self._again(Refused(made, key, message.text, original, refused))
        return Sent(made.message_id, in_path(place))

    async def _again(self, refused: Refused) -> Encoded:
        """Send it under the newer key, if there is one; X's report of it is then the end of the command."""
        newer = await self._keys.newer(refused.key)
        if newer is None:
            raise refused.failure
        handing, first = self._handing, refused.made.message_id
        made = await self._make(newer, refused.text, refused.original, [])
        row = handing.row(made.message_id, made.conversation, client_ref=first)
        await handing.session.commit([row, SessionChange(SENT, first.encode(), None)])
        try:
            await handing.hand_over(made, refused.text)
        except Failed as again:
            raise again.failure from None
        return made

    async def _uploaded(self, message: OutboundMedia, key: Key) -> File:
        transport = self._handing.transport
        media_hash = await files.upload(transport, key.conversation, key.raw, message)
        duration = message.voice.seconds if message.voice is not None else None
        return File(
            media_hash,
            files.kind_of(message),
            message.name[:256],
            message.size,
            duration_ms=None if duration is None else duration * 1000,
        )

    async def _make(self, key: Key, text: str, original: Message | None, attached: list[File]) -> Encoded:
        try:
            if original is None:
                return await compute(self._making.text, key, text, attached)
            return await compute(self._making.reply, key, text, original, attached)
        except CryptoError:
            raise Rejected("not_encryptable", "XChat's library refuses the message") from None
