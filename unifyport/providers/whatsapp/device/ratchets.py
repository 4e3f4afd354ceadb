"""Signal sessions and sender keys of a linked device, in a draft of its session.

Every step is a change of the draft: it counts once the draft was handed over. The caller holds `Records.lock`
from the first read until then. Sessions are kept by the peer's LID once it is known; one that was begun under
the phone number moves there when it is used next.
"""

from collections.abc import Callable, Collection

import attrs
import msgspec

from unifyport.protocols.binary_node import LID, Jid
from unifyport.protocols.curve import KeyPair
from unifyport.protocols.signal.errors import IdentityChanged
from unifyport.protocols.signal.keys import Bundle, Identity, PreKey, SignedPreKey
from unifyport.protocols.signal.messages import PreKeyMessage
from unifyport.protocols.signal.record import Record
from unifyport.protocols.signal.sender_keys import SenderKeys, decrypt_group, encrypt_group
from unifyport.protocols.signal.sessions import (
    Decrypted,
    Encrypted,
    decrypt,
    decrypt_prekey_message,
    encrypt,
    start_session,
)

from .keys import DeviceKeys
from .people import cipher_address, phone_of_lid
from .records import Draft, scan_all

_SESSION, _PREKEY, _SENDER_KEY, _OWN_KEY = "signal", "prekey", "sender_key", "own_sender_key"


class _OwnKey(msgspec.Struct, array_like=True):
    keys: bytes
    holders: list[str]  # devices that have it


@attrs.define
class OwnSenderKey:
    """Our sender key of a group, and the devices that have it, as the group names them."""

    keys: SenderKeys
    holders: set[Jid]


class Ratchets:
    def __init__(self, keys: DeviceKeys) -> None:
        self._keys = keys
        self._identity = Identity(keys.identity_pair, keys.registration_id)

    # -- with one device ------------------------------------------------------------------------------------

    async def has_session(self, draft: Draft, device: Jid) -> bool:
        _, record = await self._load(draft, device)
        return record.has_session

    async def begin(self, draft: Draft, device: Jid, bundle: Bundle) -> None:
        """A session by the keys that the platform or the device itself gave. Raises `SignalError`."""
        address, record = await self._load(draft, device)
        try:
            record = start_session(record, bundle, self._identity)
        except IdentityChanged:
            record = start_session(record.forget_identity(), bundle, self._identity)
            await self._forget_holders(draft, lambda holder: holder in (device, address))
        self._save(draft, address, record)

    async def encrypt(self, draft: Draft, device: Jid, plaintext: bytes) -> Encrypted:
        """Raises `NoSession`."""
        address, record = await self._load(draft, device)
        encrypted = encrypt(record, plaintext, self._identity)
        self._save(draft, address, encrypted.record)
        return encrypted

    async def decrypt(self, draft: Draft, device: Jid, kind: str, body: bytes) -> bytes:
        """`kind`: `pkmsg` or `msg`. Raises `SignalError`; the draft is then as it was."""
        address, record = await self._load(draft, device)
        if kind == "pkmsg":
            message = PreKeyMessage.parse(body)
            try:
                decrypted = await self._decrypt_first(draft, record, message)
            except IdentityChanged:  # set up anew: it has lost our group keys, too
                decrypted = await self._decrypt_first(draft, record.forget_identity(), message)
                await self._forget_holders(draft, lambda holder: holder in (device, address))
        else:
            decrypted = decrypt(record, body, self._identity)
        if decrypted.prekey_id is not None:
            draft.put(_PREKEY, decrypted.prekey_id.to_bytes(3), None)
        self._save(draft, address, decrypted.record)
        return decrypted.plaintext

    async def _decrypt_first(self, draft: Draft, record: Record, message: PreKeyMessage) -> Decrypted:
        if record.knows(message):
            return decrypt_prekey_message(record, message, self._identity, signed_prekey=None, prekey=None)
        prekey = None
        if message.prekey_id is not None:
            private = await draft.get(_PREKEY, message.prekey_id.to_bytes(3))
            prekey = PreKey(message.prekey_id, KeyPair.from_private(private)) if private else None
        signed = [key for key in self._keys.signed_keys if key.id == message.signed_prekey_id]
        signed_prekey = SignedPreKey(signed[0].id, signed[0].pair, signed[0].signature) if signed else None
        return decrypt_prekey_message(
            record, message, self._identity, signed_prekey=signed_prekey, prekey=prekey
        )

    async def registration_id(self, draft: Draft, device: Jid) -> int | None:
        _, record = await self._load(draft, device)
        return record.registration_id

    async def end_all(self, draft: Draft, person: Jid) -> None:
        """End the sessions with all devices of a person: the next message to each needs a bundle. They
        get our keys of groups again, too.
        """
        prefix = f"{person.server}/{person.user}/".encode()
        for key, value in await _all(draft, _SESSION, prefix):
            record = Record.decode(value)
            if record.has_session:
                draft.put(_SESSION, key, record.archive().encode())
        await self._forget_holders(draft, lambda device: device.bare == person.bare)

    async def _forget_holders(self, draft: Draft, gone: Callable[[Jid], bool]) -> None:
        """These devices get our key of each group again, with the next message to it."""
        for key, value in await _all(draft, _OWN_KEY, b""):
            kept = msgspec.msgpack.decode(value, type=_OwnKey)
            left = [each for each in kept.holders if not gone(Jid.parse(each))]
            if len(left) < len(kept.holders):
                kept.holders = left
                draft.put(_OWN_KEY, key, msgspec.msgpack.encode(kept))

    async def _load(self, draft: Draft, device: Jid) -> tuple[Jid, Record]:
        """The record of a device, and the address under which it is kept from now on."""
        address = await cipher_address(draft, device)
        stored = await draft.get(_SESSION, _key(address))
        if stored is None and address.server == LID:
            phone = await phone_of_lid(draft, address)
            stored = await draft.get(_SESSION, _key(phone)) if phone is not None else None
            if phone is not None and stored is not None:
                draft.put(_SESSION, _key(phone), None)
                draft.put(_SESSION, _key(address), stored)
        return address, Record.decode(stored) if stored is not None else Record()

    def _save(self, draft: Draft, address: Jid, record: Record) -> None:
        draft.put(_SESSION, _key(address), record.encode())

    # -- in a group -----------------------------------------------------------------------------------------

    async def accept_sender_key(self, draft: Draft, group: Jid, sender: Jid, distribution: bytes) -> None:
        """Raises `SignalError`."""
        place = _member(group, await cipher_address(draft, sender))
        keys = _sender_keys(await draft.get(_SENDER_KEY, place))
        draft.put(_SENDER_KEY, place, keys.accept(distribution).encode())

    async def decrypt_group(self, draft: Draft, group: Jid, sender: Jid, body: bytes) -> bytes:
        """Raises `SignalError`; the draft is then as it was."""
        address = await cipher_address(draft, sender)
        place = _member(group, address)
        stored = await draft.get(_SENDER_KEY, place)
        if stored is None and address != sender:  # the key came before the LID was known
            stored = await draft.get(_SENDER_KEY, _member(group, sender))
        plaintext, keys = decrypt_group(_sender_keys(stored), body)
        draft.put(_SENDER_KEY, place, keys.encode())
        return plaintext

    async def own_key(self, draft: Draft, group: Jid, members: Collection[Jid]) -> OwnSenderKey:
        """Our key of a group. It is another one once a device has it that is no longer among `members`."""
        own = await self.kept_key(draft, group)
        if own is not None and own.holders <= set(members):
            return own
        return OwnSenderKey(SenderKeys().create(), set())

    async def kept_key(self, draft: Draft, group: Jid) -> OwnSenderKey | None:
        """Our key of a group as it is; None before the first message to it."""
        stored = await draft.get(_OWN_KEY, str(group).encode())
        if stored is None:
            return None
        kept = msgspec.msgpack.decode(stored, type=_OwnKey)
        return OwnSenderKey(SenderKeys.decode(kept.keys), {Jid.parse(each) for each in kept.holders})

    def encrypt_group(self, draft: Draft, group: Jid, own: OwnSenderKey, plaintext: bytes) -> bytes:
        body, own.keys = encrypt_group(own.keys, plaintext)
        self.keep_own_key(draft, group, own)
        return body

    def keep_own_key(self, draft: Draft, group: Jid, own: OwnSenderKey) -> None:
        kept = _OwnKey(own.keys.encode(), sorted(map(str, own.holders)))
        draft.put(_OWN_KEY, str(group).encode(), msgspec.msgpack.encode(kept))


async def _all(draft: Draft, name: str, prefix: bytes) -> list[tuple[bytes, bytes]]:
    """The records of a name, as the draft has them. Those that only the draft has are not among them."""
    found: list[tuple[bytes, bytes]] = []
    for key, _ in await scan_all(draft.records.session, name, prefix):
        value = await draft.get(name, key)
        if value is not None:
            found.append((key, value))
    return found


def _key(address: Jid) -> bytes:
    """By server, user and device, so that all devices of a user have a prefix of their own."""
    return f"{address.server}/{address.user}/{address.device}".encode()


def _member(group: Jid, sender: Jid) -> bytes:
    return f"{group.user}/".encode() + _key(sender)


def _sender_keys(stored: bytes | None) -> SenderKeys:
    return SenderKeys.decode(stored) if stored is not None else SenderKeys()
