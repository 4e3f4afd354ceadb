"""Use cases of files: customers' files and QR codes behind links that need no key, and uploads to be sent."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

import attrs

from unifyport.config.settings import Settings
from unifyport.files.incoming import MediaCache
from unifyport.files.media_links import MediaLinks, MediaUnavailable, Missing, Reference
from unifyport.files.outgoing import FileRefused, OutgoingFiles, Sink, Upload
from unifyport.links.qr import KINDS, NoPicture, QrPictures, code_of, draw
from unifyport.process import disk
from unifyport.process.clock import Clock
from unifyport.storage.contract import Store

from .errors import (
    MEDIA_GONE,
    MEDIA_TOO_LARGE,
    NOT_FOUND,
    UPLOAD_QUOTA_EXCEEDED,
    UPLOAD_TOO_LARGE,
    OperationFailure,
    UseCaseError,
    not_found,
)

RETRY_SECONDS = 5  # after which a file that could not be had is worth another try
_MEDIA_CODES: dict[Missing, str | OperationFailure] = {
    Missing.NO_LINK: NOT_FOUND,
    Missing.GONE: MEDIA_GONE,
    Missing.TOO_LARGE: MEDIA_TOO_LARGE,
    Missing.NOT_FETCHED: OperationFailure.NO_ANSWER,
    Missing.NOT_NOW: OperationFailure.FAILED,
}


@attrs.frozen
class LinkedFiles:
    """Files and pictures, by the token of a link."""

    _store: Store
    _links: MediaLinks
    _media: MediaCache
    _uploads: OutgoingFiles
    _pictures: QrPictures

    async def open_media(self, token: str) -> tuple[Reference, BinaryIO]:
        """A customer's file, or one that is sent; the caller closes it.

        Raises `UseCaseError`, `StoreUnavailable`.
        """
        try:
            key = self._links.upload_of(token)
            if key is not None:
                return await self._open_upload(key)
            account_id, reference = self._links.read(token)
            return reference, await self._media.open(account_id, reference)
        except MediaUnavailable as unavailable:
            code = _MEDIA_CODES[unavailable.missing]
            retry_after = RETRY_SECONDS if isinstance(code, OperationFailure) else None
            raise UseCaseError(code, unavailable.reason, retry_after=retry_after) from None

    async def _open_upload(self, key: str) -> tuple[Reference, BinaryIO]:
        """Raises `MediaUnavailable`."""
        try:
            found = await self._uploads.of_key(key, sys.maxsize)
            file = await disk.run(_open, found.path)
        except (FileRefused, OSError):
            raise MediaUnavailable(Missing.GONE, "upload_expired") from None
        return Reference(b"", 0, found.mime_type, found.name, found.size), file

    async def draw_qr(self, token: str, kind: str) -> bytes:
        """The picture of a login's QR code, as `png` or `svg`. Raises `UseCaseError`, `StoreUnavailable`."""
        try:
            if kind not in KINDS:
                raise NoPicture
            account_id, sequence = self._pictures.read(token)
            return draw(code_of(await self._store.account(account_id), sequence), kind)
        except NoPicture:
            raise not_found("QR code, or no more") from None


@attrs.frozen
class UploadUseCases:
    """Keeps files that are to be sent."""

    _files: OutgoingFiles
    _settings: Callable[[], Settings]
    _clock: Clock

    @property
    def max_file(self) -> int:
        """Bytes that a file may have."""
        return self._settings().media.max_file

    async def keep(self, name: str, mime_type: str, feed: Callable[[Sink], Awaitable[None]]) -> Upload:
        """Keep what `feed` gives to the sink. It is on the disk when this returns.

        Its `expires_at` is of the wall clock. Raises `UseCaseError`, and what `feed` does. Cancelled:
        nothing is kept.
        """
        try:
            upload = await self._files.keep(name, mime_type, feed)
        except FileRefused as refused:
            raise _refusal(refused) from None
        return attrs.evolve(upload, expires_at=self._clock.wall_of(upload.expires_at))


def _open(path: str) -> BinaryIO:
    return Path(path).open("rb")


def _refusal(refused: FileRefused) -> UseCaseError:
    match refused.reason:
        case "too_large":
            return UseCaseError(UPLOAD_TOO_LARGE, str(refused))
        case "quota":
            return UseCaseError(UPLOAD_QUOTA_EXCEEDED, str(refused))
    return UseCaseError(OperationFailure.FAILED, str(refused), retry_after=RETRY_SECONDS)
