"""The obfuscated transport: AES-256 in counter mode under keys that the first 64 bytes hold in clear.

It hides the protocol from a filter and keeps nothing secret. With the secret of an MTProxy server the keys
also depend on that secret.

    bytes    what
    -----    ----------------------------------------------------------------
    0-7      random, but never what another protocol or framing begins with
    8-39     key, 40-55 counter, of the client's direction; the same 48 bytes reversed, of the server's
    56-59    the framing, encrypted
    60-61    the data centre (signed, little-endian), encrypted
    62-63    random

https://core.telegram.org/mtproto/mtproto-transports#transport-obfuscation.
"""

import hashlib
import os
from typing import Final

import attrs
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from unifyport.protocols.mtproto.encryption import Random

HEADER_SIZE: Final = 64
_TLS_HELLO: Final = b"\x16\x03\x01\x02"
_RESERVED: Final = {b"HEAD", b"POST", b"GET ", b"OPTI", _TLS_HELLO, b"\xdd" * 4, b"\xee" * 4}


@attrs.frozen
class Obfuscation:
    """The two running ciphers of one side. Bytes are passed once and in their order."""

    _outgoing: CipherContext = attrs.field(repr=False)
    _incoming: CipherContext = attrs.field(repr=False)

    def encrypt(self, data: bytes) -> bytes:
        return self._outgoing.update(data)

    def decrypt(self, data: bytes) -> bytes:
        return self._incoming.update(data)


def initiate(
    tag: bytes, *, secret: bytes = b"", dc: int = 0, random: Random = os.urandom
) -> tuple[bytes, Obfuscation]:
    """The client's first 64 bytes and its ciphers. `tag` (4 bytes) names the framing."""
    header = _draw(random)
    header[56:62] = tag + dc.to_bytes(2, "little", signed=True)
    client, server = _ciphers(bytes(header), secret)
    return bytes(header[:56]) + client.update(bytes(header))[56:], Obfuscation(client, server)


def accept(header: bytes, *, secret: bytes = b"") -> tuple[bytes, int, Obfuscation]:
    """Tag, data centre and the server's ciphers, from the client's first 64 bytes."""
    client, server = _ciphers(header, secret)
    plain = client.update(header)
    return plain[56:60], int.from_bytes(plain[60:62], "little", signed=True), Obfuscation(server, client)


def _draw(random: Random) -> bytearray:
    while True:
        header = bytearray(random(HEADER_SIZE))
        if header[0] != 0xEF and bytes(header[:4]) not in _RESERVED and header[4:8] != bytes(4):
            return header


def _ciphers(header: bytes, secret: bytes) -> tuple[CipherContext, CipherContext]:
    """The ciphers of the client's and of the server's direction."""
    backwards = header[8:56][::-1]
    return _counter(header[8:40], header[40:56], secret), _counter(backwards[:32], backwards[32:], secret)


def _counter(key: bytes, counter: bytes, secret: bytes) -> CipherContext:
    if secret:
        key = hashlib.sha256(key + secret).digest()
    return Cipher(algorithms.AES256(key), modes.CTR(counter)).encryptor()
