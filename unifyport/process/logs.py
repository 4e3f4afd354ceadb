"""Logs: one structured line for each record, on standard error, with every registered secret blanked.

Nothing from outside ends a line or controls a terminal: JSON escapes whatever is not ASCII, and for a
terminal characters that act are shown (`model/texts.py`).

`redaction.py` holds the registered secrets. Of libraries that log URLs (which hold bot tokens) only warnings
are logged.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from unifyport.model.texts import visible

from .redaction import redact

_OF_LINES = ("exception", "stack")  # texts of Python, of several lines


def _redact_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}


def _show_acting(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {
        key: visible(value, keep="\n\t" if key in _OF_LINES else "") if isinstance(value, str) else value
        for key, value in event.items()
    }


def set_up_logs(level: str = "info") -> None:
    """Send all records of the standard library's loggers through structlog, redacted.

    A record has the fields of its `extra`, and the ids that its task has bound (`request_id`, `event_id`).
    """
    pretty = sys.stderr.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_values,
    ]
    renderers: list[Any] = (
        [_show_acting, structlog.dev.ConsoleRenderer()] if pretty else [structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)
    for noisy in ("httpx", "httpcore", "hypercorn", "quart"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def set_level(level: str) -> None:
    logging.getLogger().setLevel(level.upper())
