"""Probing: a child that has been silent for long is asked for a sign of life, and restarted when it gives
none.

Silence is not death, and a failed probe may say more of us than of the child. So a result is *void* when it
was ours to miss: the event loop lagged, the machine was suspended, or the child's reader waited for us
meanwhile. And when many fail together it is the network: then nobody is restarted, but for one canary now and
then, which shows when it is over.
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
LAG = 1.0  # seconds that the loop, or the wall clock, may be off before a probe's result is void
CROWD, CROWD_SHARE = 10, 0.2  # so many silent children, and more than this share of all, are the network
CANARY_EVERY = 10.0
SPREAD = 0.2  # share of the interval over which the probes of children are spread


class Probed(Protocol):
    """What is probed of a child, while it runs. Times are trio's clock."""

    def heard_at(self) -> float:
        """When the last sign of life came, whatever it was."""

    def held_up_since(self, at: float) -> bool:
        """Whether its reader waited for us at any time after `at`, so that silence was ours."""

    async def probe(self) -> None:
        """Ask for a sign of life: returns when it came, raises when it will not.

        Cancelled at its time-out.
        """


class Watch:
    """One running incarnation under observation. `failures` in a row; `held`: not restarted, as many fail."""

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
        """When it will have been silent for too long."""
        heard = max(self.quiet_from, self.probed.heard_at())
        return heard + self.probe.interval * (1 + self.spread)


class Prober:
    """Probes while `run` runs. One for each crowd whose connections fail together."""

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
        """Observe a child that has just come up, until `forget`.

        `judge(watch, restart)` is called when what is known of it has changed, and to have it restarted.
        """
        watch = Watch(child_id, probed, probe)
        self._watches[watch] = judge
        self._push(watch, watch.due())
        return watch

    def forget(self, watch: Watch) -> None:
        """Its incarnation ends. Later calls do nothing."""
        if not watch.over:
            watch.over = True
            del self._watches[watch]
            self.silent -= watch.failures > 0
        if watch.scope is not None:
            watch.scope.cancel()

    @property
    def network_suspected(self) -> bool:
        """Whether so many are silent that it is not them."""
        return self.silent >= CROWD and self.silent > CROWD_SHARE * len(self._watches)

    async def run(self) -> None:
        """Probe until cancelled. Nothing else leaves it."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_pace)
            while True:
                now = trio.current_time()
                while self._due and self._due[0][0] <= now and self._asking < MOST:
                    watch = heapq.heappop(self._due)[2]
                    if not watch.over:
                        self._turn(watch, now, nursery)
                busy = not self._due or self._asking >= MOST
                await self._wake.wait(float("inf") if busy else self._due[0][0])

    def _turn(self, watch: Watch, now: float, nursery: trio.Nursery) -> None:
        due = watch.due()
        if due > now:  # it was heard meanwhile
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
        """Whether the silence since `began` may have been ours to miss."""
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
        """Whether one may be restarted now: of a crowd one canary at a time."""
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
        """Notice a loop that lags, while somebody is being asked."""
        while True:
            while self._asking:
                self._expected = trio.current_time() + TICK
                await trio.sleep_until(self._expected)
                if trio.current_time() - self._expected > LAG:
                    self._lagged_at = trio.current_time()
            self._expected = float("inf")
            await self._pace_wake.wait()
