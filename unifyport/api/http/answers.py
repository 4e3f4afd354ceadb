"""Answers in the envelope, as `Response` values."""

from collections.abc import Sequence
from typing import Any

import attrs

from supervisors import map_in_slices
from unifyport.gateway.remarks import FieldWarning

from . import envelope
from .errors import ApiError
from .messages import Headers, Response

JSON = "application/json"
_NAMES: dict[type[Any], tuple[str, ...] | None] = {}  # of the types that answers are made of


def answer_json(content: dict[str, Any], status: int, request_id: str, client_id: str | None) -> Response:
    """`content` is `{"data": ...}` or `{"error": ...}`; `client_id` what the caller named its request."""
    body = envelope.encode(content, request_id, client_id)
    return Response(status, Headers((("content-type", JSON), ("x-request-id", request_id))), body)


def answer_data(
    data: Any,
    status: int,
    request_id: str,
    client_id: str | None,
    warnings: Sequence[FieldWarning] = (),
) -> Response:
    if status == 204:
        return Response(status, Headers((("x-request-id", request_id),)))
    content = {"data": data}
    if warnings:
        content["warnings"] = [attrs.asdict(each) for each in warnings]
    return answer_json(content, status, request_id, client_id)


def answer_error(
    error: ApiError, request_id: str, client_id: str | None, warnings: Sequence[FieldWarning] = ()
) -> Response:
    """`warnings` of the request: a misspelt field may be why it fails."""
    content = envelope.of_error(error)
    if warnings:
        content["error"]["warnings"] = [attrs.asdict(each) for each in warnings]
    response = answer_json(content, error.status, request_id, client_id)
    if (seconds := envelope.retry_after(error)) is not None:
        response.headers.add("retry-after", seconds)
    return response


async def plain_data(data: Any) -> Any:
    """`plain_value` of what a handler returned; a long list, or one in an object, is read in slices."""
    if isinstance(data, list):
        return await map_in_slices(plain_value, data)
    if (names := _names(type(data))) is None:
        return data
    found = {name: getattr(data, name) for name in names}
    return {
        name: await map_in_slices(plain_value, value) if isinstance(value, list) else plain_value(value)
        for name, value in found.items()
        if value is not None
    }


def plain_value(data: Any) -> Any:
    """attrs values as JSON values, without what is absent."""
    if (names := _names(type(data))) is not None:
        pairs = ((name, getattr(data, name)) for name in names)
        return {name: plain_value(value) for name, value in pairs if value is not None}
    if isinstance(data, list):
        return [plain_value(item) for item in data]
    return data


def _names(kind: type[Any]) -> tuple[str, ...] | None:
    """The fields of an attrs class; None for any other type."""
    if kind not in _NAMES:
        _NAMES[kind] = tuple(field.name for field in attrs.fields(kind)) if attrs.has(kind) else None
    return _NAMES[kind]
