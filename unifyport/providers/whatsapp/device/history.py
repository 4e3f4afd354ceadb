"""History that the phone sends after a device was linked: its messages are skipped, but not what they need.

The phone tells of a blob in a message. What was told is a record of its own from the unit that acknowledges
that message until the blob was read, so that a kill between the two loses nothing. Blobs are fetched one at a
time and read piece by piece. Taken are the ids of people, their trusted-contact tokens, disappearing timers,
the account's salt, and the secrets of messages that are not older than what is remembered of messages.
"""

import logging

import trio
from google.protobuf.message import DecodeError

from unifyport.process.clock import Clock
from unifyport.protocols.binary_node import LID, PHONE
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.history import (
    HistoryReader,
    MalformedHistory,
    MessageSecret,
    Part,
    Salt,
    read_mappings,
)
from unifyport.protocols.whatsapp.history_pb2 import Conversation, PhoneNumberToLIDMapping
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.contract.session import MAX_VALUE

from . import memory, people
from .addresses import is_person, read_jid
from .files import FileHandle
from .media import MediaFiles
from .records import Draft, Records
from .tokens import Tokens

log = logging.getLogger(__name__)
RECORD = "history"  # message id -> what was told of a blob
MAX_PACKED = 16 * 1024 * 1024  # bytes of one blob
MOST_SECRETS = 5000  # of one blob
MOST_PENDING = 100  # blobs
_PIECE = 16 * 1024  # bytes that are read between two checkpoints
_STEP = 100  # parts in one unit


class History:
    def __init__(self, records: Records, tokens: Tokens, media: MediaFiles, clock: Clock) -> None:
        self._records = records
        self._clock = clock
        self._tokens = tokens
        self._media = media
        self._one = trio.Lock()

    def note(self, draft: Draft, message_id: str, told: wa.HistorySyncNotification) -> None:
        """Keep what was told, in the unit that acknowledges it. What is inline and too large is left out."""
        value = told.SerializeToString()
        if len(value) <= MAX_VALUE:
            draft.put(RECORD, message_id.encode(), value)

    async def resume(self) -> None:
        """Read the blobs that were told and not read before the last connection ended."""
        for key, value in await self._records.session.scan(RECORD, limit=MOST_PENDING):
            try:
                told = wa.HistorySyncNotification.FromString(value)
            except DecodeError:
                await self._forget(key)
            else:
                await self.take(key.decode(), told)

    async def take(self, message_id: str, told: wa.HistorySyncNotification) -> None:
        """A blob that is damaged, or gone, is left out: what it holds comes with messages, too.

        One that the platform does not give for the moment is read after the next login.
        """
        async with self._one:
            try:
                packed = told.initialHistBootstrapInlinePayload or await self._fetch(told)
                await self._read(packed)
            except MalformedHistory as error:
                log.info("whatsapp: a blob of history could not be read: %s", error)
            except Rejected as error:
                log.info("whatsapp: a blob of history is not there: %s", error.reason)
            except Transient as error:
                log.info("whatsapp: a blob of history was not fetched: %s", error.reason)
                return
            await self._forget(message_id.encode())

    async def _forget(self, key: bytes) -> None:
        async with self._records.lock:
            draft = Draft(self._records)
            draft.put(RECORD, key, None)
            await self._records.commit(draft.changes)

    async def _fetch(self, told: wa.HistorySyncNotification) -> bytes:
        """The blob, once all of it has been authenticated."""
        file = FileHandle(
            media="history",
            path=told.directPath,
            key=told.mediaKey[:32],
            encrypted_sha256=told.fileEncSHA256[:32],
            sha256=told.fileSHA256[:32],
            size=told.fileLength,
        )
        packed = bytearray()

        async def keep(chunk: bytes) -> None:
            packed.extend(chunk)

        await self._media.download(file, keep, MAX_PACKED)
        return bytes(packed)

    async def _read(self, packed: bytes) -> None:
        """Raises `MalformedHistory`; what was read before is kept."""
        reader, taker = HistoryReader(), _Taker(self._records, self._tokens, self._since())
        try:
            for at in range(0, len(packed), _PIECE):
                for part in reader.feed(packed[at : at + _PIECE]):
                    await taker.add(part)
                await trio.lowlevel.checkpoint()
            reader.finish()
        finally:
            await taker.flush()
            if reader.skipped:
                log.info("whatsapp: %d parts of a blob of history could not be read", reader.skipped)

    def _since(self) -> float:
        """Unix seconds: what is older is not remembered. While the clock is in doubt nothing is too old."""
        return 0 if self._clock.in_doubt else self._clock.now_ms() / 1000 - memory.KEPT_SECONDS

    async def take_mapping(self, packed: bytes) -> None:
        taker = _Taker(self._records, self._tokens, self._since())
        try:
            for phone, lid in read_mappings(packed):
                await taker.add(PhoneNumberToLIDMapping(pnJID=f"{phone}@{PHONE}", lidJID=f"{lid}@{LID}"))
        except MalformedHistory as error:
            log.info("whatsapp: a mapping of ids could not be read: %s", error)
        await taker.flush()


class _Taker:
    """Collects parts, and makes what they say durable in units."""

    def __init__(self, records: Records, tokens: Tokens, since: float) -> None:
        self._records = records
        self._tokens = tokens
        self._parts: list[Part] = []
        self._secrets_left = MOST_SECRETS
        self._since = since

    async def add(self, part: Part) -> None:
        if isinstance(part, MessageSecret):
            if self._secrets_left == 0 or part.at < self._since:
                return
            self._secrets_left -= 1
        self._parts.append(part)
        if len(self._parts) >= _STEP:
            await self.flush()

    async def flush(self) -> None:
        parts, self._parts = self._parts, []
        if not parts:
            return
        async with self._records.lock:
            draft = Draft(self._records)
            for part in parts:
                await self._take(draft, part)
            if draft.changes:
                await self._records.commit(draft.changes)

    async def _take(self, draft: Draft, part: Part) -> None:
        if isinstance(part, Conversation):
            await self._take_chat(draft, part)
        elif isinstance(part, PhoneNumberToLIDMapping):
            await people.learn(draft, read_jid(part.pnJID), read_jid(part.lidJID))
        elif isinstance(part, Salt):
            self._tokens.take_salt(draft, part.value)
        elif isinstance(part, MessageSecret):
            await _take_secret(draft, part)

    async def _take_chat(self, draft: Draft, chat: Conversation) -> None:
        jid = read_jid(chat.ID)
        if jid is None:
            return
        await people.learn(draft, jid, read_jid(chat.lidJID) or read_jid(chat.pnJID))
        if chat.tcToken and is_person(jid):
            await self._tokens.take(draft, jid, chat.tcToken, chat.tcTokenTimestamp)
        if chat.HasField("ephemeralExpiration"):
            await memory.set_timer(draft, jid, chat.ephemeralExpiration, chat.ephemeralSettingTimestamp)


async def _take_secret(draft: Draft, part: MessageSecret) -> None:
    """Remember a message as far as an addition to it needs: who sent it, and its secret."""
    chat = read_jid(part.chat)
    if chat is None or not (chat.is_group or is_person(chat)) or len(part.secret) != memory.SECRET_SIZE:
        return
    sender = None if part.from_me else read_jid(part.participant or part.chat)
    if sender is not None and not is_person(sender):
        return
    await memory.remember_secret(draft, chat, part.message_id, sender=sender, at=part.at, secret=part.secret)
