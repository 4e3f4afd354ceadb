"""Messages of users and groups: version 2 sealed and opened, version 1 opened.

Both versions derive their key from the shared secret of two X25519 keys and a fresh salt:

    chat                sender's side                        receiver's side
    ----------------    ---------------------------------    -------------------------------------
    between users       own private, receiver's public       own private, sender's public
    group               group's private, own public          group's private, sender's public

so the side that opens needs the keys that the message names. Version 2 authenticates chat, sender, both key
ids, version and content type with AES-256-GCM. Version 1 authenticates the ciphertext only: a server could
present a message as one of another chat or type. It is read because old conversations hold it, and never
written.

Form of the chunks, keys, and what is authenticated in which order: `base/e2ee` of
https://github.com/evex-dev/linejs and `e2ee.py` of PyPI CHRLINE. Those do not check the tag of version 1;
that it is AES of the folded SHA-256 of the ciphertext has not been confirmed by a published source.
"""

import hmac
import os

from attrs import frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from unifyport.protocols.letter_sealing.chunks import NONCE_BYTES, SALT_BYTES, TAG_BYTES, Sealed, id_bytes
from unifyport.protocols.letter_sealing.ciphers import (
    cbc_key,
    decrypt_cbc,
    derive,
    encrypt_block,
    fold,
    unpad,
)
from unifyport.protocols.letter_sealing.errors import BadSeal, Malformed, UnsupportedVersion
from unifyport.protocols.letter_sealing.keys import KeyPair, PublicKey, agree

VERSION = 2


@frozen
class Address:
    """What a seal of version 2 binds a message to. `to` is the mid of the user or chat, as the message names
    it.
    """

    sender: str
    to: str
    content_type: int


@frozen
class Keys:
    """The two keys that seal a message: ids as the chunks name them, and the shared secret."""

    sender_key_id: int
    receiver_key_id: int
    secret: bytes


def keys_to_user(own: KeyPair, peer: PublicKey) -> Keys:
    """For a message from `own` to a user."""
    return Keys(own.key_id, peer.key_id, agree(own.private, peer.data))


def keys_from_user(own: KeyPair, peer: PublicKey) -> Keys:
    """For a message from a user to `own`."""
    return Keys(peer.key_id, own.key_id, agree(own.private, peer.data))


def keys_in_group(group: KeyPair, sender: PublicKey) -> Keys:
    """For a message of a group, on either side; `sender`: its author's public key, even if that is ours."""
    return Keys(sender.key_id, group.key_id, agree(group.private, sender.data))


def seal(plain: bytes, address: Address, keys: Keys) -> Sealed:
    """Seal a message of version 2 with a fresh salt and nonce."""
    return seal_with(plain, address, keys, salt=os.urandom(SALT_BYTES), nonce=os.urandom(NONCE_BYTES))


def seal_with(plain: bytes, address: Address, keys: Keys, *, salt: bytes, nonce: bytes) -> Sealed:
    """As `seal`, with a salt and nonce of the caller (vectors)."""
    key = derive(keys.secret, salt, b"Key")
    ciphertext = AESGCM(key).encrypt(nonce, plain, _bound(address, keys, VERSION))
    return Sealed(salt, ciphertext, nonce, keys.sender_key_id, keys.receiver_key_id)


def open_sealed(sealed: Sealed, version: int, address: Address, keys: Keys) -> bytes:
    """The content of a message. Raises `BadSeal`, `Malformed`, `UnsupportedVersion`.

    `keys` must be those that the message names.
    """
    if (sealed.sender_key_id, sealed.receiver_key_id) != (keys.sender_key_id, keys.receiver_key_id):
        raise BadSeal("the message is sealed with other keys")
    match version:
        case 1:
            return _open_1(sealed, keys)
        case 2:
            return _open_2(sealed, address, keys)
    raise UnsupportedVersion(version)


def _open_2(sealed: Sealed, address: Address, keys: Keys) -> bytes:
    key = derive(keys.secret, sealed.salt, b"Key")
    try:
        return AESGCM(key).decrypt(sealed.third, sealed.ciphertext, _bound(address, keys, VERSION))
    except InvalidTag:
        raise BadSeal("the tag does not fit") from None


def _open_1(sealed: Sealed, keys: Keys) -> bytes:
    if len(sealed.third) != TAG_BYTES:
        raise Malformed(f"a tag of {len(sealed.third)} bytes")
    key, iv = cbc_key(keys.secret, sealed.salt)
    if not hmac.compare_digest(encrypt_block(key, fold(derive(sealed.ciphertext))), sealed.third):
        raise BadSeal("the tag does not fit")
    return unpad(decrypt_cbc(key, iv, sealed.ciphertext))


def _bound(address: Address, keys: Keys, version: int) -> bytes:
    return b"".join(
        (
            address.to.encode(),
            address.sender.encode(),
            id_bytes(keys.sender_key_id),
            id_bytes(keys.receiver_key_id),
            id_bytes(version),
            id_bytes(address.content_type),
        )
    )
