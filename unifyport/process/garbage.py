"""The garbage collector, kept from stopping the house.

Left to itself it looks at every object there is whenever a quarter has been added: with ten thousand accounts
the loop then stands still for more than a second. So it is turned off, and asked instead: for what is new,
ten times a second, which takes as long as there is news (and not while a crowd passes the turnstile); for
everything, once the process has grown by half. What we make ourselves is freed without it: an account that
reconnects leaves no cycles behind.
"""

import gc
import resource
from pathlib import Path

import trio

from supervisors import Incarnation, turnstile

TICK = 0.1
LOOK_EVERY = 100  # ticks
GROWTH, LEAST = 1.5, 64 * 1024**2
_YOUNG = 1  # generations 0 and 1
_PAGE = resource.getpagesize()


def tame() -> None:
    """For the whole process: nothing is collected of its own accord,
    and what is loaded is never looked at.
    """
    gc.collect()
    gc.freeze()
    gc.disable()


def resident() -> int:
    """Bytes of memory in use; where the system does not say, the most that was."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _let_grow_old() -> None:
    """Take what is new for old without looking at it, which takes no time: in a crowd everybody lives."""
    gc.freeze()
    gc.unfreeze()


class Garbage:
    """Collects what is new all the time, and everything when the process has grown by half and by 64 MiB."""

    def __init__(self) -> None:
        self._base = resident()

    async def run(self, me: Incarnation) -> None:
        """Until asked to stop."""
        me.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._collect)
            await me.stopping()
            nursery.cancel_scope.cancel()

    async def _collect(self) -> None:
        while True:
            for _ in range(LOOK_EVERY):
                await trio.sleep(TICK)
                if turnstile().crowded:
                    _let_grow_old()
                else:
                    gc.collect(_YOUNG)
            if resident() > max(self._base * GROWTH, self._base + LEAST):
                gc.collect()
                self._base = resident()
