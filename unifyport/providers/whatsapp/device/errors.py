"""The platform's refusals -> failure classes.

The codes are those on the wire, as whatsmeow reads them (https://github.com/tulir/whatsmeow,
`connectionevents.go`, `types/events/events.go`). Other libraries show numbers of their own for a lost
connection, which are not here.
"""

from unifyport.protocols.binary_node import Node
from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import (
    CONVERSATION,
    ChannelError,
    Conflict,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)

_OUTDATED_SECONDS = 3600.0  # until a refused version is tried again; a new one in the file heals it
_RESTART_SECONDS = 0.5
_BAN_SECONDS = 3600.0  # of a temporary ban whose end is not said

# <failure reason=...>, the answer to a login.
_ENDED = {401: "logged_out", 403: "account_locked", 406: "banned"}
_REFUSED = {
    400: "login_refused",
    409: "bad_user_agent",
    413: "cat_expired",
    414: "cat_invalid",
    415: "not_found",
    418: "client_unknown",
    500: "server_error",
    501: "experimental",
    503: "server_unavailable",
}
# <ack class="message" error=...>: the message was refused.
_MESSAGE_REFUSED = {
    400: "wrong_addressing",
    401: "not_a_member",
    403: "not_a_member",
    404: CONVERSATION_NOT_FOUND,
    405: "not_allowed",
    421: "wrong_addressing",
    463: "contact_not_reachable",
    475: "contact_not_reachable",
    479: "wrong_addressing",
}
_DETAILS = {
    "contact_not_reachable": "WhatsApp does not deliver to this person before they have written to you",
    "wrong_addressing": "WhatsApp refused the form of the address; the next send may succeed",
    "not_a_member": "the account is not a member of this group, or may not write in it",
}


def login_failure(node: Node) -> ChannelError:
    """Of `<failure>`."""
    reason = node.number("reason")
    if reason in _ENDED:
        return LoggedOut(_ENDED[reason])
    if reason == 402:
        return RateLimited(float(node.number("expire")) or _BAN_SECONDS, "temporarily_banned")
    if reason == 405:
        return RateLimited(_OUTDATED_SECONDS, "client_outdated")
    return Transient(_REFUSED.get(reason, f"login_refused_{reason}"))


def stream_failure(node: Node) -> ChannelError:
    """Of `<stream:error>`, which ends the connection."""
    code = node.number("code")
    conflict = node.child("conflict")
    kind = conflict.get("type") if conflict is not None else ""
    if kind == "device_removed" or (code == 401 and conflict is None):
        return LoggedOut("logged_out")
    if kind == "replaced":
        return Conflict("connection_replaced")
    if code == 515:
        return RateLimited(_RESTART_SECONDS, "restart_required")
    if code == 503:
        return Transient("server_unavailable")
    return Transient(f"stream_error_{code}" if code else "stream_error")


def message_refusal(code: int, *, group: bool) -> ChannelError:
    """Of the error in the acknowledgement of a message, which was not delivered."""
    if code == 429:
        return RateLimited(60.0, "rate_limited", scope=CONVERSATION)
    reason = _MESSAGE_REFUSED.get(code, "refused")
    if reason == "not_a_member" and not group:
        reason = "refused"
    return Rejected(reason, _DETAILS.get(reason, f"WhatsApp refused the message ({code})"), code=code)


def request_refusal(answer: Node, missing: str = "") -> ChannelError:
    """Of `<iq type="error">`. `missing`: the reason where the thing asked for does not exist."""
    error = answer.child("error")
    code = error.number("code") if error is not None else 0
    text = error.get("text") if error is not None else ""
    if code == 429 or code >= 500:
        return Transient("rate_overlimit" if code == 429 else f"request_failed_{code}")
    if code in (404, 406) and missing:
        return Rejected(missing, code=code)
    reason = {401: "not_authorized", 403: "not_allowed", 404: "not_found"}.get(code, "refused")
    return Rejected(reason, f"WhatsApp refused the request: {text or code}", code=code)
