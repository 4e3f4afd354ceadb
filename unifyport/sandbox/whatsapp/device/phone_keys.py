"""The Signal keys of a phone that the sandbox plays: sessions with devices, and sender keys of groups.

A session is kept under its device, whatever address a stanza names it by.
"""

from unifyport.protocols.signal.errors import SignalError
from unifyport.protocols.signal.keys import Bundle, Identity, PreKey, SignedPreKey
from unifyport.protocols.signal.messages import PreKeyMessage
from unifyport.protocols.signal.record import Record
from unifyport.protocols.signal.sender_keys import SenderKeys, decrypt_group, encrypt_group
from unifyport.protocols.signal.sessions import decrypt, decrypt_prekey_message, encrypt, start_session

from .directory import Account, Device
from .directory import SignedPreKey as PublicSignedPreKey
from .groups import Group
from .prekeys import PreKeys

REGISTRATION = 4242
ONE_TIME_KEYS = 20


class PhoneKeys:
    """Keys of one phone. `device`: what others see of it."""

    def __init__(self, account: Account, store: PreKeys) -> None:
        self.identity = Identity(account.identity, REGISTRATION)
        self._signed = SignedPreKey.create(1, self.identity)
        signed = PublicSignedPreKey(_id(1), self._signed.key_pair.public, self._signed.signature)
        registration = REGISTRATION.to_bytes(4, "big")
        self.device = Device(account, 0, registration, account.identity.public, signed)
        self._store = store
        self._one_time: dict[int, PreKey] = {}
        self._next = 1
        self._records: dict[Device, Record] = {}
        self._own: dict[Group, SenderKeys] = {}
        self._holders: dict[Group, set[Device]] = {}
        self._theirs: dict[tuple[Group, Device], SenderKeys] = {}
        self.refill()

    def refill(self) -> None:
        """Offer more one-time keys."""
        for number in range(self._next, self._next + ONE_TIME_KEYS):
            self._one_time[number] = key = PreKey.create(number)
            self.device.prekeys.append((_id(number), key.key_pair.public))
        self._next += ONE_TIME_KEYS
        self.device.warned_of_prekeys = False

    def encrypt(self, device: Device, plaintext: bytes) -> tuple[str, bytes]:
        """The type and content of `<enc>` for a device. Raises `SignalError`."""
        record = self._records.get(device, Record())
        if not record.has_session:
            record = start_session(record.forget_identity(), self._bundle(device), self.identity)
        encrypted = encrypt(record, plaintext, self.identity)
        self._records[device] = encrypted.record
        return encrypted.type, encrypted.body

    def decrypt(self, device: Device, kind: str, body: bytes) -> bytes:
        """Raises `SignalError`."""
        record = self._records.get(device, Record())
        if kind == "pkmsg":
            message = PreKeyMessage.parse(body)
            prekey = self._one_time.get(message.prekey_id or 0)
            if message.identity != record.identity:
                record = record.forget_identity()
            decrypted = decrypt_prekey_message(
                record, message, self.identity, signed_prekey=self._signed, prekey=prekey
            )
        else:
            decrypted = decrypt(record, body, self.identity)
        self._records[device] = decrypted.record
        self._one_time.pop(decrypted.prekey_id or 0, None)
        return decrypted.plaintext

    def encrypt_group(self, group: Group, plaintext: bytes) -> bytes:
        body, self._own[group] = encrypt_group(self._own_key(group), plaintext)
        return body

    def distribution(self, group: Group) -> bytes:
        """The key that the next message of this phone in a group is encrypted with."""
        self._own[group] = self._own_key(group)
        return self._own[group].distribution()

    def holders(self, group: Group) -> set[Device]:
        """The devices that have this phone's key of a group."""
        return self._holders.setdefault(group, set())

    def accept_distribution(self, group: Group, device: Device, distribution: bytes) -> None:
        keys = self._theirs.get((group, device), SenderKeys())
        self._theirs[group, device] = keys.accept(distribution)

    def decrypt_group(self, group: Group, device: Device, body: bytes) -> bytes:
        """Raises `SignalError`."""
        keys = self._theirs.get((group, device), SenderKeys())
        plaintext, self._theirs[group, device] = decrypt_group(keys, body)
        return plaintext

    def forget(self, device: Device) -> None:
        """Lose the session with a device and its sender keys, as a phone does that was set up anew."""
        self._records.pop(device, None)
        self._theirs = {key: kept for key, kept in self._theirs.items() if key[1] is not device}

    def renew(self, device: Device) -> None:
        """Begin a new session with the next message to a device, which asked for one again."""
        if device in self._records:
            self._records[device] = self._records[device].archive()
        for holders in self._holders.values():
            holders.discard(device)

    def _own_key(self, group: Group) -> SenderKeys:
        return self._own.get(group) or SenderKeys().create()

    def _bundle(self, device: Device) -> Bundle:
        if not device.identity:
            raise SignalError("the device has no keys")
        id, key = self._store.take(device)
        return Bundle(
            int.from_bytes(device.registration, "big"),
            device.identity,
            int.from_bytes(device.signed_prekey.id, "big"),
            device.signed_prekey.public,
            device.signed_prekey.signature,
            int.from_bytes(id, "big") if id is not None else None,
            key,
        )


def _id(number: int) -> bytes:
    return number.to_bytes(3, "big")
