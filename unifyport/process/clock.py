"""The clocks of the gateway: the wall clock, a steady clock, and whether the wall clock is in doubt.

The wall clock may be wrong, and is then put right in one step: a machine boots in 2000, a virtual machine is
resumed from an old snapshot. The *steady clock* is in unix ms as well, but no step moves it: it goes on from
what the database remembers, with the machine's monotonic clock. Ages (retention, deduplication, idempotency
keys, links) are differences of the steady clock; what others compare with their own clocks (signatures, times
of events) is of the wall clock.

    observation                                         steady clock                      doubt
    the wall clock moves against the monotonic clock    goes on                           begins
    at start: behind what the database remembers        goes on                           begins
    at start: more than a year ahead                    goes on                           begins
    at start: up to an hour ahead                       counts it: the process was down   as before
    at start: more than that                            counts it an hour later, less     as before
                                                        what is put right until then

While the clock is in doubt nothing is purged, nothing is stale, and a receiver that refuses our signature is
at fault itself. Doubt ends after an hour without a step, or when the operator accepts the clock; it lasts as
long as the wall clock is before this program was written. A restart does not shorten it.

Linux: CLOCK_BOOTTIME goes on while a machine is suspended, so a suspension is no step.
"""

import logging
import threading
import time
from collections.abc import Callable

import attrs
import msgspec

from unifyport.model.duration import format_duration

log = logging.getLogger("unifyport.clock")

STEP_MS = 30_000  # less is ordinary: a leap second, an hourly synchronisation
AGREEMENT_MS = 3_600_000
UNPROVEN_STOP_MS = 3_600_000
LONGEST_STOP_MS = 366 * 86_400_000
EARLIEST_MS = 1_735_689_600_000  # 2025-01-01
_CLOCK_ID = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


def elapsed_ms() -> int:
    """The machine's monotonic clock, in ms; its origin has no meaning."""
    return time.clock_gettime_ns(_CLOCK_ID) // 1_000_000


@attrs.frozen
class Moment:
    """One moment by both clocks, unix ms."""

    wall: int
    steady: int


class Remembered(msgspec.Struct):
    """What the database remembers of the clock. `left`: ms until doubt ends; None: there is none.

    `pending`: ms of a stop that the steady clock has not counted yet.
    """

    wall: int
    steady: int
    left: int | None = None
    why: str = ""
    pending: int = 0


class Clock:
    """`wall` in unix ms; `elapsed` in ms, steady. Every method may be called in any thread."""

    def __init__(
        self, wall: Callable[[], int] = wall_clock_ms, elapsed: Callable[[], int] = elapsed_ms
    ) -> None:
        self.steps = 0  # so far; what has read times that were stored reads them again after one
        self._wall = wall
        self._elapsed = elapsed
        self._lock = threading.Lock()
        now = elapsed()
        self._base = self._steady_base = wall() - now
        self._why = ""
        self._ends_at: int | None = None  # of `elapsed`: when doubt ends
        self._pending, self._pending_at = 0, 0

    @classmethod
    def without_steps(cls, wall: Callable[[], int]) -> "Clock":
        """A clock that is never wrong, for tests that play the time."""
        return cls(wall, wall)

    def now_ms(self) -> int:
        """The wall clock, unix ms."""
        wall = self._wall()
        if abs(wall - self._elapsed() - self._base) > STEP_MS:
            self._note_step()
        return wall

    def steady_ms(self) -> int:
        """The steady clock, unix ms."""
        return self._elapsed() + self._steady_base

    def moment(self) -> Moment:
        return Moment(self.now_ms(), self.steady_ms())

    def wall_of(self, steady: int) -> int:
        """What the wall clock, as it is set now, shows for a time of the steady clock."""
        return steady + self._base - self._steady_base

    def has_passed(self, wall: int) -> bool:
        """Whether a time of the wall clock (unix ms) is over; while the clock is in doubt, none is."""
        return wall <= self.now_ms() and not self.in_doubt

    @property
    def in_doubt(self) -> bool:
        self.now_ms()
        return self._ends_at is not None

    @property
    def doubt(self) -> str | None:
        """Why the clock is in doubt, for the operator; None if it is not."""
        return self._why if self.in_doubt else None

    # -- doubt ----------------------------------------------------------------------------------------------

    def _note_step(self) -> None:
        with self._lock:
            moved = self._wall() - self._elapsed() - self._base
            if abs(moved) <= STEP_MS:
                return  # another thread has noted it
            self._base += moved
            self.steps += 1
            if self._pending:
                pending = self._pending + moved
                self._pending = pending if STEP_MS < pending <= LONGEST_STOP_MS else 0
            self._begin_doubt(f"the clock was set {_span(moved)}")

    def _begin_doubt(self, why: str) -> None:
        self._why, self._ends_at = why, self._elapsed() + AGREEMENT_MS
        log.warning(
            "%s: nothing is purged or called stale until it has been right for %s, or `unifyport clock"
            " accept`",
            why,
            format_duration(AGREEMENT_MS / 1000),
        )

    def accept(self) -> None:
        """The operator says that the clock is right."""
        with self._lock:
            self._count_stop()
            self._end_doubt("accepted by the operator")

    def check(self) -> None:
        """Note steps, and end doubt and count a stop when their time has come. To be called now and then."""
        wall = self.now_ms()
        with self._lock:
            now = self._elapsed()
            self._base = wall - now if abs(wall - now - self._base) <= STEP_MS else self._base
            if self._pending and now >= self._pending_at:
                self._count_stop()
            if self._ends_at is not None and now >= self._ends_at and wall >= EARLIEST_MS:
                self._end_doubt("no step for an hour")

    def _end_doubt(self, why: str) -> None:
        if self._ends_at is not None:
            self._why, self._ends_at = "", None
            log.warning("the clock is no longer in doubt: %s", why)

    def _count_stop(self) -> None:
        self._steady_base += self._pending
        self._pending = 0

    # -- the database ---------------------------------------------------------------------------------------

    def remember(self) -> Remembered:
        """What to store, so that the next process goes on from here."""
        with self._lock:
            now = self._elapsed()
            left = None if self._ends_at is None else max(0, self._ends_at - now)
            return Remembered(now + self._base, now + self._steady_base, left, self._why, self._pending)

    def resume(self, before: Remembered | None) -> None:
        """Go on from what the process before this one has stored. Call it once, at start."""
        with self._lock:
            if before is not None:
                self._resume(before)
            if self._wall() < EARLIEST_MS and self._ends_at is None:
                self._begin_doubt("the clock shows a time before this program was written")

    def _resume(self, before: Remembered) -> None:
        now = self._elapsed()
        gap = self._wall() - before.wall
        self._pending, self._pending_at = before.pending, now + AGREEMENT_MS
        if 0 <= gap <= UNPROVEN_STOP_MS:
            self._steady_base = before.steady + gap - now
        else:
            self._steady_base = before.steady - now
        if before.left is not None:
            self._why, self._ends_at = before.why, now + before.left
        if gap < -STEP_MS or gap > LONGEST_STOP_MS:
            self._begin_doubt(f"the clock is {_span(gap)} of what the database remembers")
        elif gap > UNPROVEN_STOP_MS:
            self._pending += gap


def _span(ms: int) -> str:
    """A difference in words, to the minute where it is longer than that."""
    seconds = abs(ms) / 1000
    shown = round(seconds) if seconds < 3600 else round(seconds / 60) * 60
    return f"{format_duration(shown)} {'ahead' if ms > 0 else 'back'}"
