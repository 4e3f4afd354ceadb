"""Verification of an account's webhooks, on raw bytes and in constant time.

`X-ZEvent-Signature: mac=<hex>` is the SHA-256 of app id + body + timestamp + OA secret key, with the time of
the body (https://docs.zaloplatforms.com/docs/OA/webhook). Requests are met that are signed with the id of
the account in place of the app's, with the timestamp of the header `X-ZEvent-Timestamp`, and without `mac=`:
each of these needs the secret as well, and is accepted. The timestamp that is signed must be recent; within
that time a replayed request is recognised by the dedupe key of its event.
"""

import functools
import hashlib
import hmac
import re
import time
from collections.abc import Callable

import msgspec
from msgspec import Struct

from unifyport.model.json_text import UNREADABLE
from unifyport.providers.contract.ingress import Credentials, Headers

SIGNATURE, TIMESTAMP = "x-zevent-signature", "x-zevent-timestamp"
PAST_SECONDS = 86_400.0  # Zalo repeats a request for less than two hours
FUTURE_SECONDS = 600.0
_TIME = re.compile(r"[0-9]{10,16}")
_HEX = re.compile(r"(?:mac=)?([0-9a-fA-F]{64})")


class _Party(Struct, frozen=True):
    id: str = ""


class _Signed(Struct):
    """What is signed beside the body, as far as it is in the body."""

    timestamp: str | int = ""
    oa_id: str = ""
    sender: _Party = _Party()
    recipient: _Party = _Party()


def sign(first: str, body: bytes, timestamp: str, secret: str) -> str:
    """The value of the header. `first`: the id of the app, or of the account."""
    return "mac=" + hashlib.sha256(first.encode() + body + timestamp.encode() + secret.encode()).hexdigest()


def verify(
    credentials: Credentials, headers: Headers, body: bytes, *, now: Callable[[], float] | None = time.time
) -> bool:
    """Whether the secret signed this body, at a time near `now` (unix seconds; None: at any time)."""
    secret = credentials.get("oa_secret") or ""
    told = _HEX.fullmatch(headers.get(SIGNATURE, ""))
    try:
        signed = msgspec.json.decode(body, type=_Signed)
    except UNREADABLE:
        signed = _Signed()
    given = told[1].lower() if told is not None else ""
    ids = [
        credentials.get("app_id"),
        credentials.get("oa_id"),
        signed.oa_id,
        signed.sender.id,
        signed.recipient.id,
    ]
    good = False
    for first in dict.fromkeys(each for each in ids if each):
        begun = hashlib.sha256(first.encode())
        begun.update(body)  # once for all times: it may be long
        for stamp in dict.fromkeys((str(signed.timestamp), headers.get(TIMESTAMP, ""))):
            expected = begun.copy()
            expected.update(stamp.encode() + secret.encode())
            same = hmac.compare_digest(expected.hexdigest().encode(), given.encode())
            good |= same and (now is None or _is_recent(stamp, now()))
    return good and bool(secret)


verify_at_any_time = functools.partial(verify, now=None)


def _is_recent(timestamp: str, now: float) -> bool:
    """Whether a time in milliseconds, or in seconds, is neither stale nor in the future."""
    if not _TIME.fullmatch(timestamp):
        return False
    at = int(timestamp) / (1000 if len(timestamp) > 11 else 1)
    return now - PAST_SECONDS <= at <= now + FUTURE_SECONDS
