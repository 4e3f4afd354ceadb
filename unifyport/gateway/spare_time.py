"""Processor time that the process leaves unused: what may be spent on requests that can wait."""

import time
from collections.abc import Callable

SHARE = 0.6  # of one core; what is used above it is a debt
ENOUGH = 0.002  # seconds that a batch of requests may cost
MOST = 2 * ENOUGH  # seconds that are saved up
DEEPEST = 0.05  # seconds of debt that are remembered: one long computation delays nothing for longer


class SpareTime:
    """`SHARE` of the time that passes, less the processor time of all threads of the process.

    Work that waits for it leaves the rest of a core to work that does not wait. `used` and `clock` count
    seconds; neither follows the wall clock.
    """

    def __init__(
        self,
        *,
        used: Callable[[], float] = time.process_time,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._used, self._clock = used, clock
        self._last_used, self._last = used(), clock()
        self._left = MOST

    def wait(self) -> float:
        """Seconds until there may be enough; 0 if there is enough now."""
        used, now = self._used(), self._clock()
        gained = SHARE * (now - self._last) - (used - self._last_used)
        self._last_used, self._last = used, now
        self._left = min(MOST, max(-DEEPEST, self._left + gained))
        return max(0.0, (ENOUGH - self._left) / SHARE)
