"""Notices what holds the event loop, and logs the stack that did.

While one task computes nothing else runs: no health check, no acknowledgement, no keep-alive. A thread looks
at the loop's thread every `LIMIT` seconds. If it finds the same step of the same task twice in one turn, the
step has taken at least `LIMIT`; the stack is logged, once a minute for each place in the code. A step in C
that keeps the interpreter's lock is seen when it is over, by the length of the turn alone.
"""

import logging
import sys
import threading
import time
import traceback
from types import FrameType

import trio

from supervisors import Incarnation
from supervisors.instruments import raises_nothing

log = logging.getLogger("unifyport.watchdog")

LIMIT = 0.05  # seconds
LOG_SECONDS = 60.0
MOST_PLACES = 256  # that are remembered
_TRIO = "trio/_core/_run.py"
_FRAMES = 12  # of a stack, from its innermost


class Watchdog(trio.abc.Instrument):
    """Counts turns of the loop that take longer than `LIMIT`. Start it in the thread of the loop."""

    def __init__(self) -> None:
        self.held = 0  # turns longer than `LIMIT`
        self.held_seconds = 0.0  # of those turns
        self.longest = 0.0  # of all turns, in seconds
        self._turn_began: float | None = None  # None: the loop waits for work
        self._turn = 0
        self._ended = False
        self._logged: dict[str, float] = {}

    async def run(self, me: Incarnation) -> None:
        """Watch until asked to stop."""
        self._ended, self._turn_began = False, None
        watcher = threading.Thread(
            target=self._watch, args=(threading.get_ident(),), name="watchdog", daemon=True
        )
        trio.lowlevel.add_instrument(self)
        watcher.start()
        me.started()
        try:
            await me.stopping()
        finally:
            self._ended = True
            trio.lowlevel.remove_instrument(self)

    @raises_nothing
    def after_io_wait(self, timeout: float) -> None:
        """A turn begins."""
        self._turn += 1
        self._turn_began = time.perf_counter()

    @raises_nothing
    def before_io_wait(self, timeout: float) -> None:
        """A turn ends."""
        if self._turn_began is None:
            return
        took, self._turn_began = time.perf_counter() - self._turn_began, None
        if took > self.longest:
            self.longest = took
        if took > LIMIT:
            self.held += 1
            self.held_seconds += took

    def _watch(self, loop: int) -> None:
        seen: tuple[int, int] | None = None  # the turn, and the task that was found in it
        cpu, clock = 0.0, time.pthread_getcpuclockid(loop)
        while not self._ended:
            time.sleep(LIMIT)
            began, turn = self._turn_began, self._turn
            frames = None if began is None else _of_task(sys._current_frames().get(loop))
            if began is None or not frames:
                seen = None
                continue
            now = (turn, id(frames[0]))
            if now == seen:
                used = time.clock_gettime(clock) - cpu
                self._report(frames, time.perf_counter() - began, used)
            else:
                seen, cpu = now, time.clock_gettime(clock)

    def _report(self, frames: list[FrameType], seconds: float, cpu: float) -> None:
        """`cpu`: seconds of computing since it was first seen; with little of it the loop waits."""
        inner = frames[-1]
        place = f"{inner.f_code.co_filename}:{inner.f_code.co_name}"
        now = time.monotonic()
        if now - self._logged.get(place, -LOG_SECONDS) < LOG_SECONDS:
            return
        if len(self._logged) >= MOST_PLACES:
            self._logged.clear()
        self._logged[place] = now
        summary = traceback.StackSummary.extract(
            ((frame, frame.f_lineno) for frame in frames[-_FRAMES:]), lookup_lines=False
        )
        stack = " < ".join(f"{each.name} ({each.filename}:{each.lineno})" for each in reversed(summary))
        text = "the event loop is held for %.0f ms, at least %.0f ms of them computing, by %s"
        log.warning(text, seconds * 1000, cpu * 1000, stack)


def _of_task(frame: FrameType | None) -> list[FrameType]:
    """The frames of the task that runs, the outermost first; none if no task runs."""
    frames: list[FrameType] = []
    while frame is not None and not frame.f_code.co_filename.endswith(_TRIO):
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1] if frame is not None else []


__all__ = ["LIMIT", "Watchdog"]
