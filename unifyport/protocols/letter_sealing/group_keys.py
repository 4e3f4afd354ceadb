"""The private key of a group, sealed for one member by the member who made it.

AES-256-CBC with PKCS #7 padding under the shared secret of the creator's and the member's key; there is no
tag, so what is opened is a key only if a message of the group opens with it. The server keeps one sealed key
for each member (`registerE2EEGroupKey`, `getLastE2EEGroupSharedKey`). Source: `base/e2ee` of
https://github.com/evex-dev/linejs.
"""

from unifyport.protocols.letter_sealing.ciphers import cbc_key, decrypt_cbc, encrypt_cbc, pad, unpad
from unifyport.protocols.letter_sealing.errors import BadSeal, Malformed
from unifyport.protocols.letter_sealing.keys import KEY_BYTES, KeyPair, PublicKey, agree

SEALED_BYTES = KEY_BYTES + 16


def seal_group_key(group: KeyPair, creator: KeyPair, member: PublicKey) -> bytes:
    """The private key of `group` for one member, 48 bytes. The creator is a member too."""
    secret = agree(creator.private, member.data)
    return encrypt_cbc(*cbc_key(secret), pad(group.private))


def open_group_key(sealed: bytes, group_key_id: int, own: KeyPair, creator: PublicKey) -> KeyPair:
    """The pair of a group, under the id that the server gave it. Raises `Malformed`, `BadSeal`."""
    if len(sealed) != SEALED_BYTES:
        raise Malformed(f"a sealed group key of {len(sealed)} bytes")
    secret = agree(own.private, creator.data)
    private = unpad(decrypt_cbc(*cbc_key(secret), sealed))
    if len(private) != KEY_BYTES:
        raise BadSeal("what is sealed is no key")
    return KeyPair(group_key_id, private)
