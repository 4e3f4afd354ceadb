"""Additions to a message that are encrypted under the message's own secret: votes, reactions, edits.

A message carries 32 secret bytes (`messageContextInfo.messageSecret`). The key of an addition is derived from
them, the message id, the message's sender, the adding user and the purpose. Facts: whatsmeow `msgsecret.go`
(https://github.com/tulir/whatsmeow).

In a chat whose users are known by phone number and by LID, either may have been used for either user;
`open_addition` tries the few combinations.
"""

import enum
import hashlib
import itertools
import os
from collections.abc import Iterable, Sequence

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from unifyport.protocols.binary_node import Jid

SECRET_SIZE = 32
MAX_CANDIDATES = 4  # addresses of one user


class Purpose(enum.StrEnum):
    """What an addition is; the text goes into its key."""

    POLL_VOTE = "Poll Vote"
    REACTION = "Enc Reaction"
    COMMENT = "Enc Comment"
    EVENT_RESPONSE = "Event Response"
    EVENT_EDIT = "Event Edit"
    MESSAGE_EDIT = "Message Edit"
    POLL_EDIT = "Poll Edit"


_AUTHENTICATED = frozenset({Purpose.POLL_VOTE, Purpose.EVENT_RESPONSE})  # id and user are associated data


class WrongSecret(ValueError):
    """An addition does not open with this secret and these users."""


@attrs.frozen
class Addition:
    """`encPayload` and `encIV`."""

    payload: bytes
    iv: bytes


@attrs.frozen
class Opened:
    """The plaintext, and the addresses with which it opened."""

    plaintext: bytes
    sender: Jid
    user: Jid


@attrs.frozen
class Target:
    """The message that is added to: its id and its secret (32 bytes)."""

    message_id: str
    secret: bytes = attrs.field(repr=False)


def new_secret() -> bytes:
    return os.urandom(SECRET_SIZE)


def seal_addition(plaintext: bytes, target: Target, purpose: Purpose, *, sender: Jid, user: Jid) -> Addition:
    """Encrypt what `user` adds to the message that `sender` wrote."""
    iv = os.urandom(12)
    key, associated = _key(target, purpose, sender.bare, user.bare)
    return Addition(AESGCM(key).encrypt(iv, plaintext, associated), iv)


def open_addition(
    addition: Addition, target: Target, purpose: Purpose, *, senders: Iterable[Jid], users: Iterable[Jid]
) -> Opened:
    """Decrypt an addition. `senders` and `users` are the known addresses of each, the likeliest first.

    At most four of each are tried. Raises `WrongSecret`.
    """
    pairs = itertools.product(_candidates(senders), _candidates(users))
    for sender, user in pairs:
        key, associated = _key(target, purpose, sender, user)
        try:
            return Opened(AESGCM(key).decrypt(addition.iv, addition.payload, associated), sender, user)
        except (InvalidTag, ValueError):
            continue
    raise WrongSecret(f"The {purpose} does not open")


def option_hash(option: str) -> bytes:
    """How a vote names an option of a poll: the SHA-256 of its text."""
    return hashlib.sha256(option.encode()).digest()


def _candidates(addresses: Iterable[Jid]) -> Sequence[Jid]:
    return list(dict.fromkeys(address.bare for address in addresses))[:MAX_CANDIDATES]


def _key(target: Target, purpose: Purpose, sender: Jid, user: Jid) -> tuple[bytes, bytes | None]:
    info = f"{target.message_id}{sender}{user}{purpose}".encode()
    key = HKDF(hashes.SHA256(), 32, None, info).derive(target.secret)
    associated = f"{target.message_id}\0{user}".encode() if purpose in _AUTHENTICATED else None
    return key, associated
