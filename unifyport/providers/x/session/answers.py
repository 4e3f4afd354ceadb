"""Bodies of requests and answers of the web application, as JSON."""

from typing import Any

import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.net.clients import Response
from unifyport.providers.contract.errors import Transient

_OBJECT = msgspec.json.Decoder(dict[str, Any])


def json_body(value: Any) -> tuple[bytes, str]:
    return msgspec.json.encode(value), "application/json"


def object_of(answer: Response) -> dict[str, Any]:
    """Raises `Transient`, as the request may have been applied."""
    if not answer.body.strip():
        return {}
    try:
        return _OBJECT.decode(answer.body)
    except UNREADABLE:
        raise Transient("malformed_answer", maybe_applied=True) from None


def data_of(answer: Response) -> dict[str, Any]:
    found = object_of(answer).get("data")
    if not isinstance(found, dict):
        raise Transient("malformed_answer", maybe_applied=True)
    return found


def object_in(data: dict[str, Any], name: str) -> dict[str, Any]:
    """A member of `data` that is an object; empty: X does not give it. Raises `Transient`."""
    found = data.get(name)
    if not isinstance(found, dict | None):
        raise Transient("malformed_answer", maybe_applied=True)
    return found or {}
