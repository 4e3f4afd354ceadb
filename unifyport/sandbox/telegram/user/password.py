"""The server's side of the two-step password (SRP): https://core.telegram.org/api/srp."""

import hashlib
import hmac
import os
from typing import Any, Final

from telethon.tl import types as T
from telethon.tl.types import account

from unifyport.protocols.mtproto.arithmetic import DH_PRIME

from .directory import Person
from .errors import bad

_G: Final = 3
_SIZE: Final = 256
_ROUNDS: Final = 100_000


def _sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _bytes(number: int) -> bytes:
    return number.to_bytes(_SIZE, "big")


_PRIME_BYTES: Final = _bytes(DH_PRIME)
_K: Final = int.from_bytes(_sha(_PRIME_BYTES, _bytes(_G)), "big")


class Challenge:
    """One question for a person's password; good for one answer."""

    def __init__(self, person: Person) -> None:
        assert person.password is not None
        self.id = int.from_bytes(os.urandom(8), "little", signed=True)
        self._salts = _sha(b"1", str(person.id).encode())[:16], _sha(b"2", str(person.id).encode())[:16]
        first, second = self._salts
        inner = _sha(second, _sha(first, person.password.encode(), first), second)
        stretched = hashlib.pbkdf2_hmac("sha512", inner, first, _ROUNDS)
        x = int.from_bytes(_sha(second, stretched, second), "big")
        self._verifier = pow(_G, x, DH_PRIME)
        self._b = int.from_bytes(os.urandom(_SIZE), "big")
        self._share = _bytes((_K * self._verifier + pow(_G, self._b, DH_PRIME)) % DH_PRIME)
        self._person = person

    def describe(self) -> Any:
        """`account.password`."""
        algorithm = T.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(
            *self._salts, _G, _PRIME_BYTES
        )
        return account.Password(
            new_algo=algorithm,
            new_secure_algo=T.SecurePasswordKdfAlgoPBKDF2HMACSHA512iter100000(os.urandom(8)),
            secure_random=os.urandom(256),
            has_password=True,
            current_algo=algorithm,
            srp_B=self._share,
            srp_id=self.id,
            hint=self._person.hint,
        )

    def check(self, answer: Any) -> None:
        """Raises `Refused` unless the client knows the password."""
        if not isinstance(answer, T.InputCheckPasswordSRP):
            raise bad("PASSWORD_HASH_INVALID")
        if answer.srp_id != self.id:
            raise bad("SRP_ID_INVALID")
        a = int.from_bytes(answer.A, "big")
        if len(answer.A) != _SIZE or not 1 < a < DH_PRIME - 1:
            raise bad("SRP_A_INVALID")
        u = int.from_bytes(_sha(answer.A, self._share), "big")
        secret = pow(a * pow(self._verifier, u, DH_PRIME), self._b, DH_PRIME)
        mixed = bytes(p ^ g for p, g in zip(_sha(_PRIME_BYTES), _sha(_bytes(_G)), strict=True))
        salts = map(_sha, self._salts)
        proof = _sha(mixed, *salts, answer.A, self._share, _sha(_bytes(secret)))
        if not hmac.compare_digest(proof, answer.M1):
            raise bad("PASSWORD_HASH_INVALID")


def no_password() -> Any:
    """`account.password` of an account that has none."""
    algorithm = T.PasswordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow(
        os.urandom(8), os.urandom(16), _G, _PRIME_BYTES
    )
    return account.Password(
        new_algo=algorithm,
        new_secure_algo=T.SecurePasswordKdfAlgoPBKDF2HMACSHA512iter100000(os.urandom(8)),
        secure_random=os.urandom(256),
    )
