"""Files that customers send: links that need no key, and the cache behind them.

A link is `{public_url}/media/{account id}.{sealed reference}`: what it refers to is encrypted, so it gives away
neither a platform's handle nor a name, and it expires. The bytes are fetched from the platform when somebody
first reads the link, checked on the way, kept on disk under a quota, and served as a download that no browser
runs.
"""

import base64
import binascii
import hashlib
import logging
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import attrs
import msgspec
import trio

from actors.accounts import Accounts, NoSuchAccount
from unifyport import disk
from unifyport.model.inbound import Attachment
from unifyport.model.message import CommandState, FetchMedia
from unifyport.providers.registry import Registry
from unifyport.settings import Media
from unifyport.storage.sealing import KeyRing, SealError

log = logging.getLogger("unifyport.media")

FETCH_SECONDS = 120
_PLACE = ["media"]
_PRUNE_TO = 0.9  # of the quota
_FOR_EVER = frozenset({"too_large", "media_not_found"})


class MediaUnavailable(Exception):
    """`status` is HTTP's: 404 never was, 410 is no more, 413 too large, 502 and 503 not now."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@attrs.define
class Reference:
    """What a link refers to."""

    file_id: str
    expires_at: int  # unix ms
    mime_type: str = ""
    title: str = ""
    size: int | None = None


class MediaLinks:
    """Makes links, and reads them. `limit` says how large a file a provider may bring, in bytes."""

    def __init__(
        self, ring: KeyRing, base_url: str, settings: Media, registry: Registry, now_ms: Callable[[], int]
    ) -> None:
        self._ring = ring
        self._base_url = base_url.rstrip("/")
        self._settings = settings
        self._registry = registry
        self._now_ms = now_ms

    def limit(self, provider: str) -> int:
        channel = self._registry.find(provider)
        limits = [c.max_download for c in channel.connections if c.max_download] if channel else []
        return min(self._settings.max_file, max(limits, default=self._settings.max_file))

    def link(self, account_id: str, provider: str, attachment: Attachment) -> str:
        """The address of a file; empty for one that is too large to be fetched."""
        if attachment.size is not None and attachment.size > self.limit(provider):
            return ""
        reference = Reference(
            attachment.file_id,
            self._now_ms() + int(self._settings.link_lifetime * 1000),
            attachment.mime_type,
            attachment.title,
            attachment.size,
        )
        sealed = self._ring.seal("media", _PLACE, msgspec.json.encode(reference), context=account_id)
        token = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
        return f"{self._base_url}/media/{account_id}.{token}"

    def read(self, token: str) -> tuple[str, Reference]:
        """The account and what the link refers to. Raises `MediaUnavailable`."""
        account_id, _, text = token.partition(".")
        try:
            sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            plain = self._ring.open("media", _PLACE, sealed, context=account_id)
        except (SealError, binascii.Error, ValueError):
            raise MediaUnavailable(404, "not_found") from None
        reference = msgspec.json.decode(plain, type=Reference)
        if reference.expires_at < self._now_ms():
            raise MediaUnavailable(410, "link_expired")
        return account_id, reference


class MediaCache:
    """Files by the hash of their account and handle, in one directory, oldest use first to go.

    One fetch at a time for a file: others wait for it. What is being written has a name of its own and is
    renamed when it is whole, so that a kill leaves nothing half.
    """

    def __init__(
        self,
        directory: Path,
        settings: Media,
        links: MediaLinks,
        accounts: Accounts,
        now_ms: Callable[[], int],
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._links = links
        self._accounts = accounts
        self._now_ms = now_ms
        self._fetching: dict[str, trio.Lock] = {}
        self._parts = 0

    async def open(self, account_id: str, reference: Reference) -> tuple[int, AsyncIterator[bytes]]:
        """The length and the chunks of a file. Raises `MediaUnavailable`."""
        if self._accounts.actor(account_id) is None:
            raise MediaUnavailable(410, "account_gone")
        name = hashlib.sha256(f"{account_id}\0{reference.file_id}".encode()).hexdigest()
        path = self._directory / name
        lock = self._fetching.setdefault(name, trio.Lock())
        try:
            async with lock:
                length = await disk.run(_touched, path)
                if length is None:
                    await self._fetch(account_id, reference, path)
                    length = await disk.run(_touched, path)
        finally:
            if not lock.locked():
                self._fetching.pop(name, None)
        if length is None:
            raise MediaUnavailable(503, "cache_full")
        return length, disk.read(path)

    async def _fetch(self, account_id: str, reference: Reference, path: Path) -> None:
        actor = self._accounts.actor(account_id)
        if actor is None:
            raise MediaUnavailable(410, "account_gone")
        limit = self._links.limit(actor.row.provider)
        self._parts += 1
        part = path.with_name(f"{path.name}.{os.getpid()}.{self._parts}.part")
        deadline = self._now_ms() + FETCH_SECONDS * 1000
        try:
            await disk.run(lambda: self._directory.mkdir(mode=0o700, parents=True, exist_ok=True))
            await disk.run(self._prune)
            answer = await self._accounts.call(
                account_id, FetchMedia(reference.file_id, str(part), limit, deadline)
            )
            if answer.state is not CommandState.SENT:
                raise _unavailable(answer.code)
            await disk.run(part.rename, path)
        except NoSuchAccount:
            raise MediaUnavailable(410, "account_gone") from None
        except OSError as error:
            log.warning("media cannot be kept: %s", error.strerror)
            raise MediaUnavailable(503, "disk") from None
        finally:
            part.unlink(missing_ok=True)

    def _prune(self) -> None:
        """Delete what is older than its retention, then the least recently used until there is room."""
        oldest = self._now_ms() / 1000 - self._settings.retention
        files = []
        for entry in os.scandir(self._directory):
            status = entry.stat()
            if status.st_mtime < oldest:
                Path(entry.path).unlink(missing_ok=True)
            else:
                files.append((status.st_mtime, status.st_size, entry.path))
        total = sum(size for _, size, _ in files)
        if total <= self._settings.max_bytes:
            return
        for _, size, name in sorted(files):
            if total <= self._settings.max_bytes * _PRUNE_TO:
                break
            Path(name).unlink(missing_ok=True)
            total -= size


def _touched(path: Path) -> int | None:
    """The length of a file, which is used now; None when there is none."""
    try:
        os.utime(path)
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _unavailable(code: str) -> MediaUnavailable:
    if code == "too_large":
        return MediaUnavailable(413, code)
    if code in _FOR_EVER:
        return MediaUnavailable(410, code)
    if code == "account_not_running":
        return MediaUnavailable(503, code)
    return MediaUnavailable(502, code)
