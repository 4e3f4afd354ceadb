"""Errors that callers see, in the contract's words. Statuses of the v1 API are known here and nowhere else.

A use case raises `UseCaseError` with a code (`unifyport/gateway/errors.py`). The table below gives each code
its status. An `OperationFailure` has no code of its own: the caller sees the failure code of the route, with
the status of `_FAILURES`; `FAILED` is 503 if the caller may try again (`retry_after` is set). Faults of HTTP
itself (a wrong method, media type or body) are `ApiError`s.
"""

import random
from typing import Any

import attrs

from unifyport.gateway import errors as codes
from unifyport.gateway.errors import OperationFailure, UseCaseError
from unifyport.model.structuring import Problems, summarize
from unifyport.providers.contract.capabilities import NOT_FOUND_REASONS
from unifyport.storage.contract import StoreUnavailable

from .messages import BodyTooLong, BodyTooSlow


class ApiError(Exception):
    """A status, the contract's stable code, and a text for developers that holds no secret."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        retry_after: float | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.details = details


@attrs.frozen
class ErrorSpec:
    """An error that a route declares."""

    status: int
    code: str


_STATUSES: dict[int, tuple[str, ...]] = {
    400: (
        codes.INVALID_REQUEST,
        codes.UNSUPPORTED_AUTH_MODE,
        codes.PHONE_REQUIRED,
        codes.UNSUPPORTED_ACTION,
        codes.UNSUPPORTED_MESSAGE,
        codes.INVALID_CONVERSATION_TYPE,
        codes.UNSUPPORTED_CONVERSATION_TYPE,
        codes.INVALID_REPLY_TOKEN,
        codes.INVALID_PROVIDER,
        codes.INVALID_CONFIGURATION,
    ),
    401: (codes.MISSING_KEY, codes.INVALID_KEY),
    403: (codes.OWNER_ONLY,),
    404: (codes.NOT_FOUND, *NOT_FOUND_REASONS),
    409: (
        codes.NOT_BOUND,
        codes.DECLARED_IN_FILE,
        codes.NO_SERVER,
        codes.QUOTA_EXCEEDED,
        codes.BUSY,
        codes.DUPLICATE,
        codes.AUTHORIZED,
        codes.KEY_REUSED,
        codes.KEY_IN_USE,
        codes.ENDPOINT_NOT_ACTIVE,
        codes.NOT_RETRYABLE,
        codes.NO_FILE,
        codes.UPLOAD_QUOTA_EXCEEDED,
    ),
    410: (codes.CURSOR_EXPIRED, codes.MEDIA_GONE),
    413: (codes.MEDIA_TOO_LARGE,),
    429: (codes.RATE_LIMITED,),
    501: (codes.UNSUPPORTED,),
    502: (codes.NO_ADAPTER,),
    503: (codes.NO_LEASES, codes.NOT_READY, codes.TOO_MANY_STREAMS),
}
NO_SUCH_METHOD = ErrorSpec(405, codes.INVALID_REQUEST)
TOO_LARGE = ErrorSpec(413, codes.INVALID_REQUEST)
TOO_SLOW = ErrorSpec(408, codes.INVALID_REQUEST)
WRONG_MEDIA_TYPE = ErrorSpec(415, codes.INVALID_REQUEST)

# A code of a use case, as callers see it.
_ANSWERS = {code: ErrorSpec(status, code) for status, named in _STATUSES.items() for code in named} | {
    codes.UPLOAD_TOO_LARGE: TOO_LARGE
}
LONGEST_OVERLOAD_WAIT = 16  # seconds
_FAILURES = {OperationFailure.REFUSED: 400, OperationFailure.FAILED: 500, OperationFailure.NO_ANSWER: 502}
_MAY_BE_REPEATED = 503


def error(code: str) -> ErrorSpec:
    """The error of a code, for a route to declare."""
    return _ANSWERS[code]


def refusal(failure_code: str) -> ErrorSpec:
    """The error of an operation that refuses what it was asked, for a route to declare."""
    return ErrorSpec(_FAILURES[OperationFailure.REFUSED], failure_code)


def failures(failure_code: str) -> tuple[ErrorSpec, ...]:
    """The errors of an operation that fails by no fault of its caller."""
    return ErrorSpec(_FAILURES[OperationFailure.FAILED], failure_code), ErrorSpec(
        _MAY_BE_REPEATED, failure_code
    )


INVALID_REQUEST = error(codes.INVALID_REQUEST)
NOT_FOUND = error(codes.NOT_FOUND)
NOT_BOUND = error(codes.NOT_BOUND)


def fault(spec: ErrorSpec, message: str) -> ApiError:
    return ApiError(spec.status, spec.code, message)


def bad_request(message: str) -> ApiError:
    return fault(INVALID_REQUEST, message)


def no_such(what: str) -> ApiError:
    return fault(NOT_FOUND, f"no such {what}")


def internal_error(failure_code: str) -> ApiError:
    """The answer to an exception that no code foresees; it tells nothing."""
    return ApiError(_FAILURES[OperationFailure.FAILED], failure_code, "internal error")


def overloaded(failure_code: str) -> ApiError:
    """The answer to a request that was not looked at; those that try again are spread over some seconds."""
    wait = random.randint(1, LONGEST_OVERLOAD_WAIT)  # noqa: S311
    return ApiError(_MAY_BE_REPEATED, failure_code, "too many requests at once, try again", retry_after=wait)


def not_finished(failure_code: str) -> ApiError:
    """The answer to a change that takes longer than its caller waits."""
    text = "not finished in time; read what became of it"
    return ApiError(_MAY_BE_REPEATED, failure_code, text, retry_after=1)


def from_exception(error: BaseException, failure_code: str) -> ApiError | None:
    """The answer to an exception that a handler let out; None for one that no code foresees."""
    match error:
        case ApiError():
            return error
        case UseCaseError():
            return _from_use_case(error, failure_code)
        case BodyTooLong(limit=limit):
            return ApiError(TOO_LARGE.status, TOO_LARGE.code, f"a body may have at most {limit} bytes")
        case BodyTooSlow():
            return ApiError(TOO_SLOW.status, TOO_SLOW.code, "request timeout")
        case Problems(problems=problems):
            spec = INVALID_REQUEST
            text, first = summarize(problems)
            return ApiError(spec.status, spec.code, text, problems=first)
        case StoreUnavailable():
            text = "storage is unavailable, try again"
            return ApiError(_MAY_BE_REPEATED, failure_code, text, retry_after=1)
    return None


def _from_use_case(error: UseCaseError, failure_code: str) -> ApiError:
    if not isinstance(error.code, OperationFailure):
        spec = _ANSWERS[error.code]
    elif error.code is OperationFailure.FAILED and error.retry_after is not None:
        spec = ErrorSpec(_MAY_BE_REPEATED, failure_code)
    else:
        spec = ErrorSpec(_FAILURES[error.code], failure_code)
    details = {"outcome": error.outcome, **error.details}
    return ApiError(spec.status, spec.code, error.message, retry_after=error.retry_after, **details)
