"""The objects of the key exchange (https://core.telegram.org/mtproto/auth_key), read and written by both
sides.

Nonces are bytes here (16, the new one 32): they are compared and hashed, never counted with. Large numbers
are strings of bytes, big-endian. `read` raises `Malformed`.
"""

from typing import Final

import attrs

from unifyport.protocols.mtproto import tl
from unifyport.protocols.mtproto.errors import Malformed

REQ_PQ: Final = 0xBE7E8EF1
RES_PQ: Final = 0x05162463
INNER: Final = 0x83C95AEC
INNER_DC: Final = 0xA9F55F95
REQ_DH: Final = 0xD712E4BE
DH_OK: Final = 0xD0E8075C
DH_FAIL: Final = 0x79CB045D
SERVER_DH: Final = 0xB5890DBA
CLIENT_DH: Final = 0x6643B654
SET_DH: Final = 0xF5045F1F
GEN_OK: Final = 0x3BCBF734
GEN_RETRY: Final = 0x46DC1FB9
GEN_FAIL: Final = 0xA69DAE02
_MAX_FINGERPRINTS: Final = 64


@attrs.frozen
class Nonces:
    """What both sides repeat in every message after the first."""

    client: bytes
    server: bytes

    def to_bytes(self) -> bytes:
        return self.client + self.server


@attrs.frozen
class ResPq:
    nonces: Nonces
    pq: bytes
    fingerprints: tuple[int, ...]

    def to_bytes(self) -> bytes:
        body = self.nonces.to_bytes() + tl.string(self.pq) + tl.longs(self.fingerprints)
        return tl.constructor(RES_PQ) + body

    @classmethod
    def read(cls, body: bytes) -> "ResPq":
        reader = _open(body, RES_PQ)
        found = cls(_nonces(reader), reader.string(), reader.longs(_MAX_FINGERPRINTS))
        reader.finish()
        return found


@attrs.frozen
class Inner:
    """`p_q_inner_data`, or with `dc` `p_q_inner_data_dc`. It is followed by padding."""

    pq: bytes
    p: bytes
    q: bytes
    nonces: Nonces
    new_nonce: bytes = attrs.field(repr=False)
    dc: int | None = None

    def to_bytes(self) -> bytes:
        body = tl.string(self.pq) + tl.string(self.p) + tl.string(self.q)
        body += self.nonces.to_bytes() + self.new_nonce
        if self.dc is None:
            return tl.constructor(INNER) + body
        return tl.constructor(INNER_DC) + body + tl.int32(self.dc)

    @classmethod
    def read(cls, data: bytes) -> "Inner":
        number = tl.constructor_of(data)
        if number not in (INNER, INNER_DC):
            raise Malformed("The client's first secret is no p_q_inner_data")
        reader = tl.Reader(data[4:])
        pq, p, q = reader.string(), reader.string(), reader.string()
        nonces, new_nonce = _nonces(reader), reader.take(32)
        return cls(pq, p, q, nonces, new_nonce, reader.int32() if number == INNER_DC else None)


@attrs.frozen
class ReqDh:
    nonces: Nonces
    p: bytes
    q: bytes
    fingerprint: int
    encrypted: bytes

    def to_bytes(self) -> bytes:
        body = self.nonces.to_bytes() + tl.string(self.p) + tl.string(self.q) + tl.int64(self.fingerprint)
        return tl.constructor(REQ_DH) + body + tl.string(self.encrypted)

    @classmethod
    def read(cls, body: bytes) -> "ReqDh":
        reader = _open(body, REQ_DH)
        found = cls(_nonces(reader), reader.string(), reader.string(), reader.int64(), reader.string())
        reader.finish()
        return found


@attrs.frozen
class ServerDh:
    """`server_DH_inner_data`; padding follows it, so `size` is how long it was when it was read."""

    nonces: Nonces
    g: int
    prime: int
    g_a: int
    server_time: int
    size: int = 0

    def to_bytes(self) -> bytes:
        numbers = tl.string(self.prime.to_bytes(256, "big")) + tl.string(self.g_a.to_bytes(256, "big"))
        body = self.nonces.to_bytes() + tl.int32(self.g) + numbers + tl.int32(self.server_time)
        return tl.constructor(SERVER_DH) + body

    @classmethod
    def read(cls, data: bytes) -> "ServerDh":
        reader = _open(data, SERVER_DH)
        nonces, g = _nonces(reader), reader.int32()
        prime, g_a = (int.from_bytes(reader.string(), "big") for _ in range(2))
        server_time = reader.int32()
        return cls(nonces, g, prime, g_a, server_time, len(data) - reader.left)


@attrs.frozen
class ClientDh:
    """`client_DH_inner_data`; `size` as in `ServerDh`."""

    nonces: Nonces
    retry_id: int
    g_b: int
    size: int = 0

    def to_bytes(self) -> bytes:
        body = self.nonces.to_bytes() + tl.int64(self.retry_id) + tl.string(self.g_b.to_bytes(256, "big"))
        return tl.constructor(CLIENT_DH) + body

    @classmethod
    def read(cls, data: bytes) -> "ClientDh":
        reader = _open(data, CLIENT_DH)
        nonces, retry_id = _nonces(reader), reader.int64()
        g_b = int.from_bytes(reader.string(), "big")
        return cls(nonces, retry_id, g_b, len(data) - reader.left)


@attrs.frozen
class Encrypted:
    """`server_DH_params_ok` and `set_client_DH_params`: an encrypted string beside the nonces."""

    constructor: int
    nonces: Nonces
    data: bytes

    def to_bytes(self) -> bytes:
        return tl.constructor(self.constructor) + self.nonces.to_bytes() + tl.string(self.data)

    @classmethod
    def read(cls, body: bytes, expected: int) -> "Encrypted":
        reader = _open(body, expected)
        found = cls(expected, _nonces(reader), reader.string())
        reader.finish()
        return found


@attrs.frozen
class Verdict:
    """`dh_gen_ok`, `_retry`, `_fail`, `server_DH_params_fail`: a hash that proves the new nonce."""

    constructor: int
    nonces: Nonces
    hash: bytes

    def to_bytes(self) -> bytes:
        return tl.constructor(self.constructor) + self.nonces.to_bytes() + self.hash

    @classmethod
    def read(cls, body: bytes) -> "Verdict":
        number = tl.constructor_of(body)
        if number not in (GEN_OK, GEN_RETRY, GEN_FAIL, DH_FAIL):
            raise Malformed("No verdict of a key exchange")
        reader = tl.Reader(body[4:])
        found = cls(number, _nonces(reader), reader.take(16))
        reader.finish()
        return found


def _nonces(reader: tl.Reader) -> Nonces:
    return Nonces(reader.take(16), reader.take(16))


def _open(body: bytes, expected: int) -> tl.Reader:
    reader = tl.Reader(body)
    reader.constructor(expected)
    return reader
