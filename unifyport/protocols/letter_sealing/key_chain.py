"""The key chain that a user's phone hands to a device that logs in by QR code.

The device puts a fresh public key into the QR code's URL (`secret`, base64, and `e2eeVersion=1`). The answer
to the login brings the public key of the sealing side and a Thrift structure (compact encoding) with all key
pairs of the user, AES-256-CBC under the shared secret, filled with zeros to whole blocks. It has no tag: a
pair counts only if its public half is the one that the chain names, and is stored only if the server has that
one registered (`KeyPair.belongs_to`). An answer without a chain: a new pair is registered
(`registerE2EEPublicKey`).

Source: `base/e2ee` and `base/login` of https://github.com/evex-dev/linejs, `e2ee.py` of PyPI CHRLINE.
"""

from base64 import b64encode
from typing import Annotated
from urllib.parse import quote

from attrs import frozen

from unifyport.protocols import thrift
from unifyport.protocols.letter_sealing.ciphers import BLOCK, cbc_key, decrypt_cbc, encrypt_cbc
from unifyport.protocols.letter_sealing.errors import BadSeal, Malformed
from unifyport.protocols.letter_sealing.keys import KeyPair, agree
from unifyport.protocols.thrift import I32, I64, Encoding

MAX_CHAIN_BYTES = 64 * 1024
_LIMITS = thrift.Limits(bytes=MAX_CHAIN_BYTES, string=1024, depth=8, items=4096)


@frozen
class ChainedKey:
    """One pair of the chain as it is on the wire."""

    version: Annotated[I32, 1] = 1
    key_id: Annotated[I32, 2] = 0
    public: Annotated[bytes, 4] = b""
    private: Annotated[bytes, 5] = b""
    created: Annotated[I64 | None, 6] = None

    def __repr__(self) -> str:
        return f"ChainedKey(key_id={self.key_id})"


@frozen
class Chain:
    """All pairs of the user, the current one first."""

    keys: Annotated[tuple[ChainedKey, ...], 1] = ()


def qr_suffix(device: KeyPair) -> str:
    """What the device appends to the QR code's URL, with its question mark."""
    return f"?secret={quote(b64encode(device.public.data).decode(), safe='')}&e2eeVersion=1"


def open_key_chain(sealed: bytes, device: KeyPair, sender: bytes) -> list[KeyPair]:
    """The pairs of a chain that are sound; `sender` is the public key that came with it.

    A pair whose halves do not belong together is left out. Raises `Malformed`, and `BadSeal` where none is
    left.
    """
    if len(sealed) > MAX_CHAIN_BYTES:
        raise Malformed(f"a key chain of {len(sealed)} bytes")
    secret = agree(device.private, sender)
    plain = decrypt_cbc(*cbc_key(secret), sealed)
    try:
        chain = thrift.decode(Chain, plain, Encoding.COMPACT, limits=_LIMITS, trailing=True)
    except thrift.Malformed as error:
        raise BadSeal("what is sealed is no key chain") from error
    pairs = [pair for key in chain.keys if (pair := _sound(key)) is not None]
    if not pairs:
        raise BadSeal("no sound key in the chain")
    return pairs


def seal_key_chain(pairs: list[KeyPair], sender: KeyPair, device: bytes) -> bytes:
    """The phone's side: the chain for the device whose public key is `device`."""
    secret = agree(sender.private, device)
    keys = tuple(ChainedKey(1, pair.key_id, pair.public.data, pair.private) for pair in pairs)
    plain = thrift.encode(Chain(keys), Encoding.COMPACT)
    filled = plain + bytes(-len(plain) % BLOCK)
    return encrypt_cbc(*cbc_key(secret), filled)


def _sound(key: ChainedKey) -> KeyPair | None:
    try:
        pair = KeyPair(key.key_id, key.private)
    except Malformed:
        return None
    return pair if pair.public.data == key.public else None
