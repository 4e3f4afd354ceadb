"""The newest debts in memory: an endpoint that keeps up gets them without a read.

Each commit reads the debts that it made, as long as endpoints keep up. They are complete above a position of
the log, because a commit knows the position before it: where another process committed in between, or a
commit changed debts in any other way than by new events and outcomes, everything here is forgotten.
"""

import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence

import attrs

from unifyport.model.owed import Owed
from unifyport.model.unit import Unit

from ..contract import AcceptCommand, Settle, UseApiKey, Write
from . import reads

MOST = 128  # rows
MOST_OF_COMMIT = 64
MAX_BYTES = 1024 * 1024  # of bodies
_PLAIN = (Unit, Settle, AcceptCommand, UseApiKey)  # writes that change no debt that was not tried


@attrs.frozen
class Debts:
    """What a commit owes: to which endpoint, which event. `before`, `upto`: positions of the log around it.

    `rows` is None where they were not read.
    """

    before: int
    upto: int
    rows: list[tuple[int, Owed]] | None


class NewestDebts:
    """Used in the event loop's thread only. A row is given once."""

    def __init__(self) -> None:
        self.wanted = False  # whether commits are to read their debts
        self._rows: deque[tuple[int, Owed]] = deque()  # endpoint number, debt; in order of position
        self._bytes = 0
        self._after = self._upto = -1  # all debts between these positions are here, or were given
        self._given: dict[int, int] = {}  # endpoint number -> the last position that it was given

    def add(self, writes: Sequence[Write], commits: Iterable[Debts]) -> None:
        """Writes were committed, in one or several commits."""
        for debts in commits:
            if debts.rows is None or debts.before != self._upto or self._after < 0:
                self._forget(debts.upto if debts.rows is None else debts.before)
            self._upto = debts.upto
            for no, row in debts.rows or ():
                self._rows.append((no, row))
                self._bytes += len(row.body)
        if len(self._rows) > MOST or self._bytes > MAX_BYTES:
            self.wanted = False  # an endpoint does not keep up
            self._forget(self._upto)
        if not all(isinstance(write, _PLAIN) for write in writes):
            self.forget()

    def forget(self) -> None:
        """Debts may have changed."""
        self._forget(-1)

    def take(self, endpoint_no: int, after: int, limit: int) -> list[Owed]:
        """Debts of round 0 that were never tried, above a position; none if it is not known."""
        if not 0 <= self._after <= after or after < self._given.get(endpoint_no, 0):
            return []
        found: list[Owed] = []
        kept: deque[tuple[int, Owed]] = deque()
        for no, row in self._rows:
            if no != endpoint_no or (row.seq > after and len(found) >= limit):
                kept.append((no, row))
                continue
            self._bytes -= len(row.body)
            if row.seq > after:
                found.append(row)
        self._rows = kept
        if found:
            self._given[endpoint_no] = found[-1].seq
        return found

    def _forget(self, upto: int) -> None:
        self._rows.clear()
        self._given.clear()
        self._bytes, self._after, self._upto = 0, upto, upto


def read_debts(db: sqlite3.Connection, before: int, upto: int) -> Debts:
    """In the transaction that made them."""
    rows = list(reads.owed_since(db, before, MOST_OF_COMMIT + 1)) if upto > before else []
    return Debts(before, upto, rows if len(rows) <= MOST_OF_COMMIT else None)
