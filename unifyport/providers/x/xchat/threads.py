"""`chat_xdk` in threads: its computing, and its calls to realms, which have no time-out of their own.

A call to a realm that does not end is left alone in its thread, which ends when the operating system gives
the connection up. At most `REALM_THREADS` of them exist at a time: while they do, a further call is refused
at once. Computing is never left alone.
"""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

from unifyport.providers.contract.errors import Transient

REALM_THREADS = 4
_COMPUTING_THREADS = 2  # it holds the interpreter's lock, so more would not be faster

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

_limiters: trio.lowlevel.RunVar[tuple[trio.CapacityLimiter, trio.CapacityLimiter]] = trio.lowlevel.RunVar(
    "xchat threads"
)


class CryptoError(ValueError):
    """`chat_xdk` refused. The text is its own, for the log of the operator; it holds no key."""


async def compute(function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    """Call a function in a thread, to its end. Raises `CryptoError` for what `chat_xdk` refuses."""
    return await trio.to_thread.run_sync(_contained, function, *arguments, limiter=_of_run()[0])


async def at_realm(
    seconds: float, function: Callable[[*Arguments], Result], *arguments: *Arguments
) -> Result:
    """Call a function that asks realms. Raises `CryptoError`, `Transient` (`realm_timeout`, `realm_busy`)."""
    limiter = _of_run()[1]
    if limiter.available_tokens < 1:
        raise Transient("realm_busy")
    with trio.move_on_after(seconds):
        return await trio.to_thread.run_sync(
            _contained, function, *arguments, abandon_on_cancel=True, limiter=limiter
        )
    raise Transient("realm_timeout")


def _contained(function: Callable[[*Arguments], Result], *arguments: *Arguments) -> Result:
    try:
        return function(*arguments)
    except ValueError as error:
        raise CryptoError(*error.args) from error
    except Exception:
        raise
    except BaseException as error:  # a panic of the library is no `Exception`
        raise CryptoError(type(error).__name__) from None


def _of_run() -> tuple[trio.CapacityLimiter, trio.CapacityLimiter]:
    try:
        return _limiters.get()
    except LookupError:
        made = trio.CapacityLimiter(_COMPUTING_THREADS), trio.CapacityLimiter(REALM_THREADS)
        _limiters.set(made)
        return made
