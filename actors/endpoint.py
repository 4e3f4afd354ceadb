"""The actor of one webhook endpoint: it delivers owed events as lanes, breaker and rate limit allow.

It reads rows into a bounded window (`endpoint_rows.py`), attempts heads in a few tasks
(`endpoint_attempts.py`), and has outcomes recorded. Only the delivery rows decide what is owed: the actor can
be killed at any point and starts again from the lowest row. A task makes one attempt after another while a
head may start, so a busy endpoint spawns no tasks.
"""

from collections import Counter
from collections.abc import Callable

import attrs
import trio

from supervisors import Incarnation
from supervisors.company import FairShare
from supervisors.turnstile import turnstile
from supervisors.wake import Wake
from unifyport.delivery.client import NewClient
from unifyport.delivery.gate import Gate
from unifyport.delivery.health import Change
from unifyport.delivery.lanes import Window
from unifyport.delivery.slots import Slots
from unifyport.delivery.verdict import Attempt, Verdict, judge
from unifyport.fleet.doorbells import Bus
from unifyport.fleet.leases import Fleet, Lease
from unifyport.model.event import GatewayEventType
from unifyport.model.owed import Blocked, LaneKey, Owed
from unifyport.model.tally import Tally
from unifyport.model.webhook import (
    ENDPOINT_ACTIVE,
    ENDPOINT_DISABLED,
    WebhookDefaults,
    WebhookEndpoint,
)
from unifyport.net.sweeper import Sweeper
from unifyport.process.clock import Clock
from unifyport.storage.contract import EndpointHealth, Settled, Store, StoreUnavailable

from .endpoint_attempts import Attempts
from .endpoint_log import log_name, log_transition
from .endpoint_rows import PAGE, RowReader
from .recorder import Recorder
from .writer import Writer

POLL_SECONDS = 1.0
SHORTEST_WAIT = 0.01  # seconds; keeps the loop from spinning if clocks disagree
LAST_WORDS_SECONDS = 3.0
BEHIND_SECONDS = 0.05


@attrs.define
class DeliveryServices:
    """What all endpoint actors share. `draw`: a random number in [-1, 1], which spreads retries."""

    store: Store
    writer: Writer
    bus: Bus
    fleet: Fleet
    new_client: NewClient
    clock: Clock
    draw: Callable[[], float]
    defaults: WebhookDefaults = attrs.field(factory=WebhookDefaults)
    slots: Slots = attrs.field(factory=Slots)
    sweeper: Sweeper = attrs.field(factory=Sweeper)
    poll_seconds: float = POLL_SECONDS  # between two reads of an endpoint that no bell announces


@attrs.define
class _Flight:
    """One attempt. `extra`: an ordered attempt of a head that waits; `probe`: the probe of the breaker."""

    key: LaneKey
    row: Owed
    probe: bool = False
    extra: bool = False


class EndpointActor:
    """`endpoint` is replaced when the row changes; an attempt uses the URL, secret and policy of its time."""

    def __init__(self, endpoint: WebhookEndpoint, lease: Lease, services: DeliveryServices) -> None:
        self.endpoint = endpoint
        self.wake = Wake()
        self.verdicts: Counter[Verdict] = Counter()
        self.seconds = Tally()  # of attempts
        self._lease = lease
        self._services = services
        self._attempts: Attempts
        self._nursery: trio.Nursery
        self._reset()

    def _reset(self) -> None:
        self._adopt_policies()
        self._window = Window((), self._policy.ordering)
        self._gate = Gate(self._retries, self._policy, self.endpoint.failing_since)
        self._fair_share = FairShare()
        self._in_flight = 0
        self._void = True  # the window does not match the store and must be read anew
        self._steps = self._services.clock.steps  # that the window knows of
        self._rows = RowReader(self._services.store, self.endpoint.no)
        self._ordered = True  # there may be extra attempts to make
        self._orders_after = (0, 0)  # the last order that was read
        self._stopping = False
        self._rung_at: float | None = None  # when the bell rang for events that were not read since
        self._recorder = Recorder(
            self._services.writer,
            self._lease,
            self._services.clock.now_ms,
            endpoint=lambda: self.endpoint,
            on_durable=self._release,
            on_version=self._adopt_version,
        )

    def _adopt_policies(self) -> None:
        self._retries, self._policy = self.endpoint.policies(self._services.defaults)
        self._mask = self.endpoint.mask

    # -- state and messages ----------------------------------------------------------------------------------

    @property
    def known(self) -> tuple[int, int]:
        """Version and orders of the row that it has."""
        return self.endpoint.version, self.endpoint.orders

    @property
    def mask(self) -> int:
        """The kinds that the endpoint subscribes to (bits)."""
        return self._mask

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def waiting(self) -> int:
        """The number of owed events that the window knows of."""
        return self._window.known

    @property
    def breaker_open(self) -> bool:
        return self._gate.probing

    @property
    def congested(self) -> bool:
        return self._window.congested

    @property
    def last_error(self) -> str:
        """Why its last attempt failed, or that its host's name has no address; empty: neither."""
        return self._gate.last_error

    def note_name(self, *, resolves: bool) -> None:
        """It was looked up, without an attempt, whether the name of the endpoint's host has an address."""
        if self._gate.note_name(resolves=resolves):
            log_name(self.endpoint, resolves=resolves)

    def replace(self, endpoint: WebhookEndpoint) -> None:
        """Take over a changed row or changed defaults.

        An endpoint that was activated, or has another URL, is tried at once.
        """
        old, ordering = self.endpoint, self._policy.ordering
        self.endpoint = endpoint
        self._adopt_policies()
        self._gate.adopt(self._retries, self._policy)
        self._gate.forget_health(endpoint.failing_since)
        if old.url != endpoint.url or (endpoint.status == ENDPOINT_ACTIVE and old.status != ENDPOINT_ACTIVE):
            self._gate.open()
            self._gate.last_error = ""
        if old.debt != endpoint.debt or ordering is not self._policy.ordering:
            self._void = True
        self.wake.ring()

    def events_committed(self, kinds: int) -> None:
        """Events of these kinds (bits) were committed. Never blocks."""
        if self._mask & kinds:
            if self._rung_at is None:
                self._rung_at = trio.current_time()
            self.wake.ring()

    def behind(self, now: float) -> bool:
        """Whether an attempt that could start has waited for the loop for longer than `BEHIND_SECONDS`.

        An endpoint that cannot start one is not behind: its receiver is slow, fails or is down.
        """
        if self._rung_at is None or now - self._rung_at <= BEHIND_SECONDS:
            return False
        active = self.endpoint.status == ENDPOINT_ACTIVE
        return active and not self._full and self._gate.opens_at(now) <= now

    def order(self, orders: int) -> None:
        """Replays or extra attempts were ordered."""
        self.endpoint = attrs.evolve(self.endpoint, orders=orders)
        self._ordered, self._rows.replaying, self._orders_after = True, True, (0, 0)
        self.wake.ring()

    # -- the loop --------------------------------------------------------------------------------------------

    async def run(self, incarnation: Incarnation) -> None:
        """Deliver until asked to stop; attempts in flight then finish and are recorded."""
        last_error = self._gate.last_error
        self._reset()
        self._gate.last_error = last_error
        self._attempts = Attempts(self._services.new_client(), self._services.clock)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._wake_on_stop, incarnation)
                nursery.start_soon(self._recorder.run)
                incarnation.started()
                while not incarnation.stop_requested:
                    await self._turn()
                self._stopping = True
                while self._in_flight:
                    await self.wake.wait()
                with trio.move_on_after(LAST_WORDS_SECONDS):  # a broken writer may be the cause of the stop
                    await self._recorder.flush()
                nursery.cancel_scope.cancel()
        finally:
            self._attempts.close()
            self._recorder.detach()
            del self._nursery  # it holds the task, and with the recorder's calls this actor: no cycle stays

    async def _wake_on_stop(self, incarnation: Incarnation) -> None:
        await incarnation.stopping()
        self._stopping = self._recorder.ending = True
        self.wake.ring()

    async def _turn(self) -> None:
        if self._services.poll_seconds > POLL_SECONDS:  # many endpoints may wake up at once
            await turnstile().enter()
        more, rung_at, self._rung_at = False, self._rung_at, None
        if self._steps != self._services.clock.steps:  # the times of retries are of the wall clock
            self._void = True
            self._gate.open()  # what a receiver refused was perhaps our clock
        try:
            if self._void and not await self._renew_window():
                await self.wake.wait()
                return
            if self._ordered:
                await self._carry_out_orders()
            if self.endpoint.status == ENDPOINT_ACTIVE:
                more = await self._rows.read(self._window, self._services.clock.now_ms())
        except StoreUnavailable:
            await trio.sleep(POLL_SECONDS)
        self._start()
        if more:
            self._rung_at = rung_at or self._rung_at
        else:
            await self.wake.wait(trio.current_time() + self._compute_wait())

    async def _renew_window(self) -> bool:
        """Read the debt from its beginning; False while attempts of the old window are in flight."""
        if self._in_flight:
            return False
        await self._recorder.flush()
        # Cleared before the query: a change during the query sets it again.
        self._void, ordering = False, self._policy.ordering
        self._steps = self._services.clock.steps
        try:
            blocked = await self._services.store.blocked(self.endpoint.no)
            await self._recall_last_error()
        except BaseException:
            self._void = True
            raise
        self._window = Window(self._clamp(blocked), ordering)
        self._rows.replaying, self._ordered, self._orders_after = True, True, (0, 0)
        return True

    async def _recall_last_error(self) -> None:
        """After a start: what an endpoint that is failing, or disabled for that, failed with before."""
        endpoint = self.endpoint
        failing = endpoint.failing_since is not None or endpoint.status == ENDPOINT_DISABLED
        if failing and not self._gate.last_error:
            self._gate.last_error = await self._services.store.delivery_error(endpoint.no) or ""

    def _clamp(self, blocked: list[Blocked]) -> list[Blocked]:
        """`blocked` with no retry later than its rule can give from now: the clock may have been set back."""
        now = self._services.clock.now_ms()
        for each in blocked:
            longest = self._retries.delay(max(1, each.attempts), 1.0)
            each.due = min(each.due, now + round(longest * 1000))
        return blocked

    async def _carry_out_orders(self) -> None:
        """Start a page of ordered extra attempts, whatever the endpoint's status, breaker or rate limit."""
        self._ordered = False  # before the query: an order during the query sets it again
        try:
            rows = await self._services.store.ordered(self.endpoint.no, self._orders_after, PAGE)
        except BaseException:
            self._ordered = True
            raise
        for row in rows:
            if self._full or not self._services.slots.take(self.wake):
                self._ordered = True
                return
            self._orders_after = (row.seq, row.round)
            key = self._window.take_waiting(row)
            if key is None:
                self._services.slots.give()
                continue
            self._in_flight += 1
            self._nursery.start_soon(self._work, _Flight(key, row, extra=True))
        self._ordered |= len(rows) == PAGE

    def _compute_wait(self) -> float:
        """Seconds until there may be work that no bell announces."""
        poll = self._services.poll_seconds
        if poll > POLL_SECONDS:  # of many endpoints: not all in the same moment
            poll *= 1 + 0.5 * self._services.draw()
        if self.endpoint.status != ENDPOINT_ACTIVE or self._full:
            return poll
        now = trio.current_time()
        wait = min(poll, (self._window.next_due() - self._services.clock.now_ms()) / 1000)
        if self._window.next_group() is not None:
            opens_at = self._gate.opens_at(now)
            wait = min(wait, opens_at - now) if opens_at > now else wait
        return max(wait, SHORTEST_WAIT)

    # -- attempts --------------------------------------------------------------------------------------------

    @property
    def _full(self) -> bool:
        return self._in_flight >= self._policy.max_in_flight

    def _start(self) -> None:
        while (flight := self._take_next(trio.current_time())) is not None:
            self._nursery.start_soon(self._work, flight)

    def _take_next(self, now: float) -> _Flight | None:
        """The next attempt that may start now; it counts as in flight from here on."""
        if self._stopping or self._void or self._full or self.endpoint.status != ENDPOINT_ACTIVE:
            return None
        if self._recorder.full or self._services.writer.unavailable is not None:
            return None  # the outcome could not be recorded soon, so after a crash it would be sent again
        if self._gate.opens_at(now) > now:
            return None
        if self._window.next_group() is None or not self._services.slots.take(self.wake):
            return None
        head = self._window.oldest_head() if self._gate.probing else self._take_head(now)
        if head is None:
            self._services.slots.give()
            return None
        self._in_flight += 1
        return _Flight(*head, probe=self._gate.started(now))

    def _take_head(self, now: float) -> tuple[LaneKey, Owed] | None:
        """Fair share: an account gets more than half of the places only while no other account is active."""
        slots = self._policy.max_in_flight
        alone = not self._fair_share.is_shared(self._window.next_group(), now)
        return self._window.next_head(slots if alone else max(1, slots // 2))

    async def _work(self, flight: _Flight | None) -> None:
        """Make one attempt after another, while one may start."""
        while flight is not None:
            try:
                attempt, delivery_id = await self._attempts.make(self.endpoint, self._policy, flight.row)
            finally:
                self._in_flight -= 1
                awaited = self._services.slots.give()
            now = trio.current_time()
            self._conclude(flight, attempt, delivery_id, now)
            flight = None if awaited else self._take_next(now)
            if awaited or self._has_to_turn:
                self.wake.ring()

    @property
    def _has_to_turn(self) -> bool:
        """Whether there is work for the loop: to read, to wait for the gate, to renew the window, to end."""
        window = self._window
        waits = self._rows.unread or self._ordered or window.hungry or window.next_group() is not None
        return waits or self._stopping or self._void

    def _conclude(self, flight: _Flight, attempt: Attempt, delivery_id: str, now: float) -> None:
        """Record the outcome of an attempt, in the window and for the store.

        Synchronous, so that a cancellation cannot happen between the two.
        """
        clock = self._services.clock
        row, verdict = flight.row, judge(attempt, clock_in_doubt=clock.in_doubt)
        self.verdicts[verdict] += 1
        self.seconds.observe(attempt.ms / 1000)
        was_open = self._gate.probing
        counted, change = self._gate.learn(
            verdict, attempt, row.seq, probe=flight.probe, now=now, steady_ms=clock.steady_ms()
        )
        if self._gate.probing is not was_open:
            self._log("breaker open" if self._gate.probing else "breaker closed", attempt)
        if change is not None:
            self._report_health(change, attempt)
        outcome = self._recorder.make_outcome(
            row, attempt, verdict, delivery_id=delivery_id, now_ms=clock.now_ms()
        )
        if flight.extra:
            self._conclude_extra(flight, verdict, outcome)
        elif not counted:
            self._window.uncounted(flight.key)
            if verdict is not Verdict.NOT_TRIED:
                self._recorder.add(outcome)
        else:
            outcome.attempts += 1
            self._settle(flight.key, verdict, outcome)

    def _settle(self, key: LaneKey, verdict: Verdict, outcome: Settled) -> None:
        if verdict is Verdict.DELIVERED:
            outcome.becomes = "delivered"
            self._window.delivered(key)
            self._recorder.add(outcome)
        elif verdict is Verdict.EXPIRED:
            outcome.becomes = "expired"
            self._window.dead(key)
            self._recorder.add(outcome, hold=key)
        elif verdict is Verdict.DEAD or outcome.attempts > self._retries.max_attempts:
            outcome.becomes = "dead"
            self._window.dead(key)
            self._recorder.add(outcome, hold=key)
        else:
            outcome.becomes = "retry"
            delay = self._retries.delay(outcome.attempts, self._services.draw())
            outcome.due = outcome.at + round(delay * 1000)
            self._window.retry(key, outcome.due)
            self._recorder.add(outcome, hold=key)

    def _conclude_extra(self, flight: _Flight, verdict: Verdict, outcome: Settled) -> None:
        """An extra attempt ends the debt if it succeeds, and changes nothing if it fails."""
        if verdict is Verdict.DELIVERED:
            outcome.becomes = "delivered"
            outcome.attempts += 1
            self._window.extra_delivered(flight.key, flight.row)
        else:
            self._window.extra_failed(flight.key)
        self._recorder.add(outcome)

    # -- health ----------------------------------------------------------------------------------------------

    def _report_health(self, change: Change, attempt: Attempt) -> None:
        """Write a change of health to the endpoint's row and to the log."""
        since, disabled = self._gate.failing_since, None
        if change is Change.DISABLED:
            if self.endpoint.status == ENDPOINT_DISABLED:
                return
            disabled = "gone" if judge(attempt) is Verdict.GONE else "failing"
            self.endpoint = attrs.evolve(self.endpoint, status=ENDPOINT_DISABLED, reason=disabled)
        self.endpoint = attrs.evolve(self.endpoint, failing_since=since)
        self._log(f"disabled ({disabled})" if disabled else change.value, attempt)
        reason = attempt.reason if change is Change.FAILING else None
        self._recorder.add_health(EndpointHealth(since, [_EVENTS[change]], disabled, reason))

    def _log(self, what: str, attempt: Attempt) -> None:
        now = trio.current_time()
        log_transition(self.endpoint, what, attempt, self._gate.opens_at(now) - now)

    def _adopt_version(self, version: int) -> None:
        """The change of health is written, and the row has a new version."""
        self.endpoint = attrs.evolve(self.endpoint, version=version)

    def _release(self, keys: list[LaneKey]) -> None:
        """Outcomes are durable: these lanes go on."""
        if keys:
            self._window.durable(keys)
        held_back = self._window.next_group() is not None  # the recorder may have been full
        if keys or held_back:
            self.wake.ring()


_EVENTS = {
    Change.FAILING: GatewayEventType.ENDPOINT_FAILING,
    Change.RECOVERED: GatewayEventType.ENDPOINT_RECOVERED,
    Change.DISABLED: GatewayEventType.ENDPOINT_DISABLED,
}
