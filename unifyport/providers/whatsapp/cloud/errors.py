"""Graph API errors -> failure classes.

An error is `{"error": {"code", "message", "type", "error_subcode", "error_data": {"details"}}}`. Meta says to
handle errors by `code`, not by the HTTP status
(https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes; those of groups:
https://developers.facebook.com/documentation/business-messaging/whatsapp/groups/error-codes).
"""

from typing import Any

from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import (
    CONVERSATION,
    ChannelError,
    LoggedOut,
    RateLimited,
    Rejected,
    Transient,
)

from .shapes import Error

_TOKEN = {0, 190}  # expired, revoked or unknown
_PERMISSION = {3, 10, *range(200, 300)}
_ALL_CALLS = {4, 80007, 130429, 131048, 133016}  # limits of the app, the business account or the number
_PAIR = 131056  # too many messages to this one customer
_GROUP = 131208  # too many operations of groups
_UNAVAILABLE = {1, 2, 131000, 131016}  # an error or overload of the platform
_GONE = 100  # "invalid parameter"; also the answer for a number that does not exist

_ALL_WAIT, _PAIR_WAIT = 30.0, 6.0  # seconds; the platform does not say how long to wait

# Errors that a caller can act on, with stable reasons.
_REASONS = {
    _GONE: "invalid_parameter",
    131008: "parameter_missing",
    131009: "invalid_parameter",
    131021: "recipient_is_sender",
    131026: "undeliverable",
    131020: "group_has_no_members",
    131030: "recipient_not_allowed",
    131031: "business_account_locked",
    131041: CONVERSATION_NOT_FOUND,  # no such group, or we are not in it
    131042: "payment_problem",
    131045: "number_not_registered",
    131047: "outside_customer_service_window",
    131049: "not_delivered_to_protect_engagement",
    131050: "customer_stopped_marketing",
    131051: "unsupported_message_type",
    131207: "group_suspended",
    132000: "template_parameters",
    132001: "template_not_found",
    132005: "template_text_too_long",
    132007: "template_against_policy",
    132012: "template_parameters",
    132015: "template_paused",
    132016: "template_disabled",
    132068: "flow_blocked",
    132069: "flow_throttled",
    130472: "customer_in_experiment",
    130497: "country_not_allowed",
    133010: "number_not_registered",
    368: "business_account_blocked",
}


def failure(code: int, status: int, message: str, *, login: bool = False) -> ChannelError:
    """The failure class of an error answer. `login`: whether the call was the login's check of the token."""
    if code in _TOKEN or (code not in _REASONS and status == 401):
        return LoggedOut("invalid_credentials")
    if code in _PERMISSION:
        if login:
            return LoggedOut("permission_missing")
        return Rejected("permission_missing", message, code=code)
    if login and code == _GONE:
        return LoggedOut("unknown_phone_number_id")
    if code in _ALL_CALLS or (code not in _REASONS and status == 429):
        return RateLimited(_ALL_WAIT)
    if code == _GROUP:
        return RateLimited(_ALL_WAIT, scope=CONVERSATION)
    if code == _PAIR:
        return RateLimited(_PAIR_WAIT, "pair_rate_limited", scope=CONVERSATION)
    if code in _UNAVAILABLE or (code not in _REASONS and status >= 500):
        return Transient(f"graph_{code}", maybe_applied=True)
    return Rejected(_REASONS.get(code, f"graph_{code}"), message, code=code)


def shown(error: Error) -> dict[str, Any]:
    """An error of a webhook, as events show it."""
    return {
        "code": error.code,
        "title": error.title or error.message,
        "details": error.error_data.details,
    }
