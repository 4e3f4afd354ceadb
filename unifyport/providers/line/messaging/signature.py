"""Verification of LINE's webhooks, on raw bytes and in constant time.

`X-Line-Signature: <base64 of HMAC-SHA256 of the body, keyed with the channel secret>`
(https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/). No time is signed: a replayed
request is recognised by the ids of its events, and events older than these are kept are set aside.
"""

import base64
import hmac

from unifyport.providers.contract.ingress import Credentials, Headers

SIGNATURE = "x-line-signature"


def sign(channel_secret: str, body: bytes) -> str:
    """The value of `X-Line-Signature`."""
    return base64.b64encode(hmac.digest(channel_secret.encode(), body, "sha256")).decode()


def verify(credentials: Credentials, headers: Headers, body: bytes) -> bool:
    expected = sign(credentials.get("channel_secret", ""), body)
    return hmac.compare_digest(expected.encode(), headers.get(SIGNATURE, "").encode())
