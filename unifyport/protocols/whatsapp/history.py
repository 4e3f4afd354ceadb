"""The history that a phone sends after a device was linked, read piece by piece: a blob may inflate to much
more.

A blob is a `HistorySync`, compressed with zlib. Of each conversation the reader gives what concerns the
conversation, and of its messages only their secrets, with which later votes, reactions and edits open; texts
and files are passed over.
"""

import zlib
from collections.abc import Iterator
from typing import Final

import attrs
from google.protobuf.message import DecodeError

from unifyport.protocols.whatsapp import wire
from unifyport.protocols.whatsapp.history_pb2 import (
    Conversation,
    HistorySync,
    HistorySyncMsg,
    PhoneNumberToLIDMapping,
    Pushname,
    WebMessageInfo,
)
from unifyport.protocols.whatsapp.whatsapp_pb2 import LIDMigrationMapping, LIDMigrationMappingSyncPayload

MAX_HISTORY: Final = 256 << 20  # inflated bytes of one blob
MAX_RECORD: Final = 8 << 20  # bytes of one conversation; of a larger one nothing is taken
_STEP: Final = 64 << 10  # bytes that are inflated at a time
_CONVERSATION: Final = HistorySync.CONVERSATIONS_FIELD_NUMBER
_MESSAGE: Final = Conversation.MESSAGES_FIELD_NUMBER
_MAPPING: Final = HistorySync.PHONENUMBERTOLIDMAPPINGS_FIELD_NUMBER
_PUSH_NAME: Final = HistorySync.PUSHNAMES_FIELD_NUMBER
_PAIR: Final = LIDMigrationMappingSyncPayload.PNTOLIDMAPPINGS_FIELD_NUMBER
_SALT: Final = HistorySync.NCTSALT_FIELD_NUMBER


class MalformedHistory(ValueError):
    """A blob is damaged, truncated, or larger than the limit. What was read of it before is good."""


@attrs.frozen
class Salt:
    """From which `trusted_contacts.cs_token` is made."""

    value: bytes = attrs.field(repr=False)


@attrs.frozen
class MessageSecret:
    """The secret of one message.

    `participant` is its sender in a group, empty elsewhere and in own messages. `at` is in Unix seconds, by
    the sender's clock.
    """

    chat: str
    message_id: str
    from_me: bool
    participant: str
    at: int
    secret: bytes = attrs.field(repr=False)


Part = Conversation | PhoneNumberToLIDMapping | Pushname | Salt | MessageSecret


class HistoryReader:
    """Reads one blob, of which it holds at most one conversation.

    `skipped` counts the blob's records that were damaged or too large. A damaged message inside a
    conversation is passed over and not counted.
    """

    def __init__(self, *, max_history: int = MAX_HISTORY, max_record: int = MAX_RECORD) -> None:
        self.skipped = 0
        self._inflater = zlib.decompressobj()
        self._buffer = bytearray()
        self._to_drop = 0  # bytes of a record that is too large
        self._left = max_history
        self._max_record = max_record

    def feed(self, data: bytes) -> Iterator[Part]:
        """What this piece of the blob completes; the next piece may follow when this iterator is exhausted.

        `Conversation`s come without their `messages`. Raises `MalformedHistory`.
        """
        while data:
            try:
                inflated = self._inflater.decompress(data, _STEP)
            except zlib.error as error:
                raise MalformedHistory("A blob of history is damaged") from error
            data = self._inflater.unconsumed_tail
            self._left -= len(inflated)
            if self._left < 0:
                raise MalformedHistory("A blob of history is too large")
            self._buffer += inflated
            yield from self._complete_records()

    def finish(self) -> None:
        """Raises `MalformedHistory` if the blob was not whole."""
        if not self._inflater.eof or self._buffer or self._to_drop:
            raise MalformedHistory("A blob of history is truncated")

    def _complete_records(self) -> Iterator[Part]:
        at = self._drop(0)
        while at < len(self._buffer):
            try:
                number, start, end = wire.header(self._buffer, at)
            except wire.NeedMore:
                break
            except wire.MalformedRecord as error:
                raise MalformedHistory("A blob of history cannot be read") from error
            if end - start > self._max_record:
                self.skipped += 1
                self._to_drop = end - at
                at = self._drop(at)
                continue
            if end > len(self._buffer):
                break
            yield from self._read(number, bytes(self._buffer[start:end]))
            at = end
        del self._buffer[:at]

    def _drop(self, at: int) -> int:
        dropped = min(self._to_drop, len(self._buffer) - at)
        self._to_drop -= dropped
        return at + dropped

    def _read(self, number: int, value: bytes) -> Iterator[Part]:
        """One record costs no other one: what cannot be read is counted."""
        try:
            if number == _CONVERSATION:
                yield from _conversation(value)
            elif number == _MAPPING:
                yield PhoneNumberToLIDMapping.FromString(value)
            elif number == _PUSH_NAME:
                yield Pushname.FromString(value)
            elif number == _SALT:
                yield Salt(value)
        except (DecodeError, wire.MalformedRecord):
            self.skipped += 1


def _conversation(value: bytes) -> Iterator[Part]:
    head = bytearray()
    messages: list[tuple[int, int]] = []
    for number, at, start, end in wire.records(value):
        if number == _MESSAGE:
            messages.append((start, end))
        else:
            head += value[at:end]
    conversation = Conversation.FromString(bytes(head))
    yield conversation
    for start, end in messages:
        try:
            message = HistorySyncMsg.FromString(value[start:end]).message
        except DecodeError:
            continue
        if secret := _secret(conversation.ID, message):
            yield secret


def _secret(chat: str, message: WebMessageInfo) -> MessageSecret | None:
    secret = message.messageSecret or message.message.messageContextInfo.messageSecret
    key = message.key
    if not secret or not key.ID:
        return None
    participant = key.participant or message.participant
    at = message.messageTimestamp
    return MessageSecret(key.remoteJID or chat, key.ID, key.fromMe, participant, at, secret)


def read_mappings(packed: bytes) -> Iterator[tuple[int, int]]:
    """Phone number and LID of each pair in `encodedMappingPayload`, which is compressed with gzip.

    Raises `MalformedHistory`; what was given before is good.
    """
    inflater = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        data = inflater.decompress(packed, MAX_RECORD)
    except zlib.error as error:
        raise MalformedHistory("A mapping is damaged") from error
    if not inflater.eof:
        raise MalformedHistory("A mapping is truncated or too large")
    try:
        for number, _, start, end in wire.records(data):
            if number == _PAIR:
                pair = LIDMigrationMapping.FromString(data[start:end])
                lid = pair.latestLid or pair.assignedLid
                if pair.pn and lid:
                    yield pair.pn, lid
    except (DecodeError, wire.MalformedRecord) as error:
        raise MalformedHistory("A mapping cannot be read") from error
