"""Signatures of deliveries: the vector that the contract's receivers verify with,
and what Standard Webhooks says.
"""

import base64
import hashlib
import hmac

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unifyport.delivery import signing
from unifyport.delivery.signing import Signer
from unifyport.model.webhook import Signatures

SECRET = "example-signing-secret"
TIMESTAMP = "2026-06-08T12:34:56Z"
NOW = 1_780_922_096_789  # 2026-06-08T12:34:56.789Z
BODY = b'{"id":"evt_1","type":"message.received"}'
SIGNATURE = "b2e46115d79b43c47463b7867b567a66a16e1838cd52f0d1d0ef0e3051bfe613"

DEVICE, STANDARD = Signatures.DEVICE, Signatures.STANDARD
IDS = {"x-device-event-id": "evt_1", "x-device-delivery-id": "dlv_1.2"}
WITH_DEVICE = {"x-device-timestamp": TIMESTAMP, "x-device-signature": SIGNATURE}
WITH_STANDARD = {"webhook-id": "evt_1", "webhook-timestamp": "1780922096"}
OLD, NEW = "whsec_" + base64.b64encode(b"old" * 8).decode(), "whsec_" + base64.b64encode(b"new" * 8).decode()


def fields(signer: Signer, *, replay: bool = False) -> dict[str, str]:
    """The header lines of an attempt, as a receiver reads them."""
    lines = signer("evt_1", "dlv_1.2", NOW, BODY, replay=replay).decode("ascii").split("\r\n")
    assert lines.pop() == ""
    pairs = [line.split(": ", 1) for line in lines]
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)


def standard(*keys: bytes) -> dict[str, str]:
    """By the letter of the specification: id, dot, seconds, dot, body."""
    macs = [hmac.digest(key, b"evt_1.1780922096." + BODY, "sha256") for key in keys]
    return {"webhook-signature": " ".join(f"v1,{base64.b64encode(mac).decode()}" for mac in macs)}


def test_vector() -> None:
    assert signing.sign(SECRET, TIMESTAMP, BODY) == SIGNATURE
    assert signing.verify(SECRET, TIMESTAMP, BODY, SIGNATURE)


def test_what_does_not_verify() -> None:
    assert not signing.verify(SECRET + "x", TIMESTAMP, BODY, SIGNATURE)
    assert not signing.verify(SECRET, "2026-06-08T12:34:57Z", BODY, SIGNATURE)
    assert not signing.verify(SECRET, TIMESTAMP, BODY + b" ", SIGNATURE)
    assert not signing.verify(SECRET, TIMESTAMP, BODY, "ünicode")


@pytest.mark.parametrize(
    ("secrets", "schemes", "expected"),
    [
        ([SECRET], [DEVICE], WITH_DEVICE),
        ([SECRET, OLD], [DEVICE], WITH_DEVICE),
        ([SECRET], [STANDARD], {**WITH_STANDARD, **standard(SECRET.encode())}),
        ([SECRET], [STANDARD, DEVICE], {**WITH_DEVICE, **WITH_STANDARD, **standard(SECRET.encode())}),
        (["schlüssel"], [STANDARD], {**WITH_STANDARD, **standard("schlüssel".encode())}),
        ([NEW], [STANDARD], {**WITH_STANDARD, **standard(b"new" * 8)}),
        ([NEW, OLD], [STANDARD], {**WITH_STANDARD, **standard(b"new" * 8, b"old" * 8)}),
        ([NEW, SECRET], [STANDARD], {**WITH_STANDARD, **standard(b"new" * 8, SECRET.encode())}),
        ([""], [DEVICE], {"x-device-timestamp": TIMESTAMP}),
        ([], [DEVICE, STANDARD], {"x-device-timestamp": TIMESTAMP, **WITH_STANDARD}),
    ],
    ids=[
        *("device", "device signs with the new one", "standard", "both", "a secret that is not ASCII"),
        *("whsec_ is base64", "a rotation", "a rotation of forms", "no secret", "no secrets at all"),
    ],
)
def test_headers_of_an_attempt(
    secrets: list[str], schemes: list[Signatures], expected: dict[str, str]
) -> None:
    assert fields(Signer(secrets, schemes)) == {**IDS, **expected}


def test_a_replay_says_so_and_is_signed_the_same() -> None:
    signer = Signer([SECRET], [DEVICE, STANDARD])
    assert fields(signer, replay=True) == {**fields(signer), "x-device-replay": "true"}


def test_each_attempt_is_signed_at_its_own_time() -> None:
    signer = Signer([SECRET], [DEVICE, STANDARD])
    assert signer("evt_1", "dlv_1.2", NOW, BODY) == signer("evt_1", "dlv_1.2", NOW + 210, BODY)
    later = signer("evt_1", "dlv_1.2", NOW + 211, BODY)
    assert b"x-device-timestamp: 2026-06-08T12:34:57Z\r\n" in later
    assert b"webhook-timestamp: 1780922097\r\n" in later
    assert signing.sign(SECRET, "2026-06-08T12:34:57Z", BODY).encode() in later


@pytest.mark.parametrize("secret", ["whsec_not base64", "whsec_ä"])
def test_the_bytes_of_a_secret_that_is_no_base64_are_its_key(secret: str) -> None:
    """It may have been written before `standard` was asked for: that must not stop an endpoint."""
    signed = fields(Signer([secret], [DEVICE, STANDARD]))
    mac = hmac.digest(secret.encode(), TIMESTAMP.encode() + b"." + BODY, "sha256").hex()
    assert signed["x-device-signature"] == mac
    said = f"{signed['webhook-id']}.{signed['webhook-timestamp']}.".encode() + BODY
    expected = base64.b64encode(hmac.digest(secret.encode(), said, "sha256")).decode()
    assert signed["webhook-signature"] == f"v1,{expected}"


@given(st.binary(max_size=200), st.lists(st.binary(max_size=100)))
@example(b"k" * 63, [b"x"])
@example(b"k" * 64, [b"x"])
@example(b"k" * 65, [b"x"])
@example(b"", [])
def test_the_prepared_key_is_hmac(key: bytes, parts: list[bytes]) -> None:
    mac = signing._Mac(key)
    expected = hmac.new(key, b"".join(parts), hashlib.sha256).digest()
    assert mac(*parts) == expected
    assert mac(*parts) == expected  # it is as good for the next one
