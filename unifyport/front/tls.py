"""The certificate of the front: one for every name, read again when its files change."""

import logging
import math
import ssl
import time
from collections.abc import Sequence
from pathlib import Path

import attrs
import trio
from cryptography import x509

from unifyport.process import disk

log = logging.getLogger("unifyport.front")

LOOK_SECONDS = 60.0
DAY = 86_400.0
WARN_DAYS = 14
HTTP_1_1 = ("http/1.1",)  # names of protocols in ALPN (RFC 7301)
HTTP_2_TOO = ("h2", "http/1.1")


@attrs.frozen
class TlsFiles:
    """PEM: the certificate with its chain, and its key."""

    cert: Path
    key: Path


def new_tls_context(cert: Path, key: Path, protocols: Sequence[str] = HTTP_1_1) -> ssl.SSLContext:
    """The server-side context for a certificate chain and its key, both PEM: TLS 1.2 and newer.

    Raises `OSError`.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(list(protocols))
    context.load_cert_chain(cert, key, password=lambda: b"")  # never ask at a terminal
    return context


_Stamp = tuple[tuple[int, int, int] | None, ...]


@attrs.frozen
class Pair:
    """A certificate and its key, ready for use. `expires_at`: seconds since 1970."""

    context: ssl.SSLContext
    expires_at: float
    stamp: _Stamp


class Certificate:
    """The pair in force. Files that cannot be used leave the pair before in force, and are a `problem`."""

    def __init__(self, files: TlsFiles, protocols: Sequence[str] = HTTP_1_1) -> None:
        """Raises `OSError`, `ValueError` if the files cannot be used."""
        self._files = files
        self._protocols = protocols
        self._pair = self.read()
        self._stamp: _Stamp | None = self._pair.stamp  # of the files as they were read last
        self._warned_at = -math.inf  # seconds since 1970
        self.problem: str | None = None  # why the files as they are now are not in force

    @property
    def context(self) -> ssl.SSLContext:
        return self._pair.context

    @property
    def expires_at(self) -> float:
        """Seconds since 1970."""
        return self._pair.expires_at

    def read(self) -> Pair:
        """The pair as the files are now. Raises `OSError`, `ValueError` if they cannot be used."""
        files, stamp = self._files, _stamp(self._files)
        context = new_tls_context(files.cert, files.key, self._protocols)
        chain = x509.load_pem_x509_certificates(files.cert.read_bytes())
        return Pair(context, chain[0].not_valid_after_utc.timestamp(), stamp)

    def use(self, pair: Pair) -> None:
        """Put a pair in force for new connections."""
        self._pair, self._stamp, self.problem = pair, pair.stamp, None

    def reject(self, error: OSError | ValueError) -> None:
        """`read` has raised `error`: the files are a problem until the next look at them finds none."""
        self.problem, self._stamp = why(error), None

    def reload(self) -> None:
        """Read the files again, and use them if they can be used."""
        self._stamp = _stamp(self._files)
        try:
            self.use(self.read())
        except (OSError, ValueError) as error:
            self.problem = why(error)
            log.error("the certificate and its key cannot be used, the ones before stay: %s", self.problem)

    async def run(self) -> None:
        """Reload whenever the files have changed, until cancelled."""
        while True:
            self._warn_before_expiry(time.time())
            await trio.sleep(LOOK_SECONDS)
            if await disk.run(_stamp, self._files) != self._stamp:
                self.reload()
                if self.problem is None:
                    log.info("the certificate was read again")

    def _warn_before_expiry(self, now: float) -> None:
        """Once a day, from `WARN_DAYS` before the pair in force expires. `now`: seconds since 1970."""
        left = (self.expires_at - now) / DAY
        if left > WARN_DAYS or abs(now - self._warned_at) < DAY:
            return
        self._warned_at = now
        when = "has expired" if left <= 0 else f"expires in {left:.0f} days"
        log.warning("the certificate %s: replace %s, it is read again by itself", when, self._files.cert)


def why(error: OSError | ValueError) -> str:
    """Why the files of a pair cannot be used."""
    if isinstance(error, ssl.SSLError):
        if error.reason is None:  # OpenSSL says "PEM lib" and not which
            return "the one holds no certificate in PEM, or the other no key"
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key is not that of the certificate: KEY_VALUES_MISMATCH"
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def _stamp(files: TlsFiles) -> _Stamp:
    """What changes when the files are replaced or written."""
    return _stamp_of(files.cert), _stamp_of(files.key)


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
