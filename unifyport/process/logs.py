"""Logs: one structured line per record, on standard error, with every known secret taken out by value.

See `redaction.py` for how secrets are known. Libraries that log URLs (which hold bot tokens) are kept quiet.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from .redaction import redact


def _redacting(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}


def set_up_logs(level: str = "info") -> None:
    """Send everything that the standard library's loggers get through structlog, redacted.

    A record has what its `extra` says, and the ids that the task which wrote it has bound (`request_id`,
    `event_id`).
    """
    pretty = sys.stderr.isatty()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redacting,
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    set_level(level)
    for noisy in ("httpx", "httpcore", "hypercorn", "quart"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def set_level(level: str) -> None:
    logging.getLogger().setLevel(level.upper())
