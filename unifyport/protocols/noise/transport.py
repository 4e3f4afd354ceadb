"""What follows a handshake: one cipher for each direction, messages in order."""

import attrs

from unifyport.protocols.noise.state import Cipher


@attrs.frozen
class Transport:
    """The two ciphers of a finished handshake.

    Every message is encrypted once and in the order in which it is written; a message that was encrypted and
    not written ends the connection, as the peer's next decryption fails. `decrypt` raises `NoiseError` for a
    message that was changed, replayed, reordered or truncated.
    """

    _outgoing: Cipher = attrs.field(repr=False)
    _incoming: Cipher = attrs.field(repr=False)
    handshake_hash: bytes

    def encrypt(self, plaintext: bytes) -> bytes:
        return self._outgoing.encrypt(plaintext)

    def decrypt(self, ciphertext: bytes) -> bytes:
        return self._incoming.decrypt(ciphertext)
