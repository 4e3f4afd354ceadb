"""Errors of calls -> failure classes.

    RPC error                               failure
    -------------------------------------   -------------------------------------------------------------
    401, whatever its name                  LoggedOut with the name: the login is void
    406 AUTH_KEY_DUPLICATED                 LoggedOut: the key is dead, it was used from two addresses
    420 FLOOD_WAIT_n and its like           RateLimited, for the conversation or the account
    420 PEER_FLOOD (no time)                RateLimited for a day: no new conversations
    500 and above, -503                     Transient: the server may have acted
    the rest                                RpcRejected, with the platform's name

https://core.telegram.org/api/errors. A step of a login (`SESSION_PASSWORD_NEEDED`) and a migration are read
before they get here.
"""

from typing import Final

from unifyport.protocols.mtproto.rpc_errors import ErrorClass, RpcError
from unifyport.providers.contract.errors import (
    ACCOUNT,
    CONVERSATION,
    ChannelError,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)

from .refusals import REFUSALS

_PEER_FLOOD_SECONDS: Final = 86_400.0
_FLOOD_SECONDS: Final = 60.0  # after the server has refused connections
_KEPT: Final = 64 * 1024  # bytes of an answer that cannot be read


class RpcRejected(Rejected):
    """The server refused a call. `name`: its word for why, as `FILE_REFERENCE_EXPIRED`."""

    def __init__(self, name: str) -> None:
        known = REFUSALS.get(name)
        reason, words = known if known is not None else (name.lower(), "Telegram refused the request")
        super().__init__(reason, f"{words} ({name})", code=name)
        self.name = name


class Unreadable(Transient):
    """The server carried out a call, and its answer cannot be read. `body`: how the answer begins."""

    def __init__(self, body: bytes) -> None:
        super().__init__("malformed_answer", maybe_applied=True)
        self.body = body[:_KEPT]


class NeedsPassword(Rejected):
    """`SESSION_PASSWORD_NEEDED`: a step of a login."""

    def __init__(self) -> None:
        super().__init__("password_needed", code="SESSION_PASSWORD_NEEDED")


class Migrate(Rejected):
    """The call belongs to another data centre. `subject`: PHONE, NETWORK, USER, FILE or STATS."""

    def __init__(self, error: RpcError) -> None:
        super().__init__("migrate", code=error.name)
        self.dc = error.dc
        self.subject = error.subject


def failure_of(error: RpcError, *, peer: str = "") -> ChannelError:
    """`peer`: the conversation that the call is about, empty if none."""
    match error.kind:
        case ErrorClass.UNAUTHORIZED | ErrorClass.DUPLICATED:
            return LoggedOut(error.name.lower())
        case ErrorClass.PASSWORD:
            return NeedsPassword()
        case ErrorClass.MIGRATE:
            return Migrate(error)
        case ErrorClass.WAIT:
            return RateLimited(float(error.seconds), scope=CONVERSATION if peer else ACCOUNT)
        case ErrorClass.SERVER:
            return Transient(f"server_error_{error.name.lower()}"[:64], maybe_applied=True)
        case ErrorClass.REFUSED if error.name == "PEER_FLOOD":
            return RateLimited(_PEER_FLOOD_SECONDS, "peer_flood", scope=CONVERSATION)
    return RpcRejected(error.name)


def transport_failure(code: int) -> ChannelError:
    """https://core.telegram.org/mtproto/mtproto-transports#transport-errors"""
    match code:
        case 404:
            return LoggedOut("auth_key_unknown")
        case 429:
            return RateLimited(_FLOOD_SECONDS, "too_many_connections")
    return Transient(f"transport_error_{min(code, 99_999)}")


def first_of(group: BaseExceptionGroup[ChannelError]) -> ChannelError:
    """A failure of a group of them."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ChannelError)
    return error
