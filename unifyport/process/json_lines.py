"""Log records as lines of JSON: one object each, with every registered secret blanked.

    {"event": the message, "request_id": ..., "level": ..., "logger": ..., "timestamp": ...}

A busy gateway writes thousands of lines a second, so this is one formatter and no chain of processors.
Whatever is not ASCII is escaped, so that a text from outside neither ends a line nor controls a terminal.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from .redaction import redact

_ENCODER = json.JSONEncoder(default=repr)
_OF_LOGGING = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime"}
_OF_A_LINE = frozenset(("event", "level", "logger", "timestamp", "exception", "stack"))


def as_extra(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The `extra` of a record, of fields with any names: `name_` for a `name` that means something else in a
    record or in a line (`logging` raises `KeyError` for most of these).
    """
    return {f"{name}_" if name in _OF_LOGGING | _OF_A_LINE else name: fields[name] for name in fields}


class JsonLines(logging.Formatter):
    """`bound`: the ids that the task has bound."""

    def __init__(self, bound: Callable[[], Mapping[str, str]]) -> None:
        super().__init__()
        self._bound = bound

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {"event": record.getMessage(), **self._bound()}
        for name, value in record.__dict__.items():
            if name not in _OF_LOGGING:
                fields[name] = value
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        for name, value in fields.items():
            if isinstance(value, str):
                fields[name] = redact(value)
        fields["level"] = record.levelname.lower()
        fields["logger"] = record.name
        at = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
        fields["timestamp"] = f"{at.isoformat(timespec='microseconds')}Z"
        return _ENCODER.encode(fields)
