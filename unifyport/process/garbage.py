"""Runs Python's garbage collector on a schedule, so that it does not stop the event loop.

By default the collector examines every object whenever their number has grown by a quarter. With ten thousand
accounts that stops the loop for more than a second. So automatic collection is turned off. Young objects are
collected ten times a second, which takes time in proportion to their number, but not while many tasks wait at
the turnstile. All objects are collected once the process has grown by half. The project's own objects do not
depend on it: an account that reconnects leaves no cycles.
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
    """Turn off automatic collection in this process, and never examine the objects that exist now."""
    gc.collect()
    gc.freeze()
    gc.disable()


def resident() -> int:
    """Bytes of resident memory; without `/proc` the maximum so far."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _promote_young() -> None:
    """Move young objects to the oldest generation unexamined, which takes no time."""
    gc.freeze()
    gc.unfreeze()


class Garbage:
    """Collects young objects all the time, and all objects after a growth by half and by 64 MiB."""

    def __init__(self) -> None:
        self._base = resident()

    async def run(self, me: Incarnation) -> None:
        """Collect until asked to stop."""
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
                    _promote_young()
                else:
                    gc.collect(_YOUNG)
            if resident() > max(self._base * GROWTH, self._base + LEAST):
                gc.collect()
                self._base = resident()
