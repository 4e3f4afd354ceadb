"""A disk that can be made slow."""

import threading
from typing import Any

import pytest

from unifyport.storage.sqlite.store import SqliteStore


class SlowDisk:
    """While `slow` is set, each commit waits, 20 s at most, until it is cleared."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._free = threading.Event()
        self._free.set()
        commit = SqliteStore._commit

        def slowly(store: SqliteStore, writes: Any) -> Any:
            self._free.wait(20)
            return commit(store, writes)

        monkeypatch.setattr(SqliteStore, "_commit", slowly)

    def stall(self) -> None:
        self._free.clear()

    def go_on(self) -> None:
        self._free.set()
