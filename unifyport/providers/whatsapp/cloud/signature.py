"""Verification of Meta's webhooks, on raw bytes and in constant time.

`X-Hub-Signature-256: sha256=<hex HMAC-SHA256 of the body, keyed with the app secret>`. Meta checks the
address by a GET with `hub.mode`, `hub.verify_token` and `hub.challenge`
(https://developers.facebook.com/docs/graph-api/webhooks/getting-started). The body holds no signed time: a
replayed request is recognised by the dedupe keys of its items, and items older than the keys are kept are set
aside as stale (`unifyport/gateway/ingress_routing.py`).
"""

import hmac
import re

from unifyport.providers.contract.ingress import Credentials, Headers, Query

SIGNATURE = "x-hub-signature-256"
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,128}")


def sign(app_secret: str, body: bytes) -> str:
    """The value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.digest(app_secret.encode(), body, "sha256").hex()


def verify(credentials: Credentials, headers: Headers, body: bytes) -> bool:
    expected = sign(credentials.get("app_secret", ""), body)
    return hmac.compare_digest(expected.encode(), headers.get(SIGNATURE, "").encode())


def answer_challenge(credentials: Credentials, query: Query) -> str | None:
    """The answer to Meta's check of our address: the challenge if the token is ours, else None (refuse)."""
    told = hmac.compare_digest(
        credentials.get("verify_token", "").encode(), query.get("hub.verify_token", "").encode()
    )
    challenge = query.get("hub.challenge", "")
    good = told and query.get("hub.mode") == "subscribe" and _CHALLENGE.fullmatch(challenge)
    return challenge if good else None
