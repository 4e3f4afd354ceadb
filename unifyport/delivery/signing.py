"""Signatures of deliveries, exactly as the contract's receivers verify them.

`X-Device-Signature` is the lowercase hex HMAC-SHA256, keyed with the UTF-8 bytes of the endpoint's secret, of
the value of `X-Device-Timestamp`, one ASCII dot, and the raw body. No secret, no signature header.
"""

import hmac

from unifyport.model.times import rfc3339

EVENT_ID = "x-device-event-id"
DELIVERY_ID = "x-device-delivery-id"
TIMESTAMP = "x-device-timestamp"
SIGNATURE = "x-device-signature"


def sign(secret: str, timestamp: str, body: bytes) -> str:
    return hmac.digest(secret.encode(), timestamp.encode() + b"." + body, "sha256").hex()


def verify(secret: str, timestamp: str, body: bytes, signature: str) -> bool:
    """What a receiver does, in constant time."""
    return hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode())


def headers(secret: str, event_id: str, delivery_id: str, now_ms: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt; each attempt is signed afresh, at its own time."""
    timestamp = rfc3339(now_ms)
    signed = {
        "content-type": "application/json",
        EVENT_ID: event_id,
        DELIVERY_ID: delivery_id,
        TIMESTAMP: timestamp,
    }
    if secret:
        signed[SIGNATURE] = sign(secret, timestamp, body)
    return signed
