"""Links that need no API key, to files that customers send.

A link is `{public_url}/media/{account id}.{sealed reference}`. The reference is encrypted, so the link
reveals neither the platform's handle nor a file name; and it expires. It is sealed into the link whole, and
nothing is stored: a link outlives a restart and a rotation of keys, and leaves no row to be deleted. Handles
are short (a media key and a path: 300 bytes), and with the longest of `MAX_HANDLE` bytes a link still fits
into the 8 KiB that proxies allow a request line.
"""

import enum
import logging

import attrs
import msgspec

from unifyport.config.settings import Media
from unifyport.model.file_names import LONGEST_NAME
from unifyport.model.inbound import MAX_HANDLE, Attachment
from unifyport.model.json_text import UNREADABLE
from unifyport.process.clock import Clock
from unifyport.providers.registry import Registry
from unifyport.storage.sealing import KeyRing, SealError

log = logging.getLogger("unifyport.media")

MAX_LINK = 7000  # characters of a link after the base URL
_LONGEST_TYPE = 100
_UPLOAD, _OUT = "upload.", "upload"  # of links of uploads: how they begin, the purpose of their seal


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
    message: bytes = b""  # the key of the message that it belongs to


class _Sealed(msgspec.Struct, array_like=True):
    """A reference, as MessagePack. Links of older versions end before `message`."""

    handle: bytes
    expires_at: int
    mime_type: str
    title: str
    size: int | None
    message: bytes = b""


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
        clock: Clock,
    ) -> None:
        self._ring = ring
        self._base_url = base_url.rstrip("/")
        self._settings = settings
        self._registry = registry
        self._clock = clock

    def limit(self, provider: str) -> int:
        channel = self._registry.find_channel(provider)
        limits = [c.max_download for c in channel.connections if c.max_download] if channel else []
        return min(self._settings.max_file, max(limits, default=self._settings.max_file))

    def link(self, account_id: str, provider: str, attachment: Attachment, message: bytes = b"") -> str:
        """The URL of a file; empty if the file is too large to be fetched, or its handle too long.

        `message`: the key of the message that it belongs to. After the base URL it has at most `MAX_LINK`
        characters.
        """
        if attachment.size is not None and attachment.size > self.limit(provider):
            return ""
        handle = attachment.handle or attachment.file_id.encode()
        if len(handle) > MAX_HANDLE:
            log.warning("account %s: a file has a handle of %s bytes, no link", account_id, len(handle))
            return ""
        reference = _Sealed(
            handle,
            self._clock.steady_ms() + int(self._settings.link_lifetime * 1000),
            attachment.mime_type[:_LONGEST_TYPE],
            attachment.title[:LONGEST_NAME],
            attachment.size,
            message,
        )
        token = self._ring.seal_text("media", msgspec.msgpack.encode(reference), context=account_id)
        return f"{self._base_url}/media/{account_id}.{token}"

    def link_of_upload(self, key: str) -> str:
        """The URL of an upload, for a platform that fetches what is sent to it. It ends with the upload."""
        return f"{self._base_url}/media/{_UPLOAD}{self._ring.seal_text(_OUT, key.encode(), context='')}"

    def upload_of(self, token: str) -> str | None:
        """The file key of the upload that a link is for; None if it is for a customer's file.

        Raises `MediaUnavailable`.
        """
        if not token.startswith(_UPLOAD):
            return None
        try:
            return self._ring.open_text(_OUT, token.removeprefix(_UPLOAD), context="").decode()
        except SealError:
            raise MediaUnavailable(Missing.NO_LINK, "not_found") from None

    def read(self, token: str) -> tuple[str, Reference]:
        """The account id and the reference of a link. Raises `MediaUnavailable`."""
        account_id, _, text = token.partition(".")
        try:
            plain = self._ring.open_text("media", text, context=account_id)
            reference = _decode(plain)
        except (SealError, *UNREADABLE):
            raise MediaUnavailable(Missing.NO_LINK, "not_found") from None
        if reference.expires_at < self._clock.steady_ms():
            raise MediaUnavailable(Missing.GONE, "link_expired")
        return account_id, reference


def _decode(plain: bytes) -> Reference:
    """Raises `msgspec.DecodeError`. MessagePack of a tuple never begins with a brace."""
    if not plain.startswith(b"{"):
        return Reference(*msgspec.structs.astuple(msgspec.msgpack.decode(plain, type=_Sealed)))
    old = msgspec.json.decode(plain, type=_OldReference)
    return Reference(old.file_id.encode(), old.expires_at, old.mime_type, old.title, old.size)
