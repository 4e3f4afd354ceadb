"""History that the phone sends after a device was linked: its messages are skipped, but not what they need.

A blob is fetched at its turn, one at a time, and read within a budget. Taken are the ids of people, their
trusted-contact tokens, disappearing timers, and the account's salt.
"""

import gzip
import io
import logging
import zlib

import trio
from google.protobuf.message import DecodeError

from unifyport.protocols.binary_node import LID, PHONE, Jid
from unifyport.protocols.whatsapp import whatsapp_pb2 as wa
from unifyport.protocols.whatsapp.history_pb2 import Conversation, HistorySync
from unifyport.providers.contract.errors import Rejected, Transient

from . import memory, people
from .addresses import is_person, read_jid
from .files import FileHandle
from .media import MediaFiles
from .records import Draft, Records
from .tokens import Tokens

log = logging.getLogger(__name__)
MAX_PACKED = 16 * 1024 * 1024  # bytes of one blob
MAX_BLOB = 64 * 1024 * 1024  # bytes, inflated
_STEP = 100  # conversations or pairs of ids in one unit


class History:
    def __init__(self, records: Records, tokens: Tokens, media: MediaFiles) -> None:
        self._records = records
        self._tokens = tokens
        self._media = media
        self._one = trio.Lock()

    async def take(self, told: wa.HistorySyncNotification) -> None:
        """A blob that cannot be fetched or read is left out: what it holds comes with messages, too."""
        async with self._one:
            try:
                packed = told.initialHistBootstrapInlinePayload or await self._fetch(told)
                found = HistorySync.FromString(_inflate(packed))
            except (Rejected, Transient) as error:
                log.info("whatsapp: a blob of history was not fetched: %s", error.reason)
            except (zlib.error, ValueError, DecodeError):
                log.info("whatsapp: a blob of history could not be read")
            else:
                await self._take(found)

    async def _fetch(self, told: wa.HistorySyncNotification) -> bytes:
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

    async def _take(self, found: HistorySync) -> None:
        pairs = [(read_jid(each.pnJID), read_jid(each.lidJID)) for each in found.phoneNumberToLidMappings]
        await self._learn(pairs)
        chats = list(found.conversations)
        for start in range(0, len(chats), _STEP):
            async with self._records.lock:
                draft = Draft(self._records)
                for chat in chats[start : start + _STEP]:
                    await self._take_chat(draft, chat)
                if start == 0 and found.nctSalt:
                    self._tokens.take_salt(draft, found.nctSalt)
                await self._records.commit(draft.changes)

    async def _take_chat(self, draft: Draft, chat: Conversation) -> None:
        jid = read_jid(chat.ID)
        if jid is None:
            return
        await people.learn(draft, jid, read_jid(chat.lidJID) or read_jid(chat.pnJID))
        if chat.tcToken and is_person(jid):
            await self._tokens.take(draft, jid, chat.tcToken, chat.tcTokenTimestamp)
        if chat.ephemeralExpiration:
            await memory.set_timer(draft, jid, chat.ephemeralExpiration, chat.ephemeralSettingTimestamp)

    async def take_mapping(self, packed: bytes) -> None:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
                mapping = wa.LIDMigrationMappingSyncPayload.FromString(file.read(MAX_BLOB))
        except (OSError, EOFError, zlib.error, DecodeError):
            log.info("whatsapp: a mapping of ids could not be read")
            return
        pairs: list[tuple[Jid | None, Jid | None]] = [
            (Jid(str(each.pn), PHONE), Jid(str(each.latestLid or each.assignedLid), LID))
            for each in mapping.pnToLidMappings
            if each.pn and (each.latestLid or each.assignedLid)
        ]
        await self._learn(pairs)

    async def _learn(self, pairs: list[tuple[Jid | None, Jid | None]]) -> None:
        for start in range(0, len(pairs), _STEP):
            async with self._records.lock:
                draft = Draft(self._records)
                for phone, lid in pairs[start : start + _STEP]:
                    await people.learn(draft, phone, lid)
                if draft.changes:
                    await self._records.commit(draft.changes)


def _inflate(packed: bytes) -> bytes:
    """Raises `zlib.error`, and `ValueError` for more than `MAX_BLOB` bytes."""
    inflater = zlib.decompressobj()
    data = inflater.decompress(packed, MAX_BLOB)
    if inflater.unconsumed_tail:
        raise ValueError("a blob of history is too large")
    return data
