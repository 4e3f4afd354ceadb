"""Parameters of the HTTP API: a JSON document in AES-CBC with PKCS #7 and a nonce of zeros, in base64.

    request   form or query field `params` = base64
    answer    `{"error_code": 0, "error_message": "", "data": base64, perhaps percent-encoded}`; the document
              in `data` has `error_code`, `error_message` and `data` again

The key of a session (`zpw_enk` of the login info) is base64 of 16, 24 or 32 bytes. The key of the request for
the login info comes of what that request has in clear:

    zcid      = hex of AES-CBC("type,imei,time" under a key that is part of the web client), upper case
    zcid_ext  = 6 to 12 random hex digits
    key       = 32 ASCII characters: of md5(zcid_ext) in upper-case hex the first 8 at even places, of zcid
                the first 12 at even places, then the last 12 at odd places from the end
"""

import binascii
import hashlib
import re
from typing import Final, Self
from urllib.parse import unquote

import attrs
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from .errors import ZaloProtocolError

MAX_PARAMETERS: Final = 16 * 1024 * 1024  # characters of base64
ENC_VER: Final = "v2"
_ZCID_KEY: Final = b"3FC4F0D2AB50057BCE0D90D9187A22B1"  # a constant of the web client
_BLOCK = 16
_HEX = re.compile(r"[0-9A-Fa-f]+")


@attrs.frozen
class SessionCipher:
    """Seals and opens parameters under one key. Client and server do the same."""

    _key: bytes = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        if len(self._key) not in (16, 24, 32):
            raise ZaloProtocolError("key_size")

    @classmethod
    def of(cls, secret: str) -> Self:
        """The cipher of `zpw_enk`. Raises `ZaloProtocolError`."""
        return cls(_bytes_of(secret))

    def seal(self, document: bytes) -> str:
        return binascii.b2a_base64(_encrypted(self._key, document), newline=False).decode()

    def open(self, text: str, *, limit: int = MAX_PARAMETERS) -> bytes:
        """Raises `ZaloProtocolError`. The padding is checked, nothing else authenticates the document."""
        if len(text) > limit:
            raise ZaloProtocolError("large_parameters")
        return _decrypted(self._key, _bytes_of(unquote(text)))


@attrs.frozen
class LoginCipher:
    """What seals the request for the login info. `zcid`, `zcid_ext` and `enc_ver` go along in clear."""

    zcid: str
    zcid_ext: str
    cipher: SessionCipher
    enc_ver: str = ENC_VER

    @classmethod
    def new(cls, type_: int, imei: str, launched_ms: int, zcid_ext: str) -> Self:
        """The client's. `zcid_ext`: 6 to 12 random hex digits, new for each login."""
        clear = f"{type_},{imei},{launched_ms}".encode()
        return cls.received(_encrypted(_ZCID_KEY, clear).hex().upper(), zcid_ext)

    @classmethod
    def received(cls, zcid: str, zcid_ext: str) -> Self:
        """The server's, from the fields of the request. Raises `ZaloProtocolError`."""
        if not _HEX.fullmatch(zcid) or not 64 <= len(zcid) <= 1024:
            raise ZaloProtocolError("zcid")
        if not _HEX.fullmatch(zcid_ext) or len(zcid_ext) > 64:
            raise ZaloProtocolError("zcid_ext")
        digest = hashlib.md5(zcid_ext.encode(), usedforsecurity=False).hexdigest().upper()
        key = digest[::2][:8] + zcid[::2][:12] + zcid[1::2][::-1][:12]
        return cls(zcid, zcid_ext, SessionCipher(key.encode()))

    def device(self) -> str:
        """What `zcid` says: `type,imei,time`. Raises `ZaloProtocolError`."""
        try:
            return _decrypted(_ZCID_KEY, bytes.fromhex(self.zcid)).decode()
        except ValueError:
            raise ZaloProtocolError("zcid") from None


def _encrypted(key: bytes, document: bytes) -> bytes:
    padder = padding.PKCS7(8 * _BLOCK).padder()
    encryptor = Cipher(AES(key), CBC(bytes(_BLOCK))).encryptor()
    return encryptor.update(padder.update(document) + padder.finalize()) + encryptor.finalize()


def _decrypted(key: bytes, data: bytes) -> bytes:
    if not data or len(data) % _BLOCK:
        raise ZaloProtocolError("blocks")
    decryptor = Cipher(AES(key), CBC(bytes(_BLOCK))).decryptor()
    unpadder = padding.PKCS7(8 * _BLOCK).unpadder()
    try:
        return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
    except ValueError:
        raise ZaloProtocolError("padding") from None


def _bytes_of(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise ZaloProtocolError("base64") from None
