"""Leases with epochs: which process may act for a resource.

Every write for an account or an endpoint carries the epoch of its lease, and the store checks it in the same
transaction. On one node a process holds all leases while it owns the database, which a lock on a *side file*
proves. The lock is not on the database file, because closing a second handle of that file would drop SQLite's
POSIX locks (https://www.sqlite.org/howtocorrupt.html, section 2.2).
"""

import contextlib
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Protocol

import attrs

from unifyport.storage.contract import Store, StoreLocked, StoreUnavailable


@attrs.frozen
class Lease:
    resource: str
    epoch: int


class Fleet(Protocol):
    """The nodes that share a store. `held` is called before every write to a platform, and never blocks."""

    async def claim(self, resources: Sequence[str]) -> list[Lease]: ...
    def held(self, lease: Lease) -> bool: ...
    def release(self, resource: str) -> None: ...


class LocalFleet:
    """One node. A claim counts the epoch up, so that writes of an earlier process or owner are fenced."""

    def __init__(self, store: Store, owner: str) -> None:
        self._store = store
        self._owner = owner
        self._epochs: dict[str, int] = {}

    async def claim(self, resources: Sequence[str]) -> list[Lease]:
        """Leases in the order of `resources`. Raises `StoreUnavailable`."""
        epochs = await self._store.claim(resources, self._owner)
        leases = [Lease(resource, epoch) for resource, epoch in zip(resources, epochs, strict=True)]
        self._epochs.update((lease.resource, lease.epoch) for lease in leases)
        return leases

    def held(self, lease: Lease) -> bool:
        return self._epochs.get(lease.resource) == lease.epoch

    def release(self, resource: str) -> None:
        self._epochs.pop(resource, None)


class DatabaseLock:
    """An exclusive lock on `<database>.lock`, held until `release` or the end of the process."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock. Raises `StoreLocked`, which names the process that holds it; `StoreUnavailable` if
        the directory cannot be written to.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a+", encoding="ascii")
        except OSError as error:
            raise StoreUnavailable(f"cannot write {self._path}: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise StoreLocked(
                f"another UnifyPort (process {holder}) owns this database; stop it first ({self._path})"
            ) from None
        self._file = file
        with contextlib.suppress(OSError):  # of a full disk: then the file has no process id
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()

    def release(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
