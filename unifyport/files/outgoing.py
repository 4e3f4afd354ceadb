"""Files to be sent: uploads, and files that a send names by URL, which are fetched for that send alone.

Both are complete on the disk, in the media directory, before any of it is sent. An upload also has a
description, which is written last: so a file key that a caller has always names a complete file. Uploads
expire; files that a kill has left are deleted later.
"""

import contextlib
import logging
import mimetypes
import os
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

import attrs
import msgspec
import trio

from unifyport.config.settings import Media
from unifyport.model.file_names import clean_name, safe_name
from unifyport.model.ids import new_id
from unifyport.model.json_text import UNREADABLE
from unifyport.net.clients import ConnectionLost, NotConnected, TooLarge
from unifyport.net.fetch import Fetched, FetchRefused, fetch
from unifyport.net.guard import AddressGuard, NameNotResolved, UrlNotAllowed
from unifyport.process import disk
from unifyport.process.clock import Clock

log = logging.getLogger("unifyport.outgoing")

FETCHES, FETCHES_EACH = 16, 4  # concurrent fetches: of all accounts, of one account
MAX_URL = 4096
_BEING_SENT = 60_000  # ms that an expired upload stays, because a send may still read it
_LEFT_BEHIND = 3600.0  # seconds after which a file without a description is deleted
_KEY = re.compile(r"file_[0-9a-z]{24}")
_NO_TYPE = frozenset({"", "application/octet-stream", "binary/octet-stream"})

Sink = Callable[[bytes], Awaitable[None]]


class FileRefused(Exception):
    """`reason` is machine-readable; the text is for the caller and never holds the URL."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@attrs.define
class OutgoingFile:
    """A complete file at `path`. `size`: bytes."""

    path: str
    name: str
    mime_type: str
    size: int


@attrs.define
class Upload:
    """The description of an upload."""

    key: str
    name: str
    mime_type: str
    size: int
    expires_at: int  # unix ms of the steady clock


class OutgoingFiles:
    """See the module. The directory belongs to one process."""

    def __init__(
        self,
        directory: Path,
        settings: Media,
        *,
        guard: AddressGuard,
        context: ssl.SSLContext,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._guard = guard
        self._context = context
        self._clock = clock
        self._turns = trio.CapacityLimiter(FETCHES)
        self._turns_of: dict[str, trio.CapacityLimiter] = {}  # by account, while it has a fetch
        self._held: int | None = None  # bytes of complete uploads; None before the first scan
        self._coming = 0  # bytes of uploads that are not complete yet
        self._at_work: set[str] = set()  # files in use, which `tidy` must not delete whatever their age

    # -- uploads ---------------------------------------------------------------------------------------------

    async def keep(self, name: str, mime_type: str, feed: Callable[[Sink], Awaitable[None]]) -> Upload:
        """Store an upload: the bytes that `feed` gives to its sink. They are on the disk when this returns.

        Raises `FileRefused` (`too_large`, `quota`, `disk`) and the errors of `feed`. Cancelled: nothing is
        stored.
        """
        if self._held is None:
            await self.tidy()
        assert self._held is not None
        path, came = self._directory / new_id("file"), 0

        def take(size: int) -> None:
            nonlocal came
            came += size
            self._coming += size
            if came > self._settings.max_file:
                raise _too_large(self._settings.max_file)
            if (self._held or 0) + self._coming > self._settings.max_uploads:
                raise _quota_used_up()

        whole = False
        self._at_work.add(path.name)
        try:
            await self._write(path, feed, take)
            lifetime = int(self._settings.upload_lifetime * 1000)
            kind = _choose_type(mime_type, name)
            upload = Upload(path.name, clean_name(name), kind, came, self._clock.steady_ms() + lifetime)
            try:
                await disk.run(self._write_description, upload)
            except OSError as error:
                raise self._report_disk(error) from None
            self._held, whole = self._held + came, True
        finally:
            self._coming -= came
            self._at_work.discard(path.name)
            if not whole:
                _delete(path.with_suffix(".json"), path)
        return upload

    async def of_key(self, key: str, limit: int, *, name: str = "") -> OutgoingFile:
        """The upload with this key, under its own name if `name` is empty.

        Raises `FileRefused` (`unknown_file_key`, `too_large`).
        """
        upload = await disk.run(self._read_description, key) if _KEY.fullmatch(key) else None
        if upload is None or upload.expires_at <= self._clock.steady_ms():
            raise FileRefused("unknown_file_key", "no such upload, or it has expired")
        if upload.size > limit:
            raise _too_large(limit)
        chosen = safe_name(name) or upload.name
        return OutgoingFile(str(self._directory / key), chosen, upload.mime_type, upload.size)

    def _read_description(self, key: str) -> Upload | None:
        try:
            return msgspec.json.decode((self._directory / f"{key}.json").read_bytes(), type=Upload)
        except (OSError, *UNREADABLE):
            return None

    def _write_description(self, upload: Upload) -> None:
        path = self._directory / f"{upload.key}.json"
        part = path.with_suffix(".part")
        with part.open("xb") as file:
            file.write(msgspec.json.encode(upload))
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
        _sync_directory(self._directory)

    # -- files by URL ----------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def of_url(
        self, account_id: str, url: str, limit: int, timeout: float, *, name: str = ""
    ) -> AsyncIterator[OutgoingFile]:
        """Fetch a caller's URL; the file is deleted when the context ends. Raises `FileRefused`.

        Its name is `name`; otherwise that of `Content-Disposition`, or the last part of the URL's path.

        Limits concurrent fetches for each account, so slow files cannot starve other accounts.
        """
        path, found = self._directory / new_id("fetched"), Fetched("", 0)
        self._at_work.add(path.name)

        async def feed(sink: Sink) -> None:
            nonlocal found
            try:
                found = await fetch(self._guard, self._context, url, sink, limit=limit, timeout=timeout)
            except UrlNotAllowed as error:
                raise FileRefused("url_not_allowed", str(error)) from None
            except (NameNotResolved, FetchRefused, NotConnected, ConnectionLost) as error:
                reason = "name_not_resolved" if isinstance(error, NameNotResolved) else str(error)
                raise FileRefused("not_fetched", f"could not be fetched ({reason})") from None
            except TooLarge:
                raise _too_large(limit) from None

        def take(size: int) -> None:
            """`fetch` applies the limit itself."""

        try:
            with trio.move_on_after(timeout) as waiting:
                async with self._turn(account_id):
                    size = await self._write(path, feed, take)
            if waiting.cancelled_caught:
                raise FileRefused("not_fetched", "could not be fetched (timeout)")
            if not size:
                raise FileRefused("empty", "the file is empty")
            chosen = (
                safe_name(name)
                or clean_name(found.filename)
                or clean_name(unquote(PurePosixPath(urlsplit(url).path).name))
            )
            yield OutgoingFile(str(path), chosen, _choose_type(found.content_type, chosen), size)
        finally:
            self._at_work.discard(path.name)
            _delete(path)

    @contextlib.asynccontextmanager
    async def _turn(self, account_id: str) -> AsyncIterator[None]:
        own = self._turns_of.setdefault(account_id, trio.CapacityLimiter(FETCHES_EACH))
        try:
            async with own, self._turns:
                yield
        finally:
            if not own.borrowed_tokens and not own.statistics().tasks_waiting:
                self._turns_of.pop(account_id, None)

    # -- the disk --------------------------------------------------------------------------------------------

    async def _write(
        self, path: Path, feed: Callable[[Sink], Awaitable[None]], take: Callable[[int], None]
    ) -> int:
        """Write a file and return its size; it is on the disk then. If this fails, no file is left.

        `take` is called with the size of each chunk and refuses it by raising.
        """
        size = 0
        try:
            file = await disk.run(self._create, path)
        except OSError as error:
            raise self._report_disk(error) from None

        async def sink(chunk: bytes) -> None:
            nonlocal size
            size += len(chunk)
            take(len(chunk))
            await disk.run(file.write, chunk)

        try:
            await feed(sink)
            await disk.run(_sync_and_close, file)
        except BaseException as error:
            with contextlib.suppress(OSError):
                file.close()  # flushes its buffer, which may fail
            _delete(path)
            if isinstance(error, OSError):
                raise self._report_disk(error) from None
            raise
        return size

    def _create(self, path: Path) -> BinaryIO:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb")

    def _report_disk(self, error: OSError) -> FileRefused:
        log.warning("an outgoing file could not be stored: %s", error.strerror)
        return FileRefused("disk", "the file cannot be stored now")

    async def tidy(self) -> None:
        """Delete expired uploads, and files that a kill has left."""
        before = self._held or 0
        held = await disk.run(self._scan)
        # An upload that ended during the scan may be counted twice; the next scan corrects that.
        self._held = held + max(0, (self._held or 0) - before)

    def _scan(self) -> int:
        """Tidy the directory. Returns the bytes of the uploads that are left."""
        held, now = 0, self._clock.steady_ms()
        with contextlib.suppress(OSError):
            for path in self._directory.iterdir():
                with contextlib.suppress(OSError):
                    held += self._check_file(path, now)
        return held

    def _check_file(self, path: Path, now: int) -> int:
        """Delete a file that is expired or left over. Returns the size of an upload that stays, else 0."""
        if path.stem in self._at_work:
            return 0
        upload = self._read_description(path.name) if not path.suffix else None
        if path.suffix == ".json":
            upload = self._read_description(path.stem)
            if upload is not None and upload.expires_at <= now - _BEING_SENT:
                path.unlink()  # before the bytes: after a kill here they are left over, and deleted later
                path.with_suffix("").unlink(missing_ok=True)
            return 0
        if upload is not None:
            return upload.size
        written = path.stat().st_mtime  # by the wall clock
        if not self._clock.in_doubt and written < self._clock.now_ms() / 1000 - _LEFT_BEHIND:
            path.unlink()
        return 0


def _delete(*paths: Path) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _sync_and_close(file: BinaryIO) -> None:
    with file:
        file.flush()
        os.fsync(file.fileno())


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _quota_used_up() -> FileRefused:
    return FileRefused("quota", "the uploads that wait to be sent have reached media.max_uploads")


def _too_large(limit: int) -> FileRefused:
    return FileRefused("too_large", f"a file may have at most {limit} bytes here")


def _choose_type(given: str, name: str) -> str:
    """The media type that the source gives, or if it gives none, the type for the file's name."""
    kind = given.partition(";")[0].strip().lower()
    if kind in _NO_TYPE or not re.fullmatch(r"[a-z0-9!#$&^_.+-]+/[a-z0-9!#$&^_.+-]+", kind):
        return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"
    return kind
