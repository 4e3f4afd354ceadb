"""Copies of the database: backups while it is in use, their verification, and putting one in its place.

A copy is made by SQLite's backup API from one snapshot, while others write
(https://www.sqlite.org/backup.html). It is complete in itself: it has no write-ahead log, and needs nothing
but the master key. It appears under its name only when it was verified and is on the disk.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import sqlite_utils

from ..contract import StoreUnavailable
from ..sealing import KeyRing, SealError
from .marker import Marker, give_id
from .schema import check_version
from .trouble import damaged, is_damage

MOST_FINDINGS = 20
_BESIDE = ("-wal", "-shm", "-journal")
# Positions of events go on far behind those that were given out after the backup, so that a cursor that a
# caller keeps does not pass over new events.
_SEQ_LEAP = 1_000_000_000


def quick_check(connection: sqlite3.Connection, seconds: float) -> str | None:
    """What `PRAGMA quick_check` finds first within `seconds`, if anything. Raises `sqlite3.Error`."""
    until = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    try:
        found = [str(row[0]) for row in connection.execute("pragma quick_check(1)")]
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            return None
        raise
    finally:
        connection.set_progress_handler(None, 0)
    return None if found == ["ok"] else found[0].splitlines()[0]


def find_damage(path: Path) -> list[str]:
    """Everything that SQLite finds wrong, at most `MOST_FINDINGS` lines; reads the whole file."""
    try:
        with contextlib.closing(open_file(path, "ro")) as connection:
            found = [str(row[0]) for row in connection.execute(f"pragma integrity_check({MOST_FINDINGS})")]
            found += [f"a row of {row[0]} names no row of {row[2]}" for row in _orphans(connection)]
    except sqlite3.Error as error:
        return [str(error)]
    return [line for text in found if text != "ok" for line in text.splitlines()][:MOST_FINDINGS]


def _orphans(connection: sqlite3.Connection) -> Sequence[Sequence[str]]:
    return connection.execute("pragma foreign_key_check").fetchmany(MOST_FINDINGS)


def back_up(database: Path, file: Path, ring: KeyRing) -> int:
    """Write a verified copy of `database`, which may be in use, to `file`; returns its size in bytes.

    Raises `StoreUnavailable`, `SealError`, `FileExistsError`.
    """
    if file.exists():
        raise FileExistsError(file)
    if not file.parent.is_dir():  # a disk for backups that is not mounted looks like this
        raise StoreUnavailable(f"there is no directory {file.parent}: make it, or mount what it is on, first")
    Marker(database).require_database()
    with _part_of(file) as part:
        _copy(database, part)
        verify(part, ring)
        with contextlib.closing(open_file(part, "rw")) as copy:
            give_id(copy)
    return file.stat().st_size


def copy_as_it_is(database: Path, file: Path) -> None:
    """A copy with the same id, in place of an older one of this name. Raises `StoreUnavailable`."""
    with _part_of(file) as part:
        _copy(database, part)


def verify(file: Path, ring: KeyRing) -> None:
    """Raises `StoreUnavailable` for a file that is damaged or no database of this program, `SealError` if
    the ring does not open it, `SchemaTooNew`.
    """
    if not file.is_file():
        raise StoreUnavailable(f"{file} is not a file")
    if found := find_damage(file):
        raise StoreUnavailable(f"{file} is damaged: {found[0]}")
    with contextlib.closing(open_file(file, "ro")) as connection:
        check_version(sqlite_utils.Database(connection))
        try:
            row = connection.execute("select value from meta where key = 'ring_check'").fetchone()
        except sqlite3.Error:
            row = None
    if row is None:
        raise StoreUnavailable(f"{file} is no database of UnifyPort")
    try:
        ring.open("check", ["meta", "ring_check"], row[0])
    except SealError:
        raise SealError(f"security.master_key does not open {file}") from None


def restore(file: Path, database: Path, ring: KeyRing, now: int) -> Path | None:
    """Put a copy of the backup `file` in the place of `database`, which no process may use.

    Returns where the database that was there is now. `now`: unix ms. Raises what `verify` raises.
    """
    verify(file, ring)
    kept = database.with_name(f"{database.name}.before-restore-{now}")
    with _part_of(database, kept=kept) as part:
        _copy(file, part)
        with contextlib.closing(open_file(part, "rw")) as copy:
            copy.execute("update sqlite_sequence set seq = seq + ? where name = 'event'", [_SEQ_LEAP])
            id_ = give_id(copy)
    Marker(database).write(id_)  # until then the database is refused, and can be restored again
    return kept if kept.exists() else None


def open_file(path: Path, mode: str) -> sqlite3.Connection:
    """A connection beside those of a gateway. `mode`: of SQLite's URI. Raises `sqlite3.Error`."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.execute("pragma busy_timeout = 10000")
    return connection


def _copy(source: Path, target: Path) -> None:
    """Copy one snapshot. The copy needs no other file."""
    try:
        with (
            contextlib.closing(open_file(source, "ro")) as from_,
            contextlib.closing(open_file(target, "rwc")) as to,
        ):
            from_.backup(to)
            to.execute("pragma journal_mode = delete")
    except sqlite3.Error as error:
        if is_damage(error):
            raise StoreUnavailable(damaged(source, str(error))) from None
        raise StoreUnavailable(f"cannot copy {source} to {target}: {error}") from None


@contextlib.contextmanager
def _part_of(file: Path, *, kept: Path | None = None) -> Iterator[Path]:
    """A file to be filled, which then takes the place of `file`, whose own is moved to `kept`."""
    part = file.with_name(file.name + ".part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        if kept is not None:
            _set_aside(file, kept)
        part.replace(file)
        directory = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise StoreUnavailable(f"cannot write {error.filename or part}: {error.strerror}") from None
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot write {part}: {error}") from None
    finally:
        for name in ("", *_BESIDE):
            with contextlib.suppress(OSError):
                part.with_name(part.name + name).unlink(missing_ok=True)


def _set_aside(database: Path, kept: Path) -> None:
    """With its log, which holds what was committed last."""
    for suffix in ("", *_BESIDE):
        with contextlib.suppress(FileNotFoundError):
            database.with_name(database.name + suffix).rename(kept.with_name(kept.name + suffix))
