"""Payloads: a frame's JSON has `{"encrypt": mode, "data": text}`.

| mode | data |
| --- | --- |
| 0 | JSON text |
| 1 | base64 of zlib or gzip |
| 2 | base64, perhaps percent-encoded, of 16 bytes nonce, 16 bytes additional data, AES-GCM of zlib or gzip |
| 3 | the same without compression |

`data` of mode 0 may also be an object instead of its text.
"""

import binascii
import enum
import zlib
from typing import Final
from urllib.parse import quote, unquote

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from .errors import ZaloProtocolError

MAX_PAYLOAD: Final = 16 * 1024 * 1024  # bytes, after inflating
_NONCE, _TAG = 16, 16
_EITHER = zlib.MAX_WBITS | 32  # zlib or gzip, as the first bytes say


class Encrypt(enum.IntEnum):
    PLAIN = 0
    DEFLATED = 1
    SEALED_DEFLATED = 2
    SEALED = 3


class _Envelope(msgspec.Struct):
    encrypt: int
    data: msgspec.Raw


_DECODER: Final = msgspec.json.Decoder(_Envelope)
_TEXT: Final = msgspec.json.Decoder(str)


def open_payload(body: bytes, key: bytes | None, *, limit: int = MAX_PAYLOAD) -> bytes:
    """The JSON text that a frame's body carries, at most `limit` bytes. Raises `ZaloProtocolError`.

    `key`: of the connection's first frame; None: it has not come.
    """
    try:
        envelope = _DECODER.decode(body)
        mode = Encrypt(envelope.encrypt)
        raw = bytes(envelope.data)
        text = _TEXT.decode(raw) if raw.startswith(b'"') else None
        plain = raw if text is None else text.encode()
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        raise ZaloProtocolError("envelope") from None
    if mode is Encrypt.PLAIN:
        return _bounded(plain, limit)
    if text is None:
        raise ZaloProtocolError("envelope")
    data = _bytes_of(text if mode is Encrypt.DEFLATED else unquote(text))
    if mode is not Encrypt.DEFLATED:
        data = _unsealed(data, key)
    return _bounded(data, limit) if mode is Encrypt.SEALED else inflate(data, limit)


def seal_payload(text: bytes, mode: Encrypt, key: bytes | None, nonces: bytes = b"") -> bytes:
    """The server's part. `nonces`: 32 bytes, never twice with one key; for the two modes that encrypt."""
    if mode is Encrypt.PLAIN:
        return msgspec.json.encode({"encrypt": int(mode), "data": text.decode()})
    data = text if mode is Encrypt.SEALED else zlib.compress(text)
    if mode is not Encrypt.DEFLATED:
        if key is None or len(nonces) != 2 * _NONCE:
            raise ZaloProtocolError("missing_key")
        nonce, additional = nonces[:_NONCE], nonces[_NONCE:]
        data = nonces + AESGCM(key).encrypt(nonce, data, additional)
    encoded = binascii.b2a_base64(data, newline=False).decode()
    if mode is not Encrypt.DEFLATED:
        encoded = quote(encoded, safe="")
    return msgspec.json.encode({"encrypt": int(mode), "data": encoded})


def inflate(data: bytes, limit: int) -> bytes:
    """zlib or gzip, inflated to at most `limit` bytes; no more than that is ever held."""
    inflater = zlib.decompressobj(_EITHER)
    try:
        text = inflater.decompress(data, limit + 1)
    except zlib.error:
        raise ZaloProtocolError("compression") from None
    if len(text) > limit:
        raise ZaloProtocolError("large_payload")
    if not inflater.eof:
        raise ZaloProtocolError("compression")
    return text


def _unsealed(data: bytes, key: bytes | None) -> bytes:
    if key is None:
        raise ZaloProtocolError("missing_key")
    if len(data) < 2 * _NONCE + _TAG:
        raise ZaloProtocolError("short_payload")
    try:
        return AESGCM(key).decrypt(data[:_NONCE], data[2 * _NONCE :], data[_NONCE : 2 * _NONCE])
    except InvalidTag:
        raise ZaloProtocolError("payload_tag") from None


def _bytes_of(text: str) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise ZaloProtocolError("base64") from None


def _bounded(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise ZaloProtocolError("large_payload")
    return data
