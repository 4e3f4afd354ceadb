"""Keys in stanzas: those of other devices, as the platform or a retry receipt has them, and ours.

    <registration>4 bytes</registration> <identity>32 bytes</identity>
    <skey> <id>3 bytes</id> <value>32 bytes</value> <signature>64 bytes</signature> </skey>
    <key>  <id>3 bytes</id> <value>32 bytes</value> </key>             none where the device has none left

https://github.com/tulir/whatsmeow (`prekeys.go`)
"""

from unifyport.protocols.binary_node import Node
from unifyport.protocols.signal.keys import Bundle

from .keys import SignedKey

ID_BYTES = 3
KEY_TYPE = b"\x05"


def bundle_of(user: Node) -> Bundle | None:
    """The keys of a device. None if they are not whole, or if the platform says that it has none."""
    keys = user.child("keys") or user
    registration = user.bytes_of("registration") or b""
    identity = keys.bytes_of("identity") or b""
    signed = _key_of(keys, "skey")
    signature = keys.bytes_of("skey", "signature") or b""
    if user.child("error") is not None or signed is None:
        return None
    if len(registration) != 4 or len(identity) != 32 or len(signature) != 64:
        return None
    prekey = _key_of(keys, "key")
    return Bundle(
        registration_id=int.from_bytes(registration),
        identity=identity,
        signed_prekey_id=signed[0],
        signed_prekey=signed[1],
        signature=signature,
        prekey_id=prekey[0] if prekey is not None else None,
        prekey=prekey[1] if prekey is not None else None,
    )


def _key_of(keys: Node, tag: str) -> tuple[int, bytes] | None:
    id_, value = keys.bytes_of(tag, "id") or b"", keys.bytes_of(tag, "value") or b""
    return (int.from_bytes(id_), value) if len(id_) == ID_BYTES and len(value) == 32 else None


def key_node(id_: int, public: bytes) -> Node:
    return Node("key", {}, [Node("id", {}, id_.to_bytes(ID_BYTES)), Node("value", {}, public)])


def signed_key_node(key: SignedKey) -> Node:
    values = key_node(key.id, key.pair.public).children
    return Node("skey", {}, [*values, Node("signature", {}, key.signature)])
