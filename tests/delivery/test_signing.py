"""The signature, by the vector that the contract's receivers verify with."""

from unifyport.delivery import signing

SECRET = "example-signing-secret"
TIMESTAMP = "2026-06-08T12:34:56Z"
BODY = b'{"id":"evt_1","type":"message.received"}'
SIGNATURE = "b2e46115d79b43c47463b7867b567a66a16e1838cd52f0d1d0ef0e3051bfe613"


def test_vector() -> None:
    assert signing.sign(SECRET, TIMESTAMP, BODY) == SIGNATURE
    assert signing.verify(SECRET, TIMESTAMP, BODY, SIGNATURE)


def test_what_does_not_verify() -> None:
    assert not signing.verify(SECRET + "x", TIMESTAMP, BODY, SIGNATURE)
    assert not signing.verify(SECRET, "2026-06-08T12:34:57Z", BODY, SIGNATURE)
    assert not signing.verify(SECRET, TIMESTAMP, BODY + b" ", SIGNATURE)
    assert not signing.verify(SECRET, TIMESTAMP, BODY, "ünicode")


def test_headers_of_an_attempt() -> None:
    at = 1_780_922_096_789  # 2026-06-08T12:34:56.789Z
    headers = signing.headers(SECRET, "evt_1", "dlv_1_1_0.1", at, BODY)
    assert headers == {
        "content-type": "application/json",
        "x-device-event-id": "evt_1",
        "x-device-delivery-id": "dlv_1_1_0.1",
        "x-device-timestamp": TIMESTAMP,
        "x-device-signature": SIGNATURE,
    }
    assert "x-device-signature" not in signing.headers("", "evt_1", "dlv_1_1_0.1", at, BODY)
