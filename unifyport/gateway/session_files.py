"""Exported sessions, as a caller brings them: as a value, or behind a URL that is fetched once."""

import ssl
from typing import Any

import attrs
import msgspec

from unifyport.net.clients import ConnectionLost, NotConnected, TooLarge
from unifyport.net.fetch import FetchRefused, fetch
from unifyport.net.guard import AddressGuard, NameNotResolved, UrlNotAllowed
from unifyport.process.redaction import ShortLivedSecrets

from .errors import invalid

SESSION_SECONDS = 10.0
MAX_SESSION = 1024 * 1024  # bytes


@attrs.frozen
class SessionFiles:
    """Fetches sessions, through the address guard for files."""

    _guard: AddressGuard
    _ssl_context: ssl.SSLContext

    async def fetch(self, url: str, secrets: ShortLivedSecrets) -> bytes:
        """What is behind an https URL. The URL is a secret, added to `secrets`, and no error holds it.

        Raises `UseCaseError`. Cancelled: the request is dropped.
        """
        if not url.startswith("https://"):
            raise invalid("session_url", "must be an https URL")
        secrets.register(url)
        data = bytearray()

        async def sink(chunk: bytes) -> None:
            data.extend(chunk)

        try:
            await fetch(
                self._guard,
                self._ssl_context,
                url,
                sink,
                limit=MAX_SESSION,
                timeout=SESSION_SECONDS,
                redirects=0,
            )
        except (UrlNotAllowed, NameNotResolved) as error:
            raise invalid("session_url", str(error)) from None
        except TooLarge:
            raise invalid("session_url", f"a session may have at most {MAX_SESSION} bytes") from None
        except (FetchRefused, NotConnected, ConnectionLost) as error:
            raise invalid("session_url", f"could not be fetched ({error})") from None
        return bytes(data)


def read_session(session: Any, secrets: ShortLivedSecrets) -> bytes:
    """A session that was given as text, or as an object, added to `secrets`. Raises `UseCaseError`."""
    if not isinstance(session, str | dict):
        raise invalid("session", "must be a string or an object")
    text = session if isinstance(session, str) else msgspec.json.encode(session).decode()
    secrets.register(text)
    return text.encode()
