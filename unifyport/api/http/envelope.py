"""The envelope of every JSON answer: `{request_id, client_request_id?, data, warnings? | error}`."""

import re
from typing import Any

import msgspec

from .errors import ApiError

_CLIENT_REQUEST_ID = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")


def client_request_id(header: str) -> str | None:
    """The caller's name of its request, from `X-Request-Id`; None for a value that is not echoed."""
    return header if _CLIENT_REQUEST_ID.fullmatch(header) else None


def encode(content: dict[str, Any], request_id: str, client_id: str | None) -> bytes:
    """`content` is `{"data": ...}` or `{"error": ...}`."""
    value: dict[str, Any] = {"request_id": request_id}
    if client_id is not None:
        value["client_request_id"] = client_id
    return msgspec.json.encode(value | content)


def of_error(error: ApiError) -> dict[str, Any]:
    details = {name: value for name, value in error.details.items() if value is not None}
    return {"error": {"code": error.code, "message": error.message, **details}}


def retry_after(error: ApiError) -> str | None:
    """The header's value, in whole seconds."""
    return None if error.retry_after is None else str(max(1, round(error.retry_after)))
