"""The refresh token that the account's tokens come from: one that the operator gave, or one of a consent.

A consent leaves its first refresh token as a session record, with a hash of the one in the credentials at
that time. Once the credentials hold another one, that one is newer. `providers/oauth.py` keeps the current
pair.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from unifyport.model.unit import SessionChange
from unifyport.process.redaction import register_fleeting
from unifyport.providers.contract.session import Session
from unifyport.providers.oauth import RECORD

SEED = ("seed", b"")
CREDENTIAL = "refresh_token"


class _Seed(Struct):
    token: str
    beside: bytes  # hash of the credential at that time


class _Pair(Struct):
    """Of the record that `providers/oauth.py` keeps."""

    refresh_token: str = ""


def seed_record(credentials: Mapping[str, Any], token: str) -> SessionChange:
    """The record of a consent."""
    return SessionChange(*SEED, msgspec.msgpack.encode(_Seed(token, _hash(credentials))))


async def read_seed(session: Session, credentials: Mapping[str, Any]) -> tuple[str, bool]:
    """The refresh token to begin with, "" if there is none, and whether it came of a consent."""
    stored = await session.get(*SEED)
    if stored is not None:
        seed = msgspec.msgpack.decode(stored, type=_Seed)
        if seed.beside == _hash(credentials):
            register_fleeting(seed.token)
            return seed.token, True
    return str(credentials.get(CREDENTIAL) or ""), False


async def newest_token(session: Session, seed: str) -> str:
    """The refresh token that serves now."""
    stored = await session.get(*RECORD)
    if stored is None:
        return seed
    try:
        return msgspec.msgpack.decode(stored, type=_Pair).refresh_token or seed
    except msgspec.DecodeError:
        return seed


def _hash(credentials: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(b"unifyport x seed" + str(credentials.get(CREDENTIAL) or "").encode()).digest()
