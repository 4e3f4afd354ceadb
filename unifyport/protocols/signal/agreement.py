"""X3DH: two devices agree on the first root key of a session, from a bundle and from the first message.

                         initiator                          responder
    DH1                  own identity, their signed prekey  own signed prekey, their identity
    DH2                  own base key, their identity       own identity, their base key
    DH3                  own base key, their signed prekey  own signed prekey, their base key
    DH4 (if it was       own base key, their prekey         own prekey, their base key
    handed out)

The responder's signed prekey serves as its first ratchet key. Source:
https://signal.org/docs/specifications/x3dh/ (F is 32 bytes of 0xFF), labels as in protocol version 3.
"""

from unifyport.protocols.curve import KeyPair, agree
from unifyport.protocols.signal.chains import Chain
from unifyport.protocols.signal.ciphers import derive_pair
from unifyport.protocols.signal.keys import Bundle, Identity, PreKey, SignedPreKey
from unifyport.protocols.signal.messages import PreKeyMessage
from unifyport.protocols.signal.record import Pending, Receiving, SessionState

_F = b"\xff" * 32


def initiate(bundle: Bundle, identity: Identity) -> SessionState:
    """A session towards the device of `bundle`, whose signature was checked. Raises `curve.InvalidKey`."""
    base, ratchet = KeyPair.generate(), KeyPair.generate()
    shared = [
        agree(identity.key_pair.private, bundle.signed_prekey),
        agree(base.private, bundle.identity),
        agree(base.private, bundle.signed_prekey),
    ]
    if bundle.prekey is not None:
        shared.append(agree(base.private, bundle.prekey))
    root, chain_key = _first_keys(shared)
    root, sending_key = ratchet_keys(root, ratchet.private, bundle.signed_prekey)
    return SessionState(
        base_key=base.public,
        registration_id=bundle.registration_id,
        root_key=root,
        ratchet_private=ratchet.private,
        ratchet_public=ratchet.public,
        sending=Chain(sending_key),
        receiving=(Receiving(bundle.signed_prekey, Chain(chain_key)),),
        pending=Pending(bundle.prekey_id if bundle.prekey is not None else None, bundle.signed_prekey_id),
    )


def respond(
    message: PreKeyMessage, identity: Identity, signed_prekey: SignedPreKey, prekey: PreKey | None
) -> SessionState:
    """The session that `message` begins. Raises `curve.InvalidKey`."""
    shared = [
        agree(signed_prekey.key_pair.private, message.identity),
        agree(identity.key_pair.private, message.base_key),
        agree(signed_prekey.key_pair.private, message.base_key),
    ]
    if prekey is not None:
        shared.append(agree(prekey.key_pair.private, message.base_key))
    root, chain_key = _first_keys(shared)
    return SessionState(
        base_key=message.base_key,
        registration_id=message.registration_id,
        root_key=root,
        ratchet_private=signed_prekey.key_pair.private,
        ratchet_public=signed_prekey.key_pair.public,
        sending=Chain(chain_key),
    )


def ratchet_keys(root_key: bytes, private: bytes, public: bytes) -> tuple[bytes, bytes]:
    """One step of the Diffie-Hellman ratchet: the next root key, and the key of the chain that it opens."""
    return derive_pair(agree(private, public), b"WhisperRatchet", salt=root_key)


def _first_keys(shared: list[bytes]) -> tuple[bytes, bytes]:
    return derive_pair(_F + b"".join(shared), b"WhisperText")
