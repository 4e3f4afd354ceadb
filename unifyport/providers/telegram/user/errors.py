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
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import (
    ACCOUNT,
    CONVERSATION,
    ChannelError,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)

_PEER_FLOOD_SECONDS: Final = 86_400.0
_KEPT: Final = 64 * 1024  # bytes of an answer that cannot be read
_REASONS: Final = {
    "CHANNEL_INVALID": CONVERSATION_NOT_FOUND,
    "CHANNEL_PRIVATE": "not_a_member",
    "CHAT_ADMIN_REQUIRED": "not_allowed",
    "CHAT_FORBIDDEN": "not_a_member",
    "CHAT_GUEST_SEND_FORBIDDEN": "not_a_member",
    "CHAT_ID_INVALID": CONVERSATION_NOT_FOUND,
    "CHAT_RESTRICTED": "not_allowed",
    "CHAT_SEND_PLAIN_FORBIDDEN": "not_allowed",
    "CHAT_WRITE_FORBIDDEN": "not_allowed",
    "INPUT_USER_DEACTIVATED": "contact_not_reachable",
    "PEER_ID_INVALID": "contact_not_reachable",
    "USER_BANNED_IN_CHANNEL": "not_allowed",
    "USER_ID_INVALID": "contact_not_reachable",
    "USER_IS_BLOCKED": "blocked_by_recipient",
    "USER_NOT_PARTICIPANT": "not_a_member",
    "USER_PRIVACY_RESTRICTED": "contact_not_reachable",
    "YOU_BLOCKED_USER": "contact_blocked",
}


class RpcRejected(Rejected):
    """The server refused a call. `name`: its word for why, as `FILE_REFERENCE_EXPIRED`."""

    def __init__(self, name: str) -> None:
        super().__init__(
            _REASONS.get(name, name.lower()), f"Telegram refused the request ({name})", code=name
        )
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
