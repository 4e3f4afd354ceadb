"""From a use case's error to what a caller sees: one table, and a rule for operations that failed."""

import pytest

from unifyport.api.http.envelope import of_error, retry_after
from unifyport.api.http.errors import ApiError, error, failures, from_exception, refusal
from unifyport.api.http.messages import BodyTooLong, BodyTooSlow
from unifyport.gateway import errors as codes
from unifyport.gateway.errors import OperationFailure, UseCaseError, invalid, not_bound, not_found, refuse
from unifyport.model.structuring import Problems
from unifyport.storage.contract import StoreUnavailable

ALL_CODES = [value for name, value in vars(codes).items() if name.isupper() and isinstance(value, str)]

SEEN = [
    (UseCaseError(codes.RATE_LIMITED, "wait", retry_after=3.4), 429, codes.RATE_LIMITED, "3"),
    (UseCaseError(codes.UPLOAD_TOO_LARGE, "long"), 413, codes.INVALID_REQUEST, None),
    (UseCaseError(codes.KEY_IN_USE, "wait", retry_after=1), 409, codes.KEY_IN_USE, "1"),
    (UseCaseError("group_not_found", "gone"), 404, "group_not_found", None),
    (UseCaseError(OperationFailure.REFUSED, "no"), 400, "it_failed", None),
    (UseCaseError(OperationFailure.FAILED, "broken"), 500, "it_failed", None),
    (UseCaseError(OperationFailure.FAILED, "later", retry_after=5), 503, "it_failed", "5"),
    (UseCaseError(OperationFailure.NO_ANSWER, "timeout", retry_after=5), 502, "it_failed", "5"),
    (invalid("name", "is required"), 400, codes.INVALID_REQUEST, None),
    (not_found("account"), 404, codes.NOT_FOUND, None),
    (not_bound(), 409, codes.NOT_BOUND, None),
    (Problems(["a: no"]), 400, codes.INVALID_REQUEST, None),
    (StoreUnavailable("disk full"), 503, "it_failed", "1"),
    (BodyTooLong(10), 413, codes.INVALID_REQUEST, None),
    (BodyTooSlow(), 408, codes.INVALID_REQUEST, None),
]


@pytest.mark.parametrize(("raised", "status", "code", "after"), SEEN)
def test_what_a_caller_sees(raised: Exception, status: int, code: str, after: str | None) -> None:
    seen = from_exception(raised, "it_failed")
    assert seen is not None
    assert (seen.status, seen.code, retry_after(seen)) == (status, code, after)


@pytest.mark.parametrize("code", ALL_CODES)
def test_every_code_has_an_answer(code: str) -> None:
    seen = from_exception(UseCaseError(code, "text"), "it_failed")
    assert seen is not None
    assert (seen.status, seen.code) == (error(code).status, error(code).code)
    assert seen.status >= 400


def test_what_no_code_foresees_is_left_to_the_dispatcher() -> None:
    assert from_exception(ZeroDivisionError(), "it_failed") is None
    fault = ApiError(405, codes.INVALID_REQUEST, "method not allowed")
    assert from_exception(fault, "it_failed") is fault


def test_a_field_begins_the_text_and_details_are_public() -> None:
    raised = UseCaseError(codes.NOT_BOUND, "no", field="to.id", outcome="not_sent", command_id=None, n=1)
    seen = from_exception(raised, "it_failed")
    assert seen is not None
    assert of_error(seen) == {
        "error": {"code": codes.NOT_BOUND, "message": "to.id: no", "outcome": "not_sent", "n": 1}
    }


def test_problems_are_one_error() -> None:
    refuse([])
    with pytest.raises(UseCaseError, match=r"a: no \(and 1 more\)") as caught:
        refuse(["a: no", "b: no"], OperationFailure.REFUSED)
    seen = from_exception(caught.value, "it_failed")
    assert seen is not None
    assert (seen.status, seen.code, seen.details["problems"]) == (400, "it_failed", ["a: no", "b: no"])


def test_what_routes_declare_is_what_they_answer() -> None:
    assert (refusal("it_failed").status, [spec.status for spec in failures("it_failed")]) == (400, [500, 503])
