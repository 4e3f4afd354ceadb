"""Errors that callers see: the contract's codes, in the contract's envelope, mapped here and nowhere else."""

from typing import Any

import attrs

from actors.accounts import NoSuchAccount
from unifyport.model.structuring import Problems
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


MISSING_KEY = ErrorSpec(401, "missing_api_key")
INVALID_KEY = ErrorSpec(401, "invalid_api_key")
INVALID_REQUEST = ErrorSpec(400, "invalid_request")
NOT_FOUND = ErrorSpec(404, "not_found")
RATE_LIMITED = ErrorSpec(429, "rate_limited")
NOT_BOUND = ErrorSpec(409, "account_binding_not_found")
DECLARED_IN_FILE = ErrorSpec(409, "declared_in_file")
TOO_LARGE = ErrorSpec(413, "invalid_request")
WRONG_MEDIA_TYPE = ErrorSpec(415, "invalid_request")


def not_found(what: str) -> ApiError:
    return ApiError(404, "not_found", f"no such {what}")


def from_exception(error: BaseException, failure_code: str) -> ApiError | None:
    """The answer to an exception that a handler let out; None for one that nobody foresaw."""
    match error:
        case ApiError():
            return error
        case BodyTooLong(limit=limit):
            return ApiError(413, TOO_LARGE.code, f"a body may have at most {limit} bytes")
        case BodyTooSlow():
            return ApiError(408, INVALID_REQUEST.code, "request timeout")
        case Problems(problems=problems):
            return ApiError(400, "invalid_request", "; ".join(problems), problems=problems)
        case NoSuchAccount():
            return ApiError(409, NOT_BOUND.code, "the account is not bound to a running connector")
        case StoreUnavailable():
            return ApiError(503, failure_code, "storage is unavailable, try again", retry_after=1)
    return None
