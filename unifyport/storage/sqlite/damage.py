"""Damage that was found while the database is in use.

While there is some, nothing is written: what is written to a damaged database may be lost. A read that fails
can look like damage (SQLite takes a write-ahead log for damaged of which it cannot read a part), so the file
is checked again from time to time, and used again if it is whole. The third finding is believed.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .copies import quick_check
from .trouble import damaged

LOOK_EVERY = 5.0  # seconds
LOOK_SECONDS = 10.0  # of one check
BELIEVED = 3  # times


class Damage:
    """`connect` opens a new connection. Used by the threads of one store."""

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection]) -> None:
        self.found: str | None = None  # for the operator
        self.times = 0  # findings; connections from before one are not to be used any more
        self._path = path
        self._connect = connect
        self._look_at = 0.0
        self._looking = threading.Lock()

    def note(self, error: BaseException) -> str:
        if self.found is None:
            self.times += 1
            self._look_at = time.monotonic() + LOOK_EVERY
        self.found = damaged(self._path, str(error))
        return self.found

    def look_again(self) -> str | None:
        """The damage, after a check of the file if it is time for one."""
        if self.found is None or self.times >= BELIEVED or time.monotonic() < self._look_at:
            return self.found
        if self._looking.acquire(blocking=False):
            try:
                self._look_at = time.monotonic() + LOOK_EVERY
                if self._is_whole():
                    self.found = None
            finally:
                self._looking.release()
        return self.found

    def _is_whole(self) -> bool:
        try:
            with contextlib.closing(self._connect()) as connection:
                return quick_check(connection, LOOK_SECONDS) is None
        except sqlite3.Error:
            return False
