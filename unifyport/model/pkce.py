"""Proof key for code exchange (RFC 7636): the verifier that stays here, and the challenge that is shown."""

import base64
import hashlib
import secrets

_VERIFIER_BYTES = 32  # 43 characters, the length that section 4.1 recommends


def new_verifier() -> str:
    return secrets.token_urlsafe(_VERIFIER_BYTES)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (section 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
