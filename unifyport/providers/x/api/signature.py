"""Verification of X's webhooks, on raw bytes and in constant time.

`x-twitter-webhooks-signature: sha256=<base64 of the HMAC-SHA256 of the body, keyed with the app's consumer
secret>`. X checks an address by a GET with `crc_token`, and wants the HMAC of that token
(https://docs.x.com/x-api/webhooks/quickstart). Both are made with one key, so one who gets texts of their own
signed as challenges can forge events: a challenge is signed only if it cannot be the body of an
event. The scheme has no time; a repeat is recognised by the dedupe keys of its items.
"""

import base64
import hmac
import re

import msgspec

from unifyport.providers.contract.ingress import Credentials, Headers, Query

SIGNATURE = "x-twitter-webhooks-signature"
# Letters, digits and the signs of base64 and of UUIDs (a `+` may come as a space): no JSON object is such a
# text.
_CHALLENGE = re.compile(r"[A-Za-z0-9+/=_. -]{1,512}")


def sign(consumer_secret: str, data: bytes) -> str:
    """The value of the header for a body, and `response_token` for a challenge."""
    digest = hmac.digest(consumer_secret.encode(), data, "sha256")
    return "sha256=" + base64.b64encode(digest).decode("ascii")


def verify(credentials: Credentials, headers: Headers, body: bytes) -> bool:
    secret = credentials.get("consumer_secret", "")
    expected = sign(secret, body)
    return hmac.compare_digest(expected.encode(), headers.get(SIGNATURE, "").encode()) and bool(secret)


def answer_challenge(credentials: Credentials, query: Query) -> str | None:
    """The JSON that answers a challenge; None refuses it. Nothing else is asked: X gives up after seconds."""
    token, secret = query.get("crc_token", ""), credentials.get("consumer_secret", "")
    if not secret or _CHALLENGE.fullmatch(token) is None:
        return None
    return msgspec.json.encode({"response_token": sign(secret, token.encode())}).decode()
