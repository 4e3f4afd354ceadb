"""Sends whose answers are not known, by the `random_id` under which the platform executes a send once.

A row is made durable with the command's mark, before the first byte, and goes with the events of the answer.
A row that no send is at work on belongs to a command whose outcome is `unknown`. It is settled by the message
coming back, or by asking again under the same `random_id` (`settling.py`).
"""

import contextlib
import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import trio

from unifyport.model.unit import SessionChange
from unifyport.providers.records import Records, scan_all

from .peer import id_of

PENDING: Final = "pending"
_ANSWERED: Final = 512
_SKEW_SECONDS: Final = 120
_MATCH_SECONDS: Final = 3600


class Row(msgspec.Struct, array_like=True):
    """`request`: the call, as bytes; empty if it is too large. `at`: unix ms."""

    conversation: int
    digest: bytes
    at: int
    request: bytes


def key_of(random_id: int) -> bytes:
    return str(random_id).encode()


def digest_of(text: str, has_media: bool) -> bytes:
    return hashlib.sha256(b"%d" % has_media + text.strip().encode()).digest()[:16]


class Pending:
    """The sends of one account."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.rows: dict[int, Row] = {}
        self.in_progress: set[int] = set()
        self._answered: OrderedDict[int, None] = OrderedDict()
        self._found: dict[int, tuple[trio.Event, list[int]]] = {}
        self.lost = trio.Event()  # a send has ended whose outcome is not known

    async def load(self) -> None:
        for key, value in await scan_all(self._records.session, PENDING):
            with contextlib.suppress(msgspec.DecodeError, ValueError):
                self.rows[int(key)] = msgspec.msgpack.decode(value, type=Row)

    @contextlib.contextmanager
    def sending(self, random_ids: list[int], row: Row) -> Iterator[list[SessionChange]]:
        """While a message is sent. Gives the changes that belong to the command's mark."""
        self.in_progress.update(random_ids)
        self._found |= {random_id: (trio.Event(), []) for random_id in random_ids}
        stored = msgspec.msgpack.encode(row)
        for random_id in random_ids:
            self.rows[random_id] = row
        try:
            yield [SessionChange(PENDING, key_of(random_id), stored) for random_id in random_ids]
        finally:
            self.in_progress.difference_update(random_ids)
            for random_id in random_ids:
                self._found.pop(random_id, None)
            if not self.rows.keys().isdisjoint(random_ids):
                self.lost.set()

    def known(self, random_id: int, message_id: int = 0) -> None:
        """The outcome of a send is known; its row goes with the next batch."""
        self.rows.pop(random_id, None)
        if message_id:
            self.note_answered(message_id)

    def tell(self, random_id: int, message_id: int) -> None:
        """The message of a send in progress has come back ahead of the answer."""
        event, ids = self._found[random_id]
        ids.append(message_id)
        event.set()

    async def wait_found(self, random_id: int) -> int:
        """The id of the message of a send in progress, once it has come back."""
        event, ids = self._found[random_id]
        await event.wait()
        return ids[0]

    def end(self, random_id: int, message_id: int = 0) -> SessionChange:
        """The send is settled: its row goes with what the returned change is committed with."""
        self.rows.pop(random_id, None)
        if message_id:
            self.note_answered(message_id)
        return SessionChange(PENDING, key_of(random_id), None)

    def note_answered(self, message_id: int) -> None:
        """A send was answered with this message."""
        self._answered[message_id] = None
        if len(self._answered) > _ANSWERED:
            self._answered.popitem(last=False)

    @property
    def answered(self) -> frozenset[int]:
        return frozenset(self._answered)

    def match(self, message: Any, *, is_fetched: bool) -> int | None:
        """The send that a message of the account is, where the platform does not say: the oldest one of the
        same conversation and content. What the server pushes is of no send in progress: it answers that.
        """
        at, digest = int(message.date.timestamp()) * 1000, None
        for random_id, row in self.rows.items():
            if row.conversation != id_of(message.peer_id):
                continue
            if random_id in self.in_progress and (not is_fetched or self._found[random_id][1]):
                continue
            digest = digest or digest_of(message.message or "", message.media is not None)
            if row.digest == digest and -_SKEW_SECONDS * 1000 <= at - row.at <= _MATCH_SECONDS * 1000:
                return random_id
        return None
