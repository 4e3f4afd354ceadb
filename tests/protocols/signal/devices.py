"""A device for the tests: its keys, and the record of its peer, which a step replaces or leaves as it was."""

from unifyport.protocols.signal.keys import Bundle, Identity, PreKey, SignedPreKey
from unifyport.protocols.signal.messages import PreKeyMessage
from unifyport.protocols.signal.record import Record
from unifyport.protocols.signal.sessions import (
    Decrypted,
    Encrypted,
    decrypt,
    decrypt_prekey_message,
    encrypt,
    start_session,
)


class Device:
    def __init__(self, prekeys: int = 3) -> None:
        self.identity = Identity.create()
        self.signed_prekey = SignedPreKey.create(1, self.identity)
        self.prekeys = {number: PreKey.create(number) for number in range(1, prekeys + 1)}
        self.uploaded = list(self.prekeys.values())
        self.record = Record()

    def bundle(self) -> Bundle:
        """As a platform hands it out: with one of the prekeys that it has left, or with none."""
        prekey = self.uploaded.pop(0) if self.uploaded else None
        return Bundle(
            self.identity.registration_id,
            self.identity.key_pair.public,
            self.signed_prekey.id,
            self.signed_prekey.key_pair.public,
            self.signed_prekey.signature,
            prekey.id if prekey else None,
            prekey.key_pair.public if prekey else None,
        )

    def start(self, peer: "Device") -> None:
        self.record = start_session(self.record, peer.bundle(), self.identity)

    def send(self, plaintext: bytes) -> Encrypted:
        encrypted = encrypt(self.record, plaintext, self.identity)
        self.record = encrypted.record
        return encrypted

    def read(self, message: Encrypted) -> Decrypted:
        """Decrypt without keeping the result."""
        if message.type == "msg":
            return decrypt(self.record, message.body, self.identity)
        parsed = PreKeyMessage.parse(message.body)
        return decrypt_prekey_message(
            self.record,
            parsed,
            self.identity,
            signed_prekey=self.signed_prekey if parsed.signed_prekey_id == self.signed_prekey.id else None,
            prekey=self.prekeys.get(parsed.prekey_id) if parsed.prekey_id is not None else None,
        )

    def receive(self, message: Encrypted) -> bytes:
        """Decrypt and keep the result, as after a commit."""
        decrypted = self.read(message)
        self.record = Record.decode(decrypted.record.encode())
        if decrypted.prekey_id is not None:
            del self.prekeys[decrypted.prekey_id]
        return decrypted.plaintext


def pair() -> tuple[Device, Device]:
    """Two devices in a session in which each has answered the other."""
    alice, bob = Device(), Device()
    alice.start(bob)
    assert bob.receive(alice.send(b"hello")) == b"hello"
    assert alice.receive(bob.send(b"hello back")) == b"hello back"
    return alice, bob
