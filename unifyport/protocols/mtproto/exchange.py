"""The exchange that makes an authorization key (https://core.telegram.org/mtproto/auth_key), client's side.

    client                                              server
    ------------------------------------------------    ---------------------------------------------------
    req_pq_multi (nonce)                            ->
                                                    <-  resPQ (server nonce, pq, fingerprints of RSA keys)
    req_DH_params (p, q, RSA of the new nonce)      ->
                                                    <-  server_DH_params_ok (g, prime, g_a, time; encrypted)
    set_client_DH_params (g_b; encrypted)           ->
                                                    <-  dh_gen_ok (hash), dh_gen_retry, dh_gen_fail

Bodies travel in packets in the clear. Every check of the security guidelines is made: nonces, the hash of the
encrypted answer, the group, both shares, the last hash. The server's time is part of the result.
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from typing import Final

import attrs

from unifyport.protocols.mtproto import exchange_messages as objects
from unifyport.protocols.mtproto import ige, tl
from unifyport.protocols.mtproto.arithmetic import check_group, check_share, factorise
from unifyport.protocols.mtproto.encryption import KEY_SIZE, AuthKey, Random
from unifyport.protocols.mtproto.errors import ExchangeFailed, SecurityError
from unifyport.protocols.mtproto.rsa import ServerKey, to_bytes

MAX_RETRIES: Final = 3
VERDICT_OF: Final = {objects.GEN_OK: 1, objects.GEN_RETRY: 2, objects.GEN_FAIL: 3}


@attrs.frozen
class Agreed:
    """The key, its first salt, and the server's clock minus ours in seconds."""

    key: AuthKey
    salt: int
    time_offset: float


class ClientExchange:
    """One exchange. `start` gives the first body; then `receive` gives the next one, or what was agreed.

    `receive` raises `SecurityError`, `Malformed` and `ExchangeFailed`; the exchange is over then. It computes
    for some 0.1 s: where that matters, in a thread.
    """

    def __init__(self, keys: Mapping[int, ServerKey], *, dc: int, random: Random = os.urandom) -> None:
        """`keys` by fingerprint (unsigned). `dc`: the data centre, plus 10,000 for a test one."""
        self._keys = keys
        self._dc = dc
        self._random = random
        self._nonce = random(16)
        self._new_nonce = random(32)
        self._nonces: objects.Nonces | None = None
        self._group: objects.ServerDh | None = None
        self._key: AuthKey | None = None
        self._offset = 0.0
        self._retries = 0

    def start(self) -> bytes:
        return tl.constructor(objects.REQ_PQ) + self._nonce

    def receive(self, body: bytes, now: float) -> "bytes | Agreed":
        """Read the server's answer to the last body."""
        if self._nonces is None:
            return self._answer_pq(objects.ResPq.read(body))
        if self._group is None:
            return self._answer_group(body, now)
        return self._judge(objects.Verdict.read(body))

    def _answer_pq(self, found: objects.ResPq) -> bytes:
        if not hmac.compare_digest(found.nonces.client, self._nonce):
            raise SecurityError("The server's first answer is to another nonce")
        known = [each for each in found.fingerprints if each in self._keys]
        if not known:
            raise SecurityError("None of the server's keys is known")
        p, q = (to_bytes(prime) for prime in factorise(int.from_bytes(found.pq, "big")))
        self._nonces = found.nonces
        inner = objects.Inner(found.pq, p, q, found.nonces, self._new_nonce, self._dc)
        encrypted = self._keys[known[0]].encrypt(inner.to_bytes(), random=self._random)
        return objects.ReqDh(found.nonces, p, q, known[0], encrypted).to_bytes()

    def _answer_group(self, body: bytes, now: float) -> bytes:
        if tl.constructor_of(body) == objects.DH_FAIL:
            verdict = objects.Verdict.read(body)
            self._check(verdict.nonces)
            if not hmac.compare_digest(verdict.hash, hashlib.sha1(self._new_nonce).digest()[4:]):  # noqa: S324
                raise SecurityError("The server's refusal does not hold its hash")
            raise ExchangeFailed("The server refused the exchange")
        answer = objects.Encrypted.read(body, objects.DH_OK)
        self._check(answer.nonces)
        data = decrypt_answer(answer.data, answer.nonces.server, self._new_nonce)
        group = objects.ServerDh.read(data[20:])
        check_hash(data, group.size)
        self._check(group.nonces)
        check_group(group.prime, group.g)
        check_share(group.g_a, group.prime)
        self._group = group
        self._offset = group.server_time - now
        return self._share(0)

    def _share(self, retry_id: int) -> bytes:
        assert self._group is not None
        assert self._nonces is not None
        group = self._group
        secret = int.from_bytes(self._random(KEY_SIZE), "big")
        g_b = pow(group.g, secret, group.prime)
        check_share(g_b, group.prime)
        self._key = AuthKey(pow(group.g_a, secret, group.prime).to_bytes(KEY_SIZE, "big"))
        inner = objects.ClientDh(self._nonces, retry_id, g_b).to_bytes()
        data = encrypt_answer(inner, self._nonces.server, self._new_nonce, random=self._random)
        return objects.Encrypted(objects.SET_DH, self._nonces, data).to_bytes()

    def _judge(self, verdict: objects.Verdict) -> "bytes | Agreed":
        assert self._key is not None
        assert self._nonces is not None
        self._check(verdict.nonces)
        number = VERDICT_OF.get(verdict.constructor, 0)
        expected = verdict_hash(self._new_nonce, number, self._key)
        if not number or not hmac.compare_digest(verdict.hash, expected):
            raise SecurityError("The server's verdict does not hold its hash")
        if verdict.constructor == objects.GEN_OK:
            return Agreed(self._key, first_salt(self._nonces, self._new_nonce), self._offset)
        self._retries += 1
        if verdict.constructor == objects.GEN_FAIL or self._retries > MAX_RETRIES:
            raise ExchangeFailed("The server did not take the key")
        return self._share(int.from_bytes(self._key.aux_hash, "little"))

    def _check(self, nonces: objects.Nonces) -> None:
        if nonces != self._nonces:
            raise SecurityError("The server's answer belongs to another exchange")


def first_salt(nonces: objects.Nonces, new_nonce: bytes) -> int:
    return int.from_bytes(new_nonce[:8], "little") ^ int.from_bytes(nonces.server[:8], "little")


def verdict_hash(new_nonce: bytes, number: int, key: AuthKey) -> bytes:
    """`new_nonce_hash1`, 2 or 3."""
    return hashlib.sha1(new_nonce + bytes((number,)) + key.aux_hash).digest()[4:]  # noqa: S324


def encrypt_answer(data: bytes, server_nonce: bytes, new_nonce: bytes, *, random: Random) -> bytes:
    """`data` with its hash before it and padding behind, under the keys of the nonces."""
    data = hashlib.sha1(data).digest() + data  # noqa: S324
    data += random(-len(data) % ige.BLOCK)
    return ige.encrypt(data, *_nonce_keys(server_nonce, new_nonce))


def decrypt_answer(data: bytes, server_nonce: bytes, new_nonce: bytes) -> bytes:
    """The hash (20 bytes), the data and its padding. Raises `SecurityError`; the hash is not checked yet."""
    if not data or len(data) % ige.BLOCK:
        raise SecurityError("The encrypted answer ends within a block")
    return ige.decrypt(data, *_nonce_keys(server_nonce, new_nonce))


def check_hash(data: bytes, size: int) -> None:
    """Raise `SecurityError` unless the hash before `data` is that of its first `size` bytes."""
    digest = hashlib.sha1(data[20 : 20 + size]).digest()  # noqa: S324
    if not hmac.compare_digest(data[:20], digest) or len(data) - 20 - size >= ige.BLOCK:
        raise SecurityError("The encrypted answer does not hold its hash")


def _nonce_keys(server_nonce: bytes, new_nonce: bytes) -> tuple[bytes, bytes]:
    new_server = hashlib.sha1(new_nonce + server_nonce).digest()  # noqa: S324
    server_new = hashlib.sha1(server_nonce + new_nonce).digest()  # noqa: S324
    new_new = hashlib.sha1(new_nonce + new_nonce).digest()  # noqa: S324
    return new_server + server_new[:12], server_new[12:] + new_new + new_nonce[:4]
