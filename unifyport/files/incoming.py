"""Files that customers send: the cache behind their links (`media_links.py`).

The first request of a link fetches the file from the platform and checks it, unless that was done when its
message came (`on_receive.py`). Files are kept on the disk under
a quota, and served as downloads that a browser does not run. Once its message is deleted a file can no longer
be had, and what is kept of it is deleted (`erasing.py`).
"""

import contextlib
import hashlib
import logging
import os
import shutil
from pathlib import Path
from typing import BinaryIO

import trio

from actors.accounts import Accounts, NoSuchAccount
from unifyport.config.settings import Media
from unifyport.model.message import CommandState, FetchMedia
from unifyport.process import disk
from unifyport.process.clock import Clock
from unifyport.storage.contract import Store

from .media_links import MediaLinks, MediaUnavailable, Missing, Reference

log = logging.getLogger("unifyport.media")

FETCH_SECONDS = 120
FETCHES = 16  # concurrent fetches of all accounts
_PRUNE_TO = 0.9  # of the quota
_SCAN_SECONDS = 60.0  # after which the cache is looked through again though it has room
PART = ".part"
_PERMANENT = frozenset({"too_large", "media_not_found"})


def name_of(reference: Reference) -> str:
    """The name of a kept file: the key of its message, and the hash of its handle."""
    name = hashlib.sha256(reference.handle).hexdigest()
    return f"{reference.message.hex()}-{name}" if reference.message else name


def message_of(name: str) -> bytes | None:
    """The key of the message whose file has this name; None if the name does not say it."""
    key, dash, _ = name.partition("-")
    with contextlib.suppress(ValueError):
        return bytes.fromhex(key) if dash else None
    return None


class MediaCache:
    """Files in one directory for each account, named by their message and the hash of their handle.

    The least recently used files are deleted first. Requests for a file that is being fetched wait for that
    fetch. A file is written under another name and renamed when it is complete, so a kill leaves no partial
    file. It is opened before pruning can delete it.
    """

    def __init__(
        self,
        directory: Path,
        settings: Media,
        *,
        links: MediaLinks,
        accounts: Accounts,
        store: Store,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._links = links
        self._accounts = accounts
        self._store = store
        self._clock = clock
        self._locks: dict[Path, trio.Lock] = {}
        self._fetches = trio.CapacityLimiter(FETCHES)
        self._pruning = trio.Lock()
        self._most_held: int | None = None  # bytes that the cache may have at most; None: not known
        self._scanned_at = 0.0

    async def open(self, account_id: str, reference: Reference) -> BinaryIO:
        """The file, open to be read; the caller closes it. Raises `MediaUnavailable`, `StoreUnavailable`."""
        if self._accounts.actor(account_id) is None:
            raise MediaUnavailable(Missing.GONE, "account_gone")
        await self._require_message(account_id, reference)
        path = self._directory / account_id / name_of(reference)
        lock = self._locks.setdefault(path, trio.Lock())
        try:
            async with lock:
                file = await disk.run(_open_used, path)
                if file is None:
                    file = await self._fetch(account_id, reference, path)
                    try:  # a deletion meanwhile has found no file to delete
                        await self._require_message(account_id, reference)
                    except BaseException:
                        file.close()
                        path.unlink(missing_ok=True)
                        raise
        finally:
            if not lock.locked():
                self._locks.pop(path, None)
        return file

    async def _require_message(self, account_id: str, reference: Reference) -> None:
        """Raises `MediaUnavailable` if the file's message was deleted."""
        if reference.message and await self._store.erased(account_id, [reference.message]):
            raise MediaUnavailable(Missing.GONE, "message_deleted")

    async def forget(self, account_id: str) -> None:
        """Delete the files of a deleted account."""
        await disk.run(lambda: shutil.rmtree(self._directory / account_id, ignore_errors=True))

    async def _fetch(self, account_id: str, reference: Reference, path: Path) -> BinaryIO:
        """Fetch the file, and return it open. Raises `MediaUnavailable`."""
        actor = self._accounts.actor(account_id)
        if actor is None:
            raise MediaUnavailable(Missing.GONE, "account_gone")
        limit = self._links.limit(actor.row.provider)
        part = path.with_name(f"{path.name}{PART}")
        try:
            async with self._fetches:
                await disk.run(lambda: path.parent.mkdir(mode=0o700, parents=True, exist_ok=True))
                await disk.run(lambda: part.unlink(missing_ok=True))  # a kill may have left it
                deadline = self._clock.steady_ms() + FETCH_SECONDS * 1000
                command = FetchMedia(reference.handle, str(part), limit, deadline)
                answer = await self._accounts.call(account_id, command)
                if answer.state is not CommandState.SENT:
                    raise _map_error(answer.code)
                file = await disk.run(_open_used, part)
                if file is None:
                    raise MediaUnavailable(Missing.GONE, "account_gone")  # the account was deleted meanwhile
                await disk.run(part.rename, path)
        except NoSuchAccount:
            raise MediaUnavailable(Missing.GONE, "account_gone") from None
        except OSError as error:
            log.warning("an incoming file could not be stored: %s", error.strerror)
            raise MediaUnavailable(Missing.NOT_NOW, "disk") from None
        finally:
            part.unlink(missing_ok=True)
        async with self._pruning:
            await self._make_room(path, os.fstat(file.fileno()).st_size)
        return file

    async def _make_room(self, newest: Path, size: int) -> None:
        """Keep the quota and the retention after a file came. Looks through the cache only when it must."""
        now = trio.current_time()
        if self._most_held is not None and now < self._scanned_at + _SCAN_SECONDS:
            self._most_held += size
            if self._most_held <= self._settings.max_bytes:
                return
        self._most_held, self._scanned_at = None, now
        self._most_held = await disk.run(self._prune, newest)

    def _prune(self, newest: Path) -> int:
        """Delete files past their retention, then the least recently used until the quota has room.

        Returns the bytes that are left.
        """
        # The times of files are of the wall clock.
        oldest = self._clock.now_ms() / 1000 - self._settings.retention
        ages_known = not self._clock.in_doubt
        files: list[tuple[float, int, Path]] = []
        for path in self._directory.glob("acct_*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                if ages_known and status.st_mtime < oldest:
                    path.unlink()
                elif path.suffix != PART and path != newest:
                    files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        with contextlib.suppress(FileNotFoundError):  # another file's turn has deleted it
            total += newest.stat().st_size
        if total <= self._settings.max_bytes:
            return total
        for _, size, path in sorted(files):
            if total <= self._settings.max_bytes * _PRUNE_TO:
                break
            path.unlink(missing_ok=True)
            total -= size
        return total


def _open_used(path: Path) -> BinaryIO | None:
    """Open the file and mark it as used now; None if it does not exist."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    os.utime(file.fileno())
    return file


def _map_error(code: str) -> MediaUnavailable:
    if code == "too_large":
        return MediaUnavailable(Missing.TOO_LARGE, code)
    if code in _PERMANENT:
        return MediaUnavailable(Missing.GONE, code)
    if code == "account_not_running":
        return MediaUnavailable(Missing.NOT_NOW, code)
    return MediaUnavailable(Missing.NOT_FETCHED, code)
