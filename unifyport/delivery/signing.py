"""Signatures of deliveries.

`device`, of the public contract: `X-Device-Signature` is the lowercase hex HMAC-SHA256, keyed with the UTF-8
bytes of the endpoint's secret, of the value of `X-Device-Timestamp`, one ASCII dot, and the raw body.

`standard`, Standard Webhooks
(https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md):
`webhook-signature` is `v1,` and the base64 HMAC-SHA256 of id, dot, Unix seconds, dot, body; during a rotation
it lists one for each secret. In a secret that begins with `whsec_` the rest is base64, as the libraries
expect.

Without a secret there are no signature headers. A key is hashed into the two pads of HMAC (RFC 2104) once,
and copied for each signature: that halves the cost of a signature.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence

from unifyport.model.times import rfc3339
from unifyport.model.webhook import Signatures, standard_key

EVENT_ID = "x-device-event-id"
DELIVERY_ID = "x-device-delivery-id"
TIMESTAMP = "x-device-timestamp"
SIGNATURE = "x-device-signature"
REPLAY = "x-device-replay"
STANDARD_ID = "webhook-id"
STANDARD_TIMESTAMP = "webhook-timestamp"
STANDARD_SIGNATURE = "webhook-signature"

_BLOCK = 64  # of SHA-256, bytes


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The `device` signature."""
    return _Mac(secret.encode())(timestamp.encode(), b".", body).hex()


def verify(secret: str, timestamp: str, body: bytes, signature: str) -> bool:
    """Check a `device` signature as a receiver does, in constant time."""
    return hmac.compare_digest(sign(secret, timestamp, body).encode(), signature.encode())


class Signer:
    """Makes the headers of deliveries to one endpoint. `secrets`: those that are valid now, newest first."""

    def __init__(self, secrets: Sequence[str], schemes: Sequence[Signatures]) -> None:
        held = [secret for secret in secrets if secret]
        self._device = _Mac(held[0].encode()) if held and Signatures.DEVICE in schemes else None
        self._with_device = Signatures.DEVICE in schemes
        self._with_standard = Signatures.STANDARD in schemes
        self._standard = [_Mac(_read_key(secret)) for secret in held] if self._with_standard else []

    def __call__(
        self, event_id: str, delivery_id: str, now_ms: int, body: bytes, *, replay: bool = False
    ) -> bytes:
        """The header lines of one attempt, signed with its own time.

        Event id and delivery id are sent with every scheme: the receiver recognises repeats by the event id,
        and its operator finds the attempt by the delivery id.
        """
        seconds = now_ms // 1000
        fields = f"{EVENT_ID}: {event_id}\r\n{DELIVERY_ID}: {delivery_id}\r\n"
        if replay:
            fields += f"{REPLAY}: true\r\n"
        if self._with_device:
            timestamp = rfc3339(now_ms)
            fields += f"{TIMESTAMP}: {timestamp}\r\n"
            if self._device is not None:
                fields += f"{SIGNATURE}: {self._device(timestamp.encode(), b'.', body).hex()}\r\n"
        if self._with_standard:
            fields += f"{STANDARD_ID}: {event_id}\r\n{STANDARD_TIMESTAMP}: {seconds}\r\n"
            if self._standard:
                prefix = f"{event_id}.{seconds}.".encode()
                values = [base64.b64encode(mac(prefix, body)).decode() for mac in self._standard]
                fields += f"{STANDARD_SIGNATURE}: {' '.join(f'v1,{value}' for value in values)}\r\n"
        return fields.encode()


def _read_key(secret: str) -> bytes:
    """The key in a secret. One that is not valid for `standard` (it may be older) is used as it is."""
    try:
        return standard_key(secret)
    except ValueError:
        return secret.encode()


class _Mac:
    """HMAC-SHA256 under one key."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        key = key.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))

    def __call__(self, *parts: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        for part in parts:
            inner.update(part)
        outer.update(inner.digest())
        return outer.digest()
