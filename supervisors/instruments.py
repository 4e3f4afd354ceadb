"""Hooks of trio's instruments that raise nothing.

trio drops an instrument whose hook has raised, and the tasks that wait for it would wait for ever. A bug in a
hook costs one turn instead, and is logged.
"""

import functools
import logging
import time
from collections.abc import Callable
from typing import TypeVar

log = logging.getLogger("unifyport.instruments")

LOG_SECONDS = 60.0  # a hook runs thousands of times a second
S = TypeVar("S")
_logged: dict[str, float] = {}  # when the failure of a hook was logged last


def report_failure(hook: str) -> None:
    """Log the exception that is being handled, once in `LOG_SECONDS` for each hook."""
    now = time.monotonic()
    if now - _logged.get(hook, -LOG_SECONDS) >= LOG_SECONDS:
        _logged[hook] = now
        log.exception("%s failed in this turn of the loop", hook)


def raises_nothing(hook: Callable[[S, float], None]) -> Callable[[S, float], None]:
    """A hook of an instrument that reports its exceptions and goes on in the next turn."""

    @functools.wraps(hook)
    def guarded(self: S, timeout: float) -> None:
        try:
            hook(self, timeout)
        except Exception:
            report_failure(hook.__qualname__)

    return guarded
