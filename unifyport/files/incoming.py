"""Files that customers send: links that need no API key, and the cache behind them.

A link is `{public_url}/media/{account id}.{sealed reference}`. The reference is encrypted, so the link
reveals neither the platform's handle nor a file name; and it expires. It is sealed into the link whole, and
nothing is stored: a link outlives a restart and a rotation of keys, and leaves no row to be deleted. Handles
are short (a media key and a path: 300 bytes), and with the longest of `MAX_HANDLE` bytes a link still fits
into the 8 KiB that proxies allow a request line. The first request of a link fetches the
file from the platform and checks it. Files are kept on the disk under a quota, and served as downloads that a
browser does not run.
"""

import contextlib
import enum
import hashlib
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import attrs
import msgspec
import trio

from actors.accounts import Accounts, NoSuchAccount
from unifyport.config.settings import Media
from unifyport.model.file_names import LONGEST_NAME
from unifyport.model.inbound import MAX_HANDLE, Attachment
from unifyport.model.message import CommandState, FetchMedia
from unifyport.process import disk
from unifyport.providers.registry import Registry
from unifyport.storage.sealing import KeyRing, SealError

log = logging.getLogger("unifyport.media")

FETCH_SECONDS = 120
FETCHES = 8  # concurrent fetches of all accounts
MAX_LINK = 7000  # characters of a link after the base URL
_LONGEST_TYPE = 100
_PRUNE_TO = 0.9  # of the quota
_PART = ".part"
_PERMANENT = frozenset({"too_large", "media_not_found"})


class Missing(enum.Enum):
    """Why a file cannot be had."""

    NO_LINK = "no_link"  # the link is not one of this gateway
    GONE = "gone"  # for good
    TOO_LARGE = "too_large"
    NOT_FETCHED = "not_fetched"  # the platform did not give it
    NOT_NOW = "not_now"  # the account is not running, or the disk is full


class MediaUnavailable(Exception):
    """`reason` is machine-readable."""

    def __init__(self, missing: Missing, reason: str) -> None:
        super().__init__(reason)
        self.missing = missing
        self.reason = reason


@attrs.define
class Reference:
    """What a link refers to."""

    handle: bytes = attrs.field(repr=False)
    expires_at: int  # unix ms
    mime_type: str = ""
    title: str = ""
    size: int | None = None


_Sealed = tuple[bytes, int, str, str, int | None]  # a reference, as MessagePack


class _OldReference(msgspec.Struct):
    """A reference in links made before handles: JSON, with the public id only."""

    file_id: str
    expires_at: int
    mime_type: str = ""
    title: str = ""
    size: int | None = None


class MediaLinks:
    """Makes links and reads them. `limit`: the largest file of a provider, in bytes."""

    def __init__(
        self,
        ring: KeyRing,
        base_url: str,
        settings: Media,
        *,
        registry: Registry,
        now_ms: Callable[[], int],
    ) -> None:
        self._ring = ring
        self._base_url = base_url.rstrip("/")
        self._settings = settings
        self._registry = registry
        self._now_ms = now_ms

    def limit(self, provider: str) -> int:
        channel = self._registry.find_channel(provider)
        limits = [c.max_download for c in channel.connections if c.max_download] if channel else []
        return min(self._settings.max_file, max(limits, default=self._settings.max_file))

    def link(self, account_id: str, provider: str, attachment: Attachment) -> str:
        """The URL of a file; empty if the file is too large to be fetched, or its handle too long.

        After the base URL it has at most `MAX_LINK` characters.
        """
        if attachment.size is not None and attachment.size > self.limit(provider):
            return ""
        handle = attachment.handle or attachment.file_id.encode()
        if len(handle) > MAX_HANDLE:
            log.warning("account %s: a file has a handle of %s bytes, no link", account_id, len(handle))
            return ""
        reference: _Sealed = (
            handle,
            self._now_ms() + int(self._settings.link_lifetime * 1000),
            attachment.mime_type[:_LONGEST_TYPE],
            attachment.title[:LONGEST_NAME],
            attachment.size,
        )
        token = self._ring.seal_text("media", msgspec.msgpack.encode(reference), context=account_id)
        return f"{self._base_url}/media/{account_id}.{token}"

    def read(self, token: str) -> tuple[str, Reference]:
        """The account id and the reference of a link. Raises `MediaUnavailable`."""
        account_id, _, text = token.partition(".")
        try:
            plain = self._ring.open_text("media", text, context=account_id)
            reference = _decode(plain)
        except (SealError, msgspec.DecodeError):
            raise MediaUnavailable(Missing.NO_LINK, "not_found") from None
        if reference.expires_at < self._now_ms():
            raise MediaUnavailable(Missing.GONE, "link_expired")
        return account_id, reference


def _decode(plain: bytes) -> Reference:
    """Raises `msgspec.DecodeError`. MessagePack of a tuple never begins with a brace."""
    if not plain.startswith(b"{"):
        return Reference(*msgspec.msgpack.decode(plain, type=_Sealed))
    old = msgspec.json.decode(plain, type=_OldReference)
    return Reference(old.file_id.encode(), old.expires_at, old.mime_type, old.title, old.size)


class MediaCache:
    """Files in one directory for each account, named by the hash of their handle.

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
        now_ms: Callable[[], int],
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._links = links
        self._accounts = accounts
        self._now_ms = now_ms
        self._locks: dict[Path, trio.Lock] = {}
        self._fetches = trio.CapacityLimiter(FETCHES)
        self._pruning = trio.Lock()

    async def open(self, account_id: str, reference: Reference) -> BinaryIO:
        """The file, open to be read; the caller closes it. Raises `MediaUnavailable`."""
        if self._accounts.actor(account_id) is None:
            raise MediaUnavailable(Missing.GONE, "account_gone")
        name = hashlib.sha256(reference.handle).hexdigest()
        path = self._directory / account_id / name
        lock = self._locks.setdefault(path, trio.Lock())
        try:
            async with lock:
                file = await disk.run(_open_used, path)
                if file is None:
                    file = await self._fetch(account_id, reference, path)
        finally:
            if not lock.locked():
                self._locks.pop(path, None)
        return file

    async def forget(self, account_id: str) -> None:
        """Delete the files of a deleted account."""
        await disk.run(lambda: shutil.rmtree(self._directory / account_id, ignore_errors=True))

    async def _fetch(self, account_id: str, reference: Reference, path: Path) -> BinaryIO:
        """Fetch the file, and return it open. Raises `MediaUnavailable`."""
        actor = self._accounts.actor(account_id)
        if actor is None:
            raise MediaUnavailable(Missing.GONE, "account_gone")
        limit = self._links.limit(actor.row.provider)
        part = path.with_name(f"{path.name}{_PART}")
        try:
            async with self._fetches:
                await disk.run(lambda: path.parent.mkdir(mode=0o700, parents=True, exist_ok=True))
                await disk.run(lambda: part.unlink(missing_ok=True))  # a kill may have left it
                deadline = self._now_ms() + FETCH_SECONDS * 1000
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
            await disk.run(self._prune, path)
        return file

    def _prune(self, newest: Path) -> None:
        """Delete files past their retention, then the least recently used until the quota has room."""
        oldest = self._now_ms() / 1000 - self._settings.retention
        files: list[tuple[float, int, Path]] = []
        for path in self._directory.glob("acct_*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                if status.st_mtime < oldest:
                    path.unlink()
                elif path.suffix != _PART and path != newest:
                    files.append((status.st_mtime, status.st_size, path))
        total = newest.stat().st_size + sum(size for _, size, _ in files) if newest.exists() else 0
        if total <= self._settings.max_bytes:
            return
        for _, size, path in sorted(files):
            if total <= self._settings.max_bytes * _PRUNE_TO:
                break
            path.unlink(missing_ok=True)
            total -= size


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
