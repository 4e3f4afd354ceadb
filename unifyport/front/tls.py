"""The certificate of the front: one for every name, read again when its files change."""

import logging
import ssl
from pathlib import Path

import attrs
import trio
from cryptography import x509

from unifyport.process import disk

log = logging.getLogger("unifyport.front")

LOOK_SECONDS = 60.0


@attrs.frozen
class TlsFiles:
    """PEM: the certificate with its chain, and its key."""

    cert: Path
    key: Path


def new_tls_context(cert: Path, key: Path) -> ssl.SSLContext:
    """The server-side context for a certificate chain and its key, both PEM: TLS 1.2 and newer, HTTP/1.1.

    Raises `OSError`.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(cert, key, password=lambda: b"")  # never ask at a terminal
    return context


class Certificate:
    """The pair in force. Files that cannot be used leave the pair before in force, and are a `problem`."""

    def __init__(self, files: TlsFiles) -> None:
        """Raises `OSError`, `ValueError` if the files cannot be used."""
        self._files = files
        self._stamp = _stamp(files)
        self.context, self.expires_at = _load(files)  # of the pair in force; seconds since 1970
        self.problem: str | None = None  # why the files as they are now are not in force

    def reload(self) -> None:
        """Read the files again."""
        self._stamp = _stamp(self._files)
        try:
            self.context, self.expires_at = _load(self._files)
            self.problem = None
        except (OSError, ValueError) as error:
            self.problem = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
            log.error("the certificate and its key cannot be used, the ones before stay: %s", self.problem)

    async def run(self) -> None:
        """Reload whenever the files have changed, until cancelled."""
        while True:
            await trio.sleep(LOOK_SECONDS)
            if await disk.run(_stamp, self._files) != self._stamp:
                self.reload()
                if self.problem is None:
                    log.info("the certificate was read again")


def _load(files: TlsFiles) -> tuple[ssl.SSLContext, float]:
    context = new_tls_context(files.cert, files.key)
    chain = x509.load_pem_x509_certificates(files.cert.read_bytes())
    return context, chain[0].not_valid_after_utc.timestamp()


def _stamp(files: TlsFiles) -> list[tuple[int, int, int] | None]:
    """What changes when the files are replaced or written."""
    return [_stamp_of(path) for path in (files.cert, files.key)]


def _stamp_of(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
