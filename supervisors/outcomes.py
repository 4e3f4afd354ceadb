"""How an incarnation can end, and how exceptions become one verdict.

A child says more than "I crashed": it can raise `Terminal` (never again without an operator) or
`RetryLater` (wait as told, not my fault). A program with exceptions of its own passes a `classify`
function in its child spec and keeps its vocabulary. When several tasks of one incarnation fail
together the worst kind wins, so that a network error never hides a bug.
"""

import enum
from collections.abc import Callable, Iterable

import attrs
import trio

_CONTROL = (trio.Cancelled, KeyboardInterrupt, SystemExit)


class Kind(enum.IntEnum):
    """Failure kinds by severity; the worst of a group decides."""

    TRANSIENT = 1  # counted, back-off
    DEFERRED = 2  # wait `retry_after`; costs no budget
    CONFLICT = 3  # somebody else holds what we need: few quick tries, then slow ones
    TERMINAL = 4  # no restart until an operator acts
    BUG = 5  # anything unforeseen: counted, back-off, traceback logged


@attrs.frozen
class Failure:
    """A verdict as plain strings: exception objects would pin frames, memory and secrets."""

    kind: Kind
    reason: str  # short and machine-readable
    error: str = ""  # for people: the exception's class, and its text where the classifier vouches for it
    retry_after: float | None = None  # seconds, for DEFERRED


class Ended(enum.Enum):
    COMPLETED = "completed"  # the body returned
    FAILED = "failed"
    STOPPED = "stopped"  # on request; what it raised meanwhile is logged, not judged


@attrs.frozen
class Outcome:
    ended: Ended
    failure: Failure | None = None


class Terminal(Exception):
    """Raised by a child: do not restart me; `reason` is kept for the operator."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RetryLater(Exception):
    """Raised by a child: run me again in `seconds`; this costs no restart budget."""

    def __init__(self, seconds: float, reason: str = "retry_later") -> None:
        super().__init__(reason)
        self.seconds = seconds
        self.reason = reason


class Exhausted(Exception):
    """A supervisor gave up: a child with `on_exhausted = escalate` spent its budget."""


Classify = Callable[[BaseException], Failure]


def classify(error: BaseException) -> Failure:
    """The library's own verdict on one exception (a leaf, never a group)."""
    match error:
        case Terminal(reason=reason):
            return Failure(Kind.TERMINAL, reason, describe(error))
        case RetryLater(seconds=seconds, reason=reason):
            return Failure(Kind.DEFERRED, reason, describe(error), retry_after=seconds)
        case _:
            return Failure(Kind.BUG, "crash", describe(error))


def describe(error: BaseException) -> str:
    """The class of an exception, without its text: texts may hold secrets."""
    return type(error).__qualname__


def worst(failures: Iterable[Failure]) -> Failure:
    """The failure that decides; among equals the first, except that the longest wait wins."""
    return max(failures, key=lambda failure: (failure.kind, failure.retry_after or 0.0))


def split(caught: BaseException) -> tuple[BaseException | None, list[BaseException]]:
    """Control flow (or None), and the other leaves of what was caught, flattened."""
    if isinstance(caught, BaseExceptionGroup):
        control, rest = caught.split(_CONTROL)
        return control, [] if rest is None else _leaves(rest)
    return (caught, []) if isinstance(caught, _CONTROL) else (None, [caught])


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found.extend(_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    return found
