"""Logs: one structured line for each record, on standard error, with every registered secret blanked.

A file or a pipe gets JSON (`json_lines.py`), which escapes whatever is not ASCII. A terminal gets lines for
people, in which characters that act are shown (`model/texts.py`): nothing from outside ends a line or
controls a terminal.

`redaction.py` holds the registered secrets. Of libraries that log URLs (which hold bot tokens) only warnings
are logged.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar, Token
from typing import Any

import structlog

from unifyport.model.texts import visible

from .json_lines import JsonLines
from .redaction import redact

_OF_LINES = ("exception", "stack")  # texts of Python, of several lines
_bound: ContextVar[Mapping[str, str]] = ContextVar("bound", default={})  # noqa: B039  never changed in place


def _redact_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}


def _show_acting(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {
        key: visible(value, keep="\n\t" if key in _OF_LINES else "") if isinstance(value, str) else value
        for key, value in event.items()
    }


def bind(**ids: str) -> Token[Mapping[str, str]]:
    """Give these ids to every record that this task, and those that it starts, make until `unbind`."""
    return _bound.set({**_bound.get(), **ids})


def unbind(token: Token[Mapping[str, str]]) -> None:
    """Undo `bind`, in the same task."""
    _bound.reset(token)


def set_up_logs(level: str = "info") -> None:
    """Write all records of the standard library's loggers to standard error, redacted.

    A record has the fields of its `extra`, and the ids that its task has bound.
    """
    # What no line shows need not be found out for each record (the standard library's own advice).
    logging._srcfile = None
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_for_people() if sys.stderr.isatty() else JsonLines(_bound.get))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)
    for noisy in ("httpx", "httpcore", "hypercorn", "quart"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _for_people() -> logging.Formatter:
    shared: list[Any] = [
        lambda _, __, event: {**_bound.get(), **event},
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_values,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _show_acting,
            structlog.dev.ConsoleRenderer(),
        ],
    )


def set_level(level: str) -> None:
    logging.getLogger().setLevel(level.upper())
