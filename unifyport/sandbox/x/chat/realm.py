"""Juicebox software realms: they keep shares of secrets behind a PIN and count wrong guesses.

Written from https://github.com/juicebox-systems/juicebox-software-realm (MIT): `router`, `oprf`, `responses`.
A request is CBOR at `POST …/req` with a bearer token; a guess is counted when an evaluation is asked for
(`Recover2`), and the count begins again after a right one (`Recover3`). The OPRF is 2HashDH over
ristretto255 with a proof of equal logarithms.
"""

import hashlib
import hmac
import importlib
import json
import secrets
from collections import Counter
from typing import Any

import attrs

from .cbor import Malformed, dump, load

REALMS = 3
MAX_GUESSES = 20
_LABEL = b"Juicebox_DLEQ_2023_1;"
_KEPT = ("encryption_key_scalar_share", "encrypted_secret", "encrypted_secret_commitment")


@attrs.define
class Record:
    """What a realm keeps of one user."""

    registration: dict[str, Any] | None
    guesses: int = 0
    locked: bool = False

    @property
    def allowed(self) -> int:
        return int(self.registration["policy"]["num_guesses"]) if self.registration else 0


class Realms:
    """All realms of the sandbox. `asked`: requests of each kind. `url`: where they listen, once they do.

    `silent`: they take requests and do not answer; who asks must wait (`platform.Realm` plays that).
    """

    def __init__(self) -> None:
        self.url = ""
        self.silent = False
        self.asked: Counter[str] = Counter()
        self.ids = [secrets.token_hex(16) for _ in range(REALMS)]
        self.records: dict[tuple[str, str], Record] = {}  # by realm and by whom a token names

    # -- what X tells a user of its realms -------------------------------------------------------------------

    def config(self, user: str, version: int) -> dict[str, Any]:
        """`juicebox_config` of a key of a user (https://docs.x.com/x-api/chat/get-user-public-keys)."""
        realms = [{"id": id_, "address": f"{self.url}/realm/{id_}/"} for id_ in self.ids]
        store = {
            "realms": realms,
            "register_threshold": REALMS,
            "recover_threshold": REALMS,
            "pin_hashing_mode": "Standard2019",
        }
        tokens = [
            {
                "key": each["id"],
                "value": {
                    "token": f"{user}-{version}-{each['id']}",
                    "address": each["address"],
                    "public_key": None,
                },
            }
            for each in realms
        ]
        return {
            "token_map": tokens,
            "max_guess_count": MAX_GUESSES,
            "key_store_token_map_json": json.dumps(store),
        }

    def guesses_left(self, user: str, version: int) -> int | None:
        """None: nothing is kept of this key."""
        record = self.records.get((self.ids[0], f"{user}-{version}"))
        return None if record is None else max(record.allowed - record.guesses, 0)

    def use_guesses(self, user: str, version: int, left: int) -> None:
        """Count wrong guesses as if they had been made, until so many are left."""
        for id_ in self.ids:
            record = self.records[id_, f"{user}-{version}"]
            record.guesses = record.allowed - left

    # -- requests --------------------------------------------------------------------------------------------

    def answer(self, realm: str, token: str, body: bytes) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        who, _, named = token.rpartition("-")
        if realm not in self.ids or named != realm or not who:
            return 401, b""
        try:
            request = load(body)
        except Malformed:
            return 400, b""
        name, fields = (request, {}) if isinstance(request, str) else next(iter(request.items()))
        self.asked[name] += 1
        record = self.records.setdefault((realm, who), Record(None))
        match name:
            case "Register1" | "Delete" | "Register2":
                if name != "Register1":
                    self.records[realm, who] = Record(fields if name == "Register2" else None)
                found: Any = "Ok"
            case "Recover1" | "Recover2" | "Recover3":
                found = _recover(name, record, fields)
            case _:
                return 400, b""
        return 200, dump({name: found})


def _recover(name: str, record: Record, asked: dict[str, Any]) -> Any:
    kept = record.registration
    if kept is None:
        return "NotRegistered"
    if record.locked or (name != "Recover3" and record.guesses >= record.allowed):
        record.locked = True
        return "NoGuesses"
    if name == "Recover1":
        return {"Ok": {"version": kept["version"]}}
    if asked["version"] != kept["version"]:
        return "VersionMismatch"
    if name == "Recover2":
        record.guesses += 1
        return {"Ok": _evaluate(record, kept, asked["oprf_blinded_input"])}
    left = record.allowed - record.guesses
    if not hmac.compare_digest(asked["unlock_key_tag"], kept["unlock_key_tag"]):
        record.locked = left == 0
        return {"BadUnlockKeyTag": {"guesses_remaining": left}}
    record.guesses = 0
    return {"Ok": {part: kept[part] for part in _KEPT}}


def _evaluate(record: Record, kept: dict[str, Any], blinded: bytes) -> dict[str, Any]:
    """The OPRF of a blinded input, with a proof that the registered key was used."""
    curve = importlib.import_module("rbcl")  # of the optional extra `sandbox`
    key, public = kept["oprf_private_key"], kept["oprf_signed_public_key"]
    result = curve.crypto_scalarmult_ristretto255(key, blinded)
    once = curve.crypto_core_ristretto255_scalar_random()
    told = [
        blinded,
        public["public_key"],
        result,
        curve.crypto_scalarmult_ristretto255_base(once),
        curve.crypto_scalarmult_ristretto255(once, blinded),
    ]
    challenge = curve.crypto_core_ristretto255_scalar_reduce(hashlib.sha512(_LABEL + b"".join(told)).digest())
    answer = curve.crypto_core_ristretto255_scalar_add(
        once, curve.crypto_core_ristretto255_scalar_mul(key, challenge)
    )
    return {
        "oprf_signed_public_key": public,
        "oprf_blinded_result": result,
        "oprf_proof": {"c": challenge, "beta_z": answer},
        "unlock_key_commitment": kept["unlock_key_commitment"],
        "num_guesses": record.allowed,
        "guess_count": record.guesses,
    }
