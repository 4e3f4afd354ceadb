"""Encrypting for, and decrypting from, one peer device: X3DH and the double ratchet, protocol version 3.

    start_session              a bundle was fetched: the next message goes in a new session
    encrypt                    a message for the peer; `pkmsg` until the peer has answered in that session
    decrypt_prekey_message     a `pkmsg`: in its session if that exists, else in a new one from our prekeys
    decrypt                    a `msg`: in the session, current or earlier, whose keys authenticate it

Each returns the record after it; nothing is changed in place. The caller commits that record before it
acknowledges the message, or before the first byte of one is written. A session that was written to becomes
the one in use: two devices that begin at the same time thus agree on one of the two. Source:
https://signal.org/docs/specifications/doubleratchet/
"""

import hmac
from collections.abc import Iterable
from typing import Literal

import attrs
import msgspec

from unifyport.protocols.curve import InvalidKey, KeyPair
from unifyport.protocols.signal.agreement import initiate, ratchet_keys, respond
from unifyport.protocols.signal.chains import MAX_AHEAD, Chain
from unifyport.protocols.signal.ciphers import decrypt_cbc, encrypt_cbc, mac, pairwise_keys
from unifyport.protocols.signal.errors import (
    BadMac,
    Duplicate,
    IdentityChanged,
    KeyGone,
    Malformed,
    NoSession,
    TooFarAhead,
    UnknownPreKey,
    UnknownSignedPreKey,
)
from unifyport.protocols.signal.keys import Bundle, Identity, PreKey, SignedPreKey
from unifyport.protocols.signal.messages import (
    PreKeyMessage,
    SignalMessage,
    encode_key,
    prekey_message,
    signal_message,
)
from unifyport.protocols.signal.record import Record, SessionState

MAX_STEPS = 2 * MAX_AHEAD  # chain steps that one message may cost over all sessions that are tried


@attrs.frozen
class Encrypted:
    """`type` is that of the `enc` node; `body` its content; `record` is to be committed before it is sent."""

    type: Literal["pkmsg", "msg"]
    body: bytes = attrs.field(repr=False)
    record: Record = attrs.field(repr=False)


@attrs.frozen
class Decrypted:
    """`prekey_id`: the one-time prekey that was used up; it is deleted with the commit of `record`."""

    plaintext: bytes = attrs.field(repr=False)
    record: Record = attrs.field(repr=False)
    prekey_id: int | None = None


def start_session(record: Record, bundle: Bundle, identity: Identity) -> Record:
    """Begin a session with the device of `bundle`. The former session is archived.

    Raises `BadSignature` for a forged signed prekey, `IdentityChanged`, `Malformed` for keys that are none.
    """
    _check_identity(record, bundle.identity)
    try:
        bundle.check()
        session = initiate(bundle, identity)
    except InvalidKey as exc:
        raise Malformed("a key of the bundle is no key") from exc
    return msgspec.structs.replace(record, identity=bundle.identity).promote(session)


def encrypt(record: Record, plaintext: bytes, identity: Identity) -> Encrypted:
    """Encrypt for the peer. Raises `NoSession` where a bundle has to be fetched first."""
    session, peer = record.current, record.identity
    if session is None or peer is None:
        raise NoSession("no session to send in")
    counter = session.sending.index
    seed, sending = session.sending.step()
    cipher_key, mac_key, iv = pairwise_keys(seed)
    ciphertext = encrypt_cbc(cipher_key, iv, plaintext)
    signed = signal_message(session.ratchet_public, counter, session.previous_counter, ciphertext)
    ends = encode_key(identity.key_pair.public) + encode_key(peer)
    body = signed + mac(mac_key, ends, signed)
    after = msgspec.structs.replace(record, current=msgspec.structs.replace(session, sending=sending))
    if session.pending is None:
        return Encrypted("msg", body, after)
    first = prekey_message(
        body,
        registration_id=identity.registration_id,
        prekey_id=session.pending.prekey_id,
        signed_prekey_id=session.pending.signed_prekey_id,
        base_key=session.base_key,
        identity=identity.key_pair.public,
    )
    return Encrypted("pkmsg", first, after)


def decrypt_prekey_message(
    record: Record,
    message: PreKeyMessage,
    identity: Identity,
    *,
    signed_prekey: SignedPreKey | None,
    prekey: PreKey | None,
) -> Decrypted:
    """Decrypt a `pkmsg`. `signed_prekey` and `prekey`: ours of the ids that it names, None if we have none of
    them.

    They are not needed where `record.knows(message)`. Raises `IdentityChanged`, `UnknownSignedPreKey`,
    `UnknownPreKey`, and what `decrypt` raises.
    """
    _check_identity(record, message.identity)
    session = record.session_of(message.base_key)
    if session is not None:
        return _decrypt_in(record, (session,), message.message, identity)
    if signed_prekey is None:
        raise UnknownSignedPreKey(message.signed_prekey_id)
    if message.prekey_id is not None and prekey is None:
        raise UnknownPreKey(message.prekey_id)
    used = prekey if message.prekey_id is not None else None
    try:
        session = respond(message, identity, signed_prekey, used)
    except InvalidKey as exc:
        raise Malformed("a key of the message is no key") from exc
    known = msgspec.structs.replace(record, identity=message.identity)
    decrypted = _decrypt_in(known, (session,), message.message, identity)
    return attrs.evolve(decrypted, prekey_id=message.prekey_id)


def decrypt(record: Record, body: bytes, identity: Identity) -> Decrypted:
    """Decrypt a `msg`.

    Raises `Duplicate`, `KeyGone`, `TooFarAhead`, `BadMac`, `NoSession`, `Malformed`.
    """
    message = SignalMessage.parse(body)
    sessions = tuple(record.sessions())
    if not sessions:
        raise NoSession("no session to read in")
    # A ratchet key is random: the session that knows it is the one that the message belongs to.
    knowing = tuple(session for session in sessions if session.chain_of(message.ratchet_key) is not None)
    return _decrypt_in(record, knowing or sessions, message, identity)


def _decrypt_in(
    record: Record, sessions: Iterable[SessionState], message: SignalMessage, identity: Identity
) -> Decrypted:
    """The first of `sessions` that authenticates `message` decrypts it and becomes the one in use."""
    if record.identity is None:
        raise NoSession("a session without its peer's identity")
    ends = encode_key(record.identity) + encode_key(identity.key_pair.public)
    steps, failed = MAX_STEPS, None
    for session in sessions:
        chain = session.chain_of(message.ratchet_key)
        steps -= max(0, message.counter - (chain.index if chain else 0))
        if failed is not None and steps < 0:
            break
        try:
            plaintext, after = _step(session, message, ends)
        except (BadMac, Duplicate, KeyGone, TooFarAhead) as exc:
            failed = failed or exc
        else:
            return Decrypted(plaintext, record.promote(after))
    raise failed or NoSession("no session to read in")


def _step(session: SessionState, message: SignalMessage, ends: bytes) -> tuple[bytes, SessionState]:
    """Decrypt in one session; the peer's new ratchet key, if it is one, moves the session on."""
    chain, root = session.chain_of(message.ratchet_key), None
    if chain is None:
        try:
            root, key = ratchet_keys(session.root_key, session.ratchet_private, message.ratchet_key)
        except InvalidKey as exc:
            raise Malformed("the ratchet key is no key") from exc
        chain = Chain(key)
    seed, chain = chain.take(message.counter)
    cipher_key, mac_key, iv = pairwise_keys(seed)
    if not hmac.compare_digest(mac(mac_key, ends, message.signed), message.mac):
        raise BadMac("the message is not authentic in this session")
    plaintext = decrypt_cbc(cipher_key, iv, message.ciphertext)
    if root is not None:
        session = _turn(session, root, message.ratchet_key)
    return plaintext, msgspec.structs.replace(session.with_chain(message.ratchet_key, chain), pending=None)


def _turn(session: SessionState, root_key: bytes, ratchet_key: bytes) -> SessionState:
    """Answer the peer's new ratchet key with one of ours: a new sending chain."""
    ours = KeyPair.generate()
    root_key, sending_key = ratchet_keys(root_key, ours.private, ratchet_key)
    return msgspec.structs.replace(
        session,
        root_key=root_key,
        ratchet_private=ours.private,
        ratchet_public=ours.public,
        sending=Chain(sending_key),
        previous_counter=max(0, session.sending.index - 1),
    )


def _check_identity(record: Record, identity: bytes) -> None:
    if record.identity is not None and record.identity != identity:
        raise IdentityChanged(identity)
