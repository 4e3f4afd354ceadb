"""Probing: a child that has been silent for long is asked for a sign of life, and restarted if there is none.

Silence alone does not restart a child, and a failed probe may be our own fault. So a failure is *void* if the
event loop lagged, the machine was suspended, or the child's reader waited for our own code meanwhile. If many
children fail together the cause is probably the network: then only one child, the canary, is restarted from
time to time, until it shows that the network is back.
"""

import heapq
import itertools
import logging
import time
import zlib
from collections.abc import Callable
from typing import Protocol

import trio

from .outcomes import split
from .policy import Probe
from .wake import Wake

log = logging.getLogger("supervisors")

MOST = 200  # probes in flight
TICK = 0.25
LAG = 1.0  # seconds that the loop or the wall clock may be off before a probe's failure is void
CROWD, CROWD_SHARE = 10, 0.2  # at least this many silent, and more than this share of all: the network
CANARY_EVERY = 10.0  # seconds
SPREAD = 0.2  # share of the interval over which the probes of children are spread


class Probed(Protocol):
    """A running child that can be probed. Times are trio's clock."""

    def heard_at(self) -> float:
        """When the last sign of life of any kind came."""

    def held_up_since(self, at: float) -> bool:
        """Whether its reader waited for our own code at any time after `at`, so that it could not hear."""

    async def probe(self) -> None:
        """Ask for a sign of life. Returns when it came, raises if it will not come.

        Cancelled after the policy's `probe.timeout`.
        """


class Watch:
    """One running incarnation that is probed. `failures`: in a row; `held`: no restart, because many fail."""

    __slots__ = ("child_id", "failures", "held", "over", "probe", "probed", "quiet_from", "scope", "spread")

    def __init__(self, child_id: str, probed: Probed, probe: Probe) -> None:
        self.child_id = child_id
        self.probed = probed
        self.probe = probe
        self.failures = 0
        self.held = False
        self.over = False
        self.quiet_from = trio.current_time()
        self.spread = SPREAD * zlib.crc32(child_id.encode()) / 2**32
        self.scope: trio.CancelScope | None = None

    def due(self) -> float:
        """When the next probe is due, if no sign of life comes before."""
        heard = max(self.quiet_from, self.probed.heard_at())
        return heard + self.probe.interval * (1 + self.spread)


class Prober:
    """Probes while `run` runs. Use one for each group of children whose connections can fail together."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self.silent = 0  # children whose last probe failed
        self._wall = wall
        self._watches: dict[Watch, Callable[[Watch, bool], None]] = {}
        self._due: list[tuple[float, int, Watch]] = []
        self._numbers = itertools.count()
        self._asking = 0
        self._next_canary = 0.0
        self._lagged_at = -1.0
        self._expected = float("inf")  # when the pace's next tick is due
        self._wake, self._pace_wake = Wake(), Wake()

    def watch(
        self, child_id: str, probed: Probed, probe: Probe, judge: Callable[[Watch, bool], None]
    ) -> Watch:
        """Probe a child that has just come up, until `forget`.

        `judge(watch, restart)` is called when `failures` or `held` has changed; `restart`: restart it now.
        """
        watch = Watch(child_id, probed, probe)
        self._watches[watch] = judge
        self._push(watch, watch.due())
        return watch

    def forget(self, watch: Watch) -> None:
        """Stop probing: the incarnation ends. Later calls do nothing."""
        if not watch.over:
            watch.over = True
            del watch.probed  # `_due` holds the watch until its time has come
            del self._watches[watch]
            self.silent -= watch.failures > 0
        if watch.scope is not None:
            watch.scope.cancel()

    @property
    def network_suspected(self) -> bool:
        """Whether so many children are silent that the network is the probable cause."""
        return self.silent >= CROWD and self.silent > CROWD_SHARE * len(self._watches)

    async def run(self) -> None:
        """Probe until cancelled. Raises only `Cancelled`."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_pace)
            while True:
                now = trio.current_time()
                while self._due and self._due[0][0] <= now and self._asking < MOST:
                    watch = heapq.heappop(self._due)[2]
                    if not watch.over:
                        self._probe_or_wait(watch, now, nursery)
                busy = not self._due or self._asking >= MOST
                await self._wake.wait(float("inf") if busy else self._due[0][0])

    def _probe_or_wait(self, watch: Watch, now: float, nursery: trio.Nursery) -> None:
        due = watch.due()
        if due > now:  # a sign of life came meanwhile
            self._conclude(watch, alive=True)
            self._push(watch, due)
        elif watch.probed.held_up_since(now):
            self._push(watch, now + watch.probe.interval)
        else:
            self._asking += 1
            self._pace_wake.ring()
            nursery.start_soon(self._ask, watch)

    async def _ask(self, watch: Watch) -> None:
        began, wall, answered = trio.current_time(), self._wall(), False
        try:
            with trio.CancelScope(deadline=began + watch.probe.timeout) as watch.scope:
                await watch.probed.probe()
                answered = True
        except BaseException as caught:
            control, errors = split(caught)
            if control is not None:
                raise control from None
            log.debug("child %s: its probe failed: %s", watch.child_id, errors)
        finally:
            watch.scope = None
            self._asking -= 1
            self._wake.ring()
        if watch.over:
            return
        if answered or watch.probed.heard_at() > began:
            self._conclude(watch, alive=True)
        elif not self._was_ours(watch, began, wall):
            self._conclude(watch, alive=False)
        if not watch.over:
            self._push(watch, trio.current_time() + watch.probe.interval)

    def _was_ours(self, watch: Watch, began: float, wall: float) -> bool:
        """Whether the failure since `began` is void: a lag, a clock jump, or a reader that waited for us."""
        now = trio.current_time()
        lagged = self._lagged_at >= began or now - self._expected > LAG
        jumped = abs((self._wall() - wall) - (now - began)) > LAG
        return lagged or jumped or watch.probed.held_up_since(began)

    def _conclude(self, watch: Watch, *, alive: bool) -> None:
        before = (watch.failures, watch.held)
        if alive:
            self.silent -= watch.failures > 0
            watch.failures, watch.held = 0, False
        else:
            watch.failures += 1
            self.silent += watch.failures == 1
            watch.held = watch.failures >= watch.probe.failures and not self._may_restart()
        restart = not watch.held and watch.failures >= watch.probe.failures
        if (watch.failures, watch.held) != before:
            self._watches[watch](watch, restart)

    def _may_restart(self) -> bool:
        """Whether a child may be restarted now; if the network is suspected, one canary at a time."""
        if not self.network_suspected:
            return True
        now = trio.current_time()
        if now < self._next_canary:
            return False
        self._next_canary = now + CANARY_EVERY
        return True

    def _push(self, watch: Watch, at: float) -> None:
        heapq.heappush(self._due, (at, next(self._numbers), watch))
        if self._due[0][2] is watch:
            self._wake.ring()

    async def _keep_pace(self) -> None:
        """Detect a lagging event loop while probes are in flight."""
        while True:
            while self._asking:
                self._expected = trio.current_time() + TICK
                await trio.sleep_until(self._expected)
                if trio.current_time() - self._expected > LAG:
                    self._lagged_at = trio.current_time()
            self._expected = float("inf")
            await self._pace_wake.wait()
