"""Errors of use cases: a stable code, a text for developers, and the facts that go with it.

A use case knows no protocol: `unifyport/api/http/errors.py` is the one place that turns a code into a status.
A code is the public contract's word where the contract has one for the case. Where it has none, the operation
itself has failed, and the code is an `OperationFailure`, for which each operation has its own public code.
"""

import contextlib
import enum
from collections.abc import Iterator, Sequence
from typing import Any

from actors.accounts import NoSuchAccount
from unifyport.model.structuring import summarize

INVALID_REQUEST = "invalid_request"
NOT_FOUND = "not_found"
OWNER_ONLY = "owner_only"
RATE_LIMITED = "rate_limited"
NOT_BOUND = "account_binding_not_found"
DECLARED_IN_FILE = "declared_in_file"
NO_ADAPTER = "provider_adapter_not_found"
NO_SERVER = "no_allocatable_server"
NO_LEASES = "allocation_service_unavailable"
QUOTA_EXCEEDED = "workspace_account_quota_exceeded"
BUSY = "account_allocation_busy"
DUPLICATE = "duplicate_provider_account"
AUTHORIZED = "account_already_authorized"
UNSUPPORTED_AUTH_MODE = "unsupported_provider_auth_mode"
PHONE_REQUIRED = "auth_mode_phone_required"
UNSUPPORTED = "unsupported_by_provider"
UNSUPPORTED_ACTION = "unsupported_action"
UNSUPPORTED_MESSAGE = "unsupported_message_type"
INVALID_CONVERSATION_TYPE = "invalid_conversation_type"
UNSUPPORTED_CONVERSATION_TYPE = "unsupported_conversation_type"
INVALID_REPLY_TOKEN = "invalid_reply_token"  # noqa: S105  a code
INVALID_PROVIDER = "invalid_provider"
KEY_REUSED = "idempotency_key_reused"
KEY_IN_USE = "idempotency_key_in_use"
ENDPOINT_NOT_ACTIVE = "webhook_endpoint_not_active"
NOT_RETRYABLE = "delivery_not_retryable"
CURSOR_EXPIRED = "cursor_expired"
TOO_MANY_STREAMS = "too_many_streams"
MISSING_KEY = "missing_api_key"
INVALID_KEY = "invalid_api_key"
INVALID_CONFIGURATION = "invalid_configuration"
NO_FILE = "no_configuration_file"
NOT_READY = "not_ready"
MEDIA_GONE = "media_gone"
MEDIA_TOO_LARGE = "media_too_large"
UPLOAD_TOO_LARGE = "upload_too_large"  # of this project; callers see the contract's word
UPLOAD_QUOTA_EXCEEDED = "media_quota_exceeded"


class OperationFailure(enum.Enum):
    """The operation has failed, and the contract names only the operation."""

    REFUSED = "refused"  # because of what was asked: asking again changes nothing
    FAILED = "failed"  # because of the gateway or the platform; may be tried again if `retry_after` is set
    NO_ANSWER = "no_answer"  # because the platform did not answer as it should


class UseCaseError(Exception):
    """`field` names the field at fault and begins the text; `retry_after` is in seconds.

    `outcome` is the state of a command (`CommandState`). `details` are public; a value of None is left out.
    The text holds no secret.
    """

    def __init__(
        self,
        code: str | OperationFailure,
        message: str,
        *,
        field: str | None = None,
        retry_after: float | None = None,
        outcome: str | None = None,
        **details: Any,
    ) -> None:
        self.message = message if field is None else f"{field}: {message}"
        super().__init__(self.message)
        self.code = code
        self.field = field
        self.retry_after = retry_after
        self.outcome = outcome
        self.details = details


def invalid(field: str, message: str) -> UseCaseError:
    """A field whose value cannot be used."""
    return UseCaseError(INVALID_REQUEST, message, field=field)


def not_found(what: str) -> UseCaseError:
    return UseCaseError(NOT_FOUND, f"no such {what}")


def not_bound() -> UseCaseError:
    return UseCaseError(NOT_BOUND, "the account is not bound to a running connector")


def refuse(problems: Sequence[str], code: str | OperationFailure = INVALID_REQUEST) -> None:
    """Raise one `UseCaseError` with the first problems, if there are any."""
    if problems:
        text, first = summarize(problems)
        raise UseCaseError(code, text, problems=first)


@contextlib.contextmanager
def binding() -> Iterator[None]:
    """Turn `NoSuchAccount` of the accounts actor into `UseCaseError`."""
    try:
        yield
    except NoSuchAccount:
        raise not_bound() from None
