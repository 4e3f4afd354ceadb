"""Verification of TikTok's webhooks, on raw bytes and in constant time.

`Tiktok-Signature: t=<unix seconds>,s=<hex>`; `s` is HMAC-SHA256 of `<t>.<body>`, keyed with the app's secret
(https://business-api.tiktok.com/portal/docs?id=1759978341579777). The parts are taken by name, in any order.

TikTok's own sample refuses a request that is older than 5 s. Queues and proxies in front of a gateway may
take longer than that, so 300 s are the default here: a request that is replayed within them is recognised by
the keys of its events. A time that lies ahead of our clock by more than a difference of clocks is refused.
"""

import functools
import hmac
import re
import time
from collections.abc import Callable

from unifyport.providers.contract.ingress import Credentials, Headers

SIGNATURE = "tiktok-signature"
MAX_AGE_SECONDS = 300
MAX_AHEAD_SECONDS = 30
_SECONDS = re.compile(r"[0-9]{1,12}")


def sign(client_secret: str, body: bytes, at: int | str) -> str:
    """The value of `Tiktok-Signature` for a request at `at` (unix seconds)."""
    return f"t={at},s={_digest(client_secret, body, str(at))}"


def verify(
    credentials: Credentials, headers: Headers, body: bytes, *, now: Callable[[], float] | None = time.time
) -> bool:
    """Whether the app's secret signed this body, at a time near `now` (unix seconds; None: at any time)."""
    secret = credentials.get("client_secret", "")
    at, signature = _parts(headers.get(SIGNATURE, ""))
    good = hmac.compare_digest(_digest(secret, body, at).encode(), signature.encode())
    return bool(secret) and good and (now is None or _is_recent(at, now(), _max_age(credentials)))


verify_at_any_time = functools.partial(verify, now=None)


def _digest(secret: str, body: bytes, at: str) -> str:
    return hmac.digest(secret.encode(), at.encode() + b"." + body, "sha256").hex()


def _parts(header: str) -> tuple[str, str]:
    """`t` and `s`; empty where they are missing or given twice."""
    found: dict[str, str] = {}
    for part in header.split(","):
        name, _, value = part.strip().partition("=")
        found[name] = "" if name in found else value
    return found.get("t", ""), found.get("s", "")


def _is_recent(at: str, now: float, max_age: int) -> bool:
    return bool(_SECONDS.fullmatch(at)) and -MAX_AHEAD_SECONDS <= now - int(at) <= max_age


def _max_age(credentials: Credentials) -> int:
    given = str(credentials.get("signature_max_age") or "")
    return int(given) if _SECONDS.fullmatch(given) else MAX_AGE_SECONDS
