"""Every signature scheme on raw bytes: good, wrong secret, altered body, missing, another account's, not
ASCII, 1 MB. The signatures are made here, not by the code that verifies them.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable

import attrs
import pytest

from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.registry import standard

NOW = int(time.time())
BODIES = {
    "ascii": json.dumps({"timestamp": str(NOW * 1000), "text": "hello"}).encode(),
    "not_ascii": json.dumps({"timestamp": str(NOW * 1000), "text": "chào 👋"}, ensure_ascii=False).encode(),
    "1_mb": json.dumps({"timestamp": str(NOW * 1000), "text": "x" * (1024 * 1024 - 60)}).encode(),
}


def _hmac(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def _line(secret: str, body: bytes) -> dict[str, str]:
    return {"x-line-signature": base64.b64encode(_hmac(secret, body)).decode()}


def _whatsapp(secret: str, body: bytes) -> dict[str, str]:
    return {"x-hub-signature-256": f"sha256={_hmac(secret, body).hex()}"}


def _tiktok(secret: str, body: bytes) -> dict[str, str]:
    now = int(time.time())  # a suite may run for longer than a signature is good
    return {"tiktok-signature": f"t={now},s={_hmac(secret, f'{now}.'.encode() + body).hex()}"}


def _zalo(secret: str, body: bytes) -> dict[str, str]:
    text = b"app-1" + body + str(NOW * 1000).encode() + secret.encode()
    return {"x-zevent-signature": f"mac={hashlib.sha256(text).hexdigest()}"}


def _x(secret: str, body: bytes) -> dict[str, str]:
    digest = base64.b64encode(_hmac(secret, body)).decode()
    return {"x-twitter-webhooks-signature": f"sha256={digest}"}


def _telegram_secret(secret: str, body: bytes) -> dict[str, str]:
    return {"x-telegram-bot-api-secret-token": secret}


def _zalo_secret(secret: str, body: bytes) -> dict[str, str]:
    return {"x-bot-api-secret-token": secret}


@attrs.frozen
class Scheme:
    """`place`: of the connection in its channel. `of_body`: whether the body is signed."""

    channel: str
    secret: str  # name of the credential
    sign: Callable[[str, bytes], dict[str, str]]
    place: int = 0
    of_body: bool = True

    def verify(self, secret: str, headers: dict[str, str], body: bytes) -> bool:
        spec: ConnectionSpec = standard().channels[self.channel].connections[self.place]
        assert spec.ingress is not None
        credentials = {"app_id": "app-1", self.secret: secret}
        return spec.ingress.verify(credentials, headers, body)


SCHEMES = {
    "line": Scheme("line", "channel_secret", _line),
    "whatsapp": Scheme("whatsapp", "app_secret", _whatsapp),
    "tiktok": Scheme("tiktok", "client_secret", _tiktok),
    "zalo_official": Scheme("zalo", "oa_secret", _zalo, place=1),
    "x": Scheme("x", "consumer_secret", _x),
    "telegram": Scheme("telegram", "webhook_secret", _telegram_secret, of_body=False),
    "zalo_bot": Scheme("zalo", "webhook_secret", _zalo_secret, of_body=False),
}
SECRET, OTHERS = "secret-of-the-account", "secret-of-another-account"


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_schemes(scheme: Scheme, body: bytes) -> None:
    good = scheme.sign(SECRET, body)
    [(name, value)] = good.items()
    assert scheme.verify(SECRET, good, body)
    assert not scheme.verify(SECRET, scheme.sign("wrong", body), body)
    assert not scheme.verify(SECRET, scheme.sign(OTHERS, body), body)
    assert not scheme.verify(OTHERS, good, body)
    assert not scheme.verify(SECRET, {}, body)
    for wrong in ("", value[:-1], value + "0", "é" * len(value)):
        assert not scheme.verify(SECRET, {name: wrong}, body), wrong
    assert scheme.verify(SECRET, good, body + b" ") is not scheme.of_body
    assert scheme.verify(SECRET, good, body.replace(b"text", b"tExt")) is not scheme.of_body
