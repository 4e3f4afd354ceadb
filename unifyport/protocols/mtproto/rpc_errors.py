"""What an RPC error means, by its code and its name.

    code   name                       class
    ----   ------------------------   -------------------------------------------------------------
    303    PHONE_MIGRATE_2            MIGRATE   repeat at that data centre
    400    FILE_MIGRATE_2             MIGRATE   the same, for a part of a file
    401    SESSION_PASSWORD_NEEDED    PASSWORD  a step of the login, wherever it comes from
    401    anything else              UNAUTHORIZED  the key is no login (any more)
    406    AUTH_KEY_DUPLICATED        DUPLICATED    the key is dead: it was used from two addresses
    420    FLOOD_WAIT_30              WAIT      not before that many seconds
    -503, 500 and above               SERVER    the server's fault; it may have acted

https://core.telegram.org/api/errors. Names are matched as a whole, numbers are read as numbers; what is not
in the table is REFUSED with its name.
"""

import enum
import re
from typing import Final

import attrs

from unifyport.protocols.mtproto import tl

RPC_ERROR: Final = 0x2144CA19
MAX_WAIT: Final = 10**7  # seconds; more is no number that a server means

_MIGRATE: Final = re.compile(r"(PHONE|NETWORK|USER|FILE|STATS)_MIGRATE_([0-9]{1,4})")
_WAIT: Final = re.compile(
    r"(FLOOD|FLOOD_PREMIUM|FLOOD_TEST_PHONE|SLOWMODE|2FA_CONFIRM)_WAIT_([0-9]{1,8})"
    r"|(TAKEOUT_INIT_DELAY)_([0-9]{1,8})"
)


class ErrorClass(enum.Enum):
    MIGRATE = "migrate"
    PASSWORD = "password"  # noqa: S105
    UNAUTHORIZED = "unauthorized"
    DUPLICATED = "duplicated"
    WAIT = "wait"
    SERVER = "server"
    REFUSED = "refused"


@attrs.frozen
class RpcError:
    """`dc` with MIGRATE; `seconds` with WAIT. `subject` is the word before, as FILE or SLOWMODE."""

    kind: ErrorClass
    code: int
    name: str
    subject: str = ""
    dc: int = 0
    seconds: int = 0


def classify(code: int, name: str) -> RpcError:
    """Read an error. Never raises: `name` is the platform's text, whatever it is."""
    if match := _MIGRATE.fullmatch(name):
        return RpcError(ErrorClass.MIGRATE, code, name, match[1], dc=int(match[2]))
    if match := _WAIT.fullmatch(name):
        seconds = min(int(match[2] or match[4]), MAX_WAIT)
        return RpcError(ErrorClass.WAIT, code, name, match[1] or match[3], seconds=seconds)
    if name == "AUTH_KEY_DUPLICATED":
        return RpcError(ErrorClass.DUPLICATED, code, name)
    if name == "SESSION_PASSWORD_NEEDED":
        return RpcError(ErrorClass.PASSWORD, code, name)
    if code == 401:
        return RpcError(ErrorClass.UNAUTHORIZED, code, name)
    if code < 0 or code >= 500:
        return RpcError(ErrorClass.SERVER, code, name)
    return RpcError(ErrorClass.REFUSED, code, name)


def rpc_error(code: int, name: str) -> bytes:
    return tl.constructor(RPC_ERROR) + tl.int32(code) + tl.string(name.encode())


def parse_rpc_error(result: bytes) -> tuple[int, str] | None:
    """Code and name, or None if `result` is no error. Raises `Malformed`."""
    if tl.constructor_of(result) != RPC_ERROR:
        return None
    reader = tl.Reader(result[4:])
    code, name = reader.int32(), reader.string()
    reader.finish()
    return code, name.decode("utf-8", "replace")
