"""Checks of fields that several use cases and routes share."""

from collections.abc import Sequence

from unifyport.model.texts import is_one_line
from unifyport.model.times import parse_rfc3339, rfc3339
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import ConnectionSpec

from .errors import INVALID_CONVERSATION_TYPE, UNSUPPORTED_CONVERSATION_TYPE, UseCaseError, invalid

MAX_ID = 512  # characters of a platform's id
MAX_TEXT = 200  # characters of a name
CONVERSATION_TYPES = ("user", "group", "channel")


def check_id(name: str, value: str) -> str:
    """An id of the platform. Raises `UseCaseError`."""
    if not 0 < len(value) <= MAX_ID or not is_one_line(value):
        raise invalid(name, f"must be 1 to {MAX_ID} printable characters")
    return value


def check_ids(name: str, values: Sequence[str], most: int = 1000) -> list[str]:
    """1 to `most` ids of the platform. Raises `UseCaseError`."""
    if not 1 <= len(values) <= most:
        raise invalid(name, f"1 to {most} ids")
    return [check_id(f"{name}[{place}]", value) for place, value in enumerate(values)]


def check_conversation_type(name: str, value: str) -> str:
    """Raises `UseCaseError` for a type that the contract does not have."""
    if value not in CONVERSATION_TYPES:
        raise UseCaseError(
            INVALID_CONVERSATION_TYPE, f"must be one of {', '.join(CONVERSATION_TYPES)}", field=name
        )
    return value


def require_conversation_type(connection: ConnectionSpec, provider: str, value: str) -> None:
    """Raises `UseCaseError` for a type that the connection does not have."""
    if value not in connection.conversation_types:
        raise UseCaseError(UNSUPPORTED_CONVERSATION_TYPE, f"{provider} has no {value}")


def read_future(name: str, text: str, clock: Clock) -> int:
    """Unix ms of an RFC 3339 time. Raises `UseCaseError` for what is no time, and for one that has passed."""
    try:
        at = parse_rfc3339(text)
    except ValueError as error:
        raise invalid(name, str(error)) from None
    if clock.has_passed(at):
        raise invalid(name, f"must be in the future (it is {rfc3339(clock.now_ms())})")
    return at


def is_name(value: str) -> bool:
    """Whether a text is 1 to `MAX_TEXT` printable characters on one line."""
    return 0 < len(value) <= MAX_TEXT and is_one_line(value)
