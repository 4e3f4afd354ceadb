"""How an incarnation can end, and how exceptions become one `Failure`.

A child can raise `Terminal` (no restart until the operator acts) or `RetryLater` (restart after a time,
without cost of budget). A program with exceptions of its own passes a `classify` function in its child spec.
When several tasks of one incarnation fail together the worst kind wins, so that a network error never hides a
bug.
"""

import enum
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import attrs
import trio

_CONTROL = (trio.Cancelled, KeyboardInterrupt, SystemExit)
_GROUP_OR_CONTROL = (BaseExceptionGroup, *_CONTROL)


class Kind(enum.IntEnum):
    """Failure kinds by severity; the worst of a group wins."""

    TRANSIENT = 1  # counted, back-off
    DEFERRED = 2  # wait `retry_after`; costs no budget
    CONFLICT = 3  # the login is in use elsewhere: a few quick tries, then slow ones
    TERMINAL = 4  # no restart until the operator acts
    BUG = 5  # any other exception: counted, back-off, traceback logged


@attrs.frozen
class Failure:
    """A classified exception, as plain strings: exception objects would keep frames, memory and secrets."""

    kind: Kind
    reason: str  # short and machine-readable
    error: str = ""  # the exception's class, with its text only if the classifier knows it holds no secret
    retry_after: float | None = None  # seconds, for DEFERRED


class Ended(enum.Enum):
    COMPLETED = "completed"  # the body returned
    FAILED = "failed"
    STOPPED = "stopped"  # on request; exceptions raised meanwhile are only logged


class Outcome(NamedTuple):
    ended: Ended
    failure: Failure | None = None


class Terminal(Exception):
    """Raised by a child that must not be restarted; `reason` is kept for the operator."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RetryLater(Exception):
    """Raised by a child to be run again in `seconds`; costs no restart budget."""

    def __init__(self, seconds: float, reason: str = "retry_later") -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason


class Exhausted(Exception):
    """Raised by a supervisor that gives up: a child spent its budget with `on_exhausted = escalate`.

    Of ordered children (`RestForOne`) also one that must not be run again, or is stuck.
    """


Classify = Callable[[BaseException], Failure]


def classify(error: BaseException) -> Failure:
    """The library's own classification of one exception (a leaf, never a group)."""
    match error:
        case Terminal(reason=reason):
            return Failure(Kind.TERMINAL, reason, describe(error))
        case RetryLater(seconds=seconds, reason=reason):
            return Failure(Kind.DEFERRED, reason, describe(error), retry_after=seconds)
        case _:
            return _crash(describe(error))


@functools.lru_cache(maxsize=256)
def _crash(error: str) -> Failure:
    """The verdict on an exception of which nothing but its class is known: one object for all of them."""
    return Failure(Kind.BUG, "crash", error)


def describe(error: BaseException) -> str:
    """The class of an exception, without its text, which may hold secrets."""
    return type(error).__qualname__


def worst(failures: Sequence[Failure]) -> Failure:
    """The failure of the worst kind; among equals that with the longest `retry_after`, else the first."""
    if len(failures) == 1:
        return failures[0]
    return max(failures, key=lambda failure: (failure.kind, failure.retry_after or 0.0))


def split(caught: BaseException) -> tuple[BaseException | None, list[BaseException]]:
    """Split a caught exception into control flow (or None), and a flat list of all other exceptions."""
    if not isinstance(caught, _GROUP_OR_CONTROL):
        return None, [caught]
    if not isinstance(caught, BaseExceptionGroup):
        return caught, []
    control, rest = caught.split(_CONTROL)
    return control, [] if rest is None else _leaves(rest)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
