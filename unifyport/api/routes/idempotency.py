"""The header `Idempotency-Key`; `unifyport/gateway/repeats.py` says what a key does."""

import hashlib
import re
from typing import Any

import attrs
import msgspec

from unifyport.gateway import errors as codes
from unifyport.gateway.errors import invalid
from unifyport.gateway.repeats import KEY_FIELD, IdempotencyKey

from ..http.errors import error
from ..http.routing import Call, Query

REPLAYED = "Idempotent-Replayed"
REUSED = error(codes.KEY_REUSED)
IN_USE = error(codes.KEY_IN_USE)
HEADER = Query(
    KEY_FIELD,
    description="1 to 255 printable ASCII characters; a repeat with the same body is not sent again",
    more={"pattern": "^[!-~]{1,255}$"},
)
_KEY = re.compile(r"[!-~]{1,255}")


def read_key(call: Call) -> str | None:
    """Raises `UseCaseError`."""
    values = call.headers.get_all(KEY_FIELD)
    if not values:
        return None
    if len(values) > 1 or not _KEY.fullmatch(values[0]):
        raise invalid(KEY_FIELD, "must be 1 to 255 printable ASCII characters, once")
    return values[0]


def new_key(call: Call, value: str) -> IdempotencyKey:
    """The key of a send. The answer to a repeat says so in a header, whatever it comes to."""

    def mark() -> None:
        call.answer_headers[REPLAYED] = "true"

    return IdempotencyKey(value, hash_body(call.body), mark)


def hash_body(body: Any) -> bytes:
    """Of the body as it was understood: neither the order of fields nor white space changes it."""
    return hashlib.sha256(msgspec.json.encode(attrs.asdict(body), order="deterministic")).digest()
