"""The key exchange, server's side, for a sandbox. It checks what the specification lets a server check."""

import os
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from unifyport.protocols.mtproto import exchange_messages as objects
from unifyport.protocols.mtproto import tl
from unifyport.protocols.mtproto.arithmetic import DH_PRIME, check_share
from unifyport.protocols.mtproto.encryption import KEY_SIZE, AuthKey, Random
from unifyport.protocols.mtproto.errors import SecurityError
from unifyport.protocols.mtproto.exchange import (
    VERDICT_OF,
    check_hash,
    decrypt_answer,
    encrypt_answer,
    first_salt,
    verdict_hash,
)
from unifyport.protocols.mtproto.rsa import ServerKey, decrypt, to_bytes

GENERATOR: Final = 3
_P: Final = 0x494C553B
_Q: Final = 0x53911073


class ServerExchange:
    """One exchange. `receive` gives the answer to each body; `key` and `salt` are there at the end."""

    key: AuthKey | None = None
    salt = 0
    dc: int | None = None  # as the client names it, if it does

    def __init__(self, private: RSAPrivateKey, *, retries: int = 0, random: Random = os.urandom) -> None:
        """`retries`: how many shares to answer by `dh_gen_retry`."""
        numbers = private.public_key().public_numbers()
        self._private = private
        self._fingerprint = ServerKey(numbers.n, numbers.e).fingerprint
        self._random = random
        self._retries = retries
        self._nonces: objects.Nonces | None = None
        self._new_nonce = b""
        self._secret = 0

    def receive(self, body: bytes, now: float) -> bytes:
        """The answer. Raises `SecurityError`, `Malformed`."""
        if self._nonces is None:
            reader = tl.Reader(body)
            reader.constructor(objects.REQ_PQ)
            self._nonces = objects.Nonces(reader.take(16), self._random(16))
            reader.finish()
            return objects.ResPq(self._nonces, to_bytes(_P * _Q), (self._fingerprint,)).to_bytes()
        if not self._new_nonce:
            return self._answer_request(objects.ReqDh.read(body), now)
        return self._answer_share(objects.Encrypted.read(body, objects.SET_DH))

    def _answer_request(self, request: objects.ReqDh, now: float) -> bytes:
        self._check(request.nonces)
        if request.fingerprint != self._fingerprint:
            raise SecurityError("The client uses another RSA key")
        inner = objects.Inner.read(decrypt(request.encrypted, self._private))
        self._check(inner.nonces)
        if {request.p, request.q} != {to_bytes(_P), to_bytes(_Q)} or (inner.p, inner.q) != (
            request.p,
            request.q,
        ):
            raise SecurityError("The client's factors are wrong")
        self._new_nonce, self.dc = inner.new_nonce, inner.dc
        self._secret = int.from_bytes(self._random(KEY_SIZE), "big")
        g_a = pow(GENERATOR, self._secret, DH_PRIME)
        group = objects.ServerDh(inner.nonces, GENERATOR, DH_PRIME, g_a, int(now)).to_bytes()
        data = encrypt_answer(group, inner.nonces.server, self._new_nonce, random=self._random)
        return objects.Encrypted(objects.DH_OK, inner.nonces, data).to_bytes()

    def _answer_share(self, request: objects.Encrypted) -> bytes:
        self._check(request.nonces)
        data = decrypt_answer(request.data, request.nonces.server, self._new_nonce)
        share = objects.ClientDh.read(data[20:])
        check_hash(data, share.size)
        self._check(share.nonces)
        check_share(share.g_b, DH_PRIME)
        key = AuthKey(pow(share.g_b, self._secret, DH_PRIME).to_bytes(KEY_SIZE, "big"))
        constructor = objects.GEN_OK
        if self._retries:
            self._retries -= 1
            constructor = objects.GEN_RETRY
        else:
            self.key, self.salt = key, first_salt(request.nonces, self._new_nonce)
        proof = verdict_hash(self._new_nonce, VERDICT_OF[constructor], key)
        return objects.Verdict(constructor, request.nonces, proof).to_bytes()

    def _check(self, nonces: objects.Nonces) -> None:
        if nonces != self._nonces:
            raise SecurityError("The client's message belongs to another exchange")
