"""The actor of one webhook endpoint: what it is owed goes out, as lanes, breaker and pace allow.

It reads into a bounded window, works off heads in a few tasks, and has outcomes recorded. The delivery rows are the
only truth about debt: the actor can be killed at any point and begins again from the lowest row. Attempts run one
after another in the same task while there is something to start, so that a busy endpoint spawns nothing.
"""

import logging
from collections import Counter
from collections.abc import Callable

import attrs
import trio

from supervisors import Incarnation
from supervisors.wake import Wake
from unifyport.delivery.breaker import Breaker
from unifyport.delivery.client import DeliveryClient, NewClient
from unifyport.delivery.health import Change, Health
from unifyport.delivery.lanes import ROWS_PER_LANE, LaneKey, Window
from unifyport.delivery.pace import Pace
from unifyport.delivery.signing import Signer
from unifyport.delivery.sweeper import Sweeper
from unifyport.delivery.verdict import EXPIRED, INTERNAL_ERROR, Attempt, Verdict, judge
from unifyport.model.event import GatewayEventType, in_form
from unifyport.model.owed import Owed
from unifyport.model.tally import Tally
from unifyport.model.webhook import (
    ENDPOINT_ACTIVE,
    ENDPOINT_DISABLED,
    Ordering,
    WebhookDefaults,
    WebhookEndpoint,
)
from unifyport.storage.base import EndpointHealth, Settled, Store, StoreUnavailable
from unifyport.storage.bus import Bus
from unifyport.storage.fleet import Fleet, Lease

from .company import Company
from .recorder import Recorder
from .writer import Writer

log = logging.getLogger("unifyport.delivery")

EVENTS_TOPIC = "events"

PAGE = 100
REFILLS = 4  # lanes that are read again in one turn: what is fresh shall not wait for all of them
POLL_SECONDS = 1.0
SHORTEST_WAIT = 0.01  # whatever the clocks say, nothing spins
LOCAL_TROUBLE_SECONDS = 1.0
LAST_WORDS_SECONDS = 3.0


class InFlight:
    """How many attempts a process has under way, over all endpoints: each takes a connection."""

    def __init__(self, limit: int = 1024) -> None:
        self._free = limit
        self._waiting: dict[Wake, None] = {}

    def take(self, wake: Wake) -> bool:
        """False when there is no room: then `wake` is rung when there is."""
        if not self._free:
            self._waiting[wake] = None
            return False
        self._free -= 1
        return True

    def give(self) -> None:
        self._free += 1
        if self._waiting:
            wake = next(iter(self._waiting))
            del self._waiting[wake]
            wake.ring()


@attrs.define
class DeliveryServices:
    """`draw` spreads retries: uniform in [-1, 1]."""

    store: Store
    writer: Writer
    bus: Bus
    fleet: Fleet
    new_client: NewClient
    now_ms: Callable[[], int]
    draw: Callable[[], float]
    defaults: WebhookDefaults = attrs.field(factory=WebhookDefaults)
    in_flight: InFlight = attrs.field(factory=InFlight)
    sweeper: Sweeper = attrs.field(factory=Sweeper)


@attrs.define
class _Flight:
    """One attempt. `extra`: it was ordered, of a head that waits for its retry; `probe`: the breaker's."""

    key: LaneKey
    row: Owed
    probe: bool = False
    extra: bool = False


class EndpointActor:
    """`endpoint` is replaced when the row changes: URL, secret and policy are those at the time of the attempt."""

    def __init__(self, endpoint: WebhookEndpoint, lease: Lease, services: DeliveryServices) -> None:
        self.endpoint = endpoint
        self.wake = Wake()
        self.verdicts: Counter[Verdict] = Counter()
        self.seconds = Tally()  # of attempts
        self._lease = lease
        self._services = services
        self._client: DeliveryClient
        self._nursery: trio.Nursery
        self._reset()

    def _reset(self) -> None:
        self._adopt_policies()
        self._window = Window((), self._policy.ordering)
        self._breaker = Breaker(self._breaker_policy)
        self._health = Health(self.endpoint.failing_since)
        self._company = Company()
        self._in_flight = 0
        self._not_before = float(
            "-inf"
        )  # trio's clock; attempts are held back until then by troubles of our own
        self._void = True  # the window is not what the store says
        self._ordered = True  # there may be extra attempts to make
        self._replaying = True  # there may be replays that were not read
        self._stopping = False
        self._recorder = Recorder(
            self._services.writer,
            self._lease,
            self._services.now_ms,
            lambda: self.endpoint,
            self._durable,
            self._took,
        )

    def _adopt_policies(self) -> None:
        self._retries, self._policy = self.endpoint.policies(self._services.defaults)
        self._breaker_policy = self._policy.breaker if self._retries.max_attempts else None
        self._pace = Pace(self._policy.rate_limit)
        self._signer: Signer | None = None
        self._signer_until: int | None = None

    # -- what others see and say --------------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def waiting(self) -> int:
        """Owed events that the window knows of."""
        return self._window.known

    @property
    def breaker_open(self) -> bool:
        return self._breaker.is_open

    @property
    def congested(self) -> bool:
        return self._window.congested

    def replace(self, endpoint: WebhookEndpoint) -> None:
        """Take over a changed row, or changed defaults. An endpoint that was activated again, or moved, is tried at
        once."""
        old, ordering = self.endpoint, self._policy.ordering
        self.endpoint = endpoint
        self._adopt_policies()
        self._breaker.policy = self._breaker_policy
        activated = endpoint.status == ENDPOINT_ACTIVE and old.status != ENDPOINT_ACTIVE
        if activated or old.url != endpoint.url or self._breaker_policy is None:
            self._breaker = Breaker(self._breaker_policy)
        if (old.failing_since is None) != (endpoint.failing_since is None):
            self._health = Health(endpoint.failing_since)
        if old.debt != endpoint.debt or ordering is not self._policy.ordering:
            self._void = True
        self.wake.ring()

    def order(self, orders: int) -> None:
        """Replays or extra attempts were ordered."""
        self.endpoint = attrs.evolve(self.endpoint, orders=orders)
        self._ordered = True
        self.wake.ring()

    # -- the loop -----------------------------------------------------------------------------------------------

    async def run(self, incarnation: Incarnation) -> None:
        """Deliver until asked to stop; attempts in flight then finish and are recorded."""
        self._reset()
        self._client = self._services.new_client()
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._listen)
                nursery.start_soon(self._wake_on_stop, incarnation)
                nursery.start_soon(self._recorder.run)
                incarnation.started()
                while not incarnation.stop_requested:
                    await self._turn()
                self._stopping = True
                while self._in_flight:
                    await self.wake.wait()
                with trio.move_on_after(LAST_WORDS_SECONDS):  # the writer may be what we are stopped for
                    await self._recorder.flush()
                nursery.cancel_scope.cancel()
        finally:
            self._client.close()

    async def _listen(self) -> None:
        seen = self._services.bus.count(EVENTS_TOPIC)
        while True:
            seen = await self._services.bus.wait(EVENTS_TOPIC, seen, POLL_SECONDS)
            self.wake.ring()

    async def _wake_on_stop(self, incarnation: Incarnation) -> None:
        await incarnation.stopping()
        self._stopping = True
        self.wake.ring()

    async def _turn(self) -> None:
        more = False
        try:
            if self._void and not await self._begin_anew():
                await self.wake.wait()
                return
            if self._ordered:
                await self._carry_out_orders()
            more = await self._read()
        except StoreUnavailable:
            await trio.sleep(POLL_SECONDS)
        self._start()
        if not more:
            await self.wake.wait(trio.current_time() + self._idle_for())

    async def _begin_anew(self) -> bool:
        """Read the debt from its beginning; False while attempts of the old window are in flight."""
        if self._in_flight:
            return False
        await self._recorder.flush()
        blocked = await self._services.store.blocked(self.endpoint.no)
        self._window = Window(blocked, self._policy.ordering)
        self._void = False
        return True

    # -- reading ------------------------------------------------------------------------------------------------

    async def _read(self) -> bool:
        """Fill the window; True when there is more to read at once."""
        if self.endpoint.status != ENDPOINT_ACTIVE:
            return False
        window, store, no = self._window, self._services.store, self.endpoint.no
        fresh = False
        if (limit := min(PAGE, window.room)) > 0:
            rows = await store.fresh(no, window.pos, limit)
            window.add_fresh(rows)
            fresh = len(rows) == limit
        if self._replaying and (limit := min(PAGE, window.room_for_replays)) > 0:
            rows = await store.replays(no, window.replay_pos, limit)
            window.add_replays(rows)
            self._replaying = len(rows) == limit
        window.wake(self._services.now_ms())
        for _ in range(REFILLS):
            if (hungry := window.next_hungry()) is None:
                break
            await self._refill(*hungry)
        return bool(fresh or (self._replaying and window.room_for_replays) or window.starving)

    async def _refill(self, key: LaneKey, after: int, upto: int) -> None:
        window, store, no = self._window, self._services.store, self.endpoint.no
        try:
            if window.ordering is Ordering.NONE:
                row = await store.owed_one(no, *key)
                rows, limit = ([] if row is None else [row]), 2
            else:
                rows, limit = await store.in_lane(no, *key, after, upto, ROWS_PER_LANE), ROWS_PER_LANE
        except BaseException:
            window.still_hungry(key)
            raise
        window.refill(key, rows, limit)

    async def _carry_out_orders(self) -> None:
        """Replays are there to be read; extra attempts are made whatever the endpoint's status, breaker or pace."""
        self._ordered, self._replaying = False, True
        for row in await self._services.store.ordered(self.endpoint.no, PAGE):
            if self._in_flight >= self._policy.max_in_flight or not self._services.in_flight.take(self.wake):
                self._ordered = True
                return
            key = self._window.take_waiting(row)
            if key is None:
                self._services.in_flight.give()
                continue
            self._in_flight += 1
            self._nursery.start_soon(self._work, _Flight(key, row, extra=True))

    def _idle_for(self) -> float:
        """Seconds until there is something to do that no bell tells of."""
        if self.endpoint.status != ENDPOINT_ACTIVE or self._full:
            return POLL_SECONDS
        now = trio.current_time()
        wait = min(POLL_SECONDS, (self._window.next_due() - self._services.now_ms()) / 1000)
        if self._window.next_group() is not None:
            opens_at = max(self._breaker.opens_at(), self._pace.opens_at(now), self._not_before)
            wait = min(wait, opens_at - now) if opens_at > now else wait
        return max(wait, SHORTEST_WAIT)

    # -- attempts -----------------------------------------------------------------------------------------------

    @property
    def _full(self) -> bool:
        return self._in_flight >= self._policy.max_in_flight

    def _start(self) -> None:
        while (flight := self._next()) is not None:
            self._nursery.start_soon(self._work, flight)

    def _next(self) -> _Flight | None:
        """What may be attempted now; it counts as in flight from here on."""
        if self._stopping or self._void or self._full or self.endpoint.status != ENDPOINT_ACTIVE:
            return None
        now = trio.current_time()
        if not self._breaker.may_start(now) or now < self._not_before or self._pace.opens_at(now) > now:
            return None
        if self._window.next_group() is None or not self._services.in_flight.take(self.wake):
            return None
        head = self._window.oldest_head() if self._breaker.is_open else self._next_head()
        if head is None:
            self._services.in_flight.give()
            return None
        self._pace.started(now)
        self._in_flight += 1
        return _Flight(*head, probe=self._breaker.started())

    def _next_head(self) -> tuple[LaneKey, Owed] | None:
        """An account that is not the only one gets half of the slots at most."""
        slots = self._policy.max_in_flight
        alone = not self._company.of(self._window.next_group())
        return self._window.next_head(slots if alone else max(1, slots // 2))

    async def _work(self, flight: _Flight | None) -> None:
        """One attempt after another, as long as there is one to start."""
        while flight is not None:
            try:
                attempt, delivery_id = await self._attempt(flight.row)
            finally:
                self._in_flight -= 1
                self._services.in_flight.give()
            self._conclude(flight, attempt, delivery_id)
            flight = self._next()
        self.wake.ring()

    async def _attempt(self, row: Owed) -> tuple[Attempt, str]:
        endpoint, now = self.endpoint, self._services.now_ms()
        delivery_id = f"dlv_{endpoint.no}_{row.seq}_{row.round}.{row.attempts + 1}"
        if row.expires_at is not None and now >= row.expires_at:
            await trio.lowlevel.checkpoint()
            return Attempt(error=EXPIRED), delivery_id
        try:
            body = in_form(row.body, self._policy.body)
            fields = self._signer_at(now)(row.event_id, delivery_id, now, body, replay=row.round > 0)
            return await self._client.post(endpoint.url, fields, body, self._policy.timeout), delivery_id
        except Exception:
            log.exception("endpoint %s: an attempt crashed", endpoint.id)
            await trio.lowlevel.checkpoint()
            return Attempt(error=INTERNAL_ERROR), delivery_id

    def _signer_at(self, now: int) -> Signer:
        """With the secrets that hold now: the old one of a rotation has an end."""
        if self._signer is None or (self._signer_until is not None and now >= self._signer_until):
            secrets = self.endpoint.secrets(now)
            self._signer = Signer(secrets, self._policy.signatures)
            self._signer_until = self.endpoint.previous_until if len(secrets) > 1 else None
        return self._signer

    def _conclude(self, flight: _Flight, attempt: Attempt, delivery_id: str) -> None:
        """Record what an attempt came to. Synchronous: a cancel cannot separate the window from the record."""
        row, verdict = flight.row, judge(attempt)
        self.verdicts[verdict] += 1
        self.seconds.observe(attempt.ms / 1000)
        _log_attempt(self.endpoint.id, row, attempt, verdict, delivery_id)
        counted = self._learn(flight, attempt, verdict)
        outcome = Settled(
            *(
                row.seq,
                row.round,
                "kept",
                row.attempts,
                self._services.now_ms(),
                attempt.ms,
                None,
                attempt.reason,
            ),
            *(attempt.status, attempt.response, attempt.response_size),
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
        """An attempt outside the count ends the debt when it succeeds, and changes nothing when it does not."""
        if verdict is Verdict.DELIVERED:
            outcome.becomes = "delivered"
            outcome.attempts += 1
            self._window.extra_delivered(flight.key, flight.row)
        else:
            self._window.extra_failed(flight.key)
        self._recorder.add(outcome)

    def _learn(self, flight: _Flight, attempt: Attempt, verdict: Verdict) -> bool:
        """What an attempt says about the endpoint; whether it counts against the event."""
        if verdict is Verdict.ENDPOINT_FAILED:
            now = trio.current_time()
            counted = self._breaker.failed(flight.row.seq, now, attempt.retry_after, probe=flight.probe)
            change = self._health.failed(self._services.now_ms(), self._policy.disable_after)
            if change is not None:
                self._tell(change, attempt.reason)
            return counted
        if verdict in (Verdict.DELIVERED, Verdict.DEAD):  # it answers
            self._breaker.succeeded()
            change = self._health.succeeded()
            if change is not None:
                self._tell(change, None)
            return True
        self._breaker.abandoned(probe=flight.probe)
        if verdict is Verdict.GONE:
            self._tell(Change.DISABLED, "gone")
        elif verdict is Verdict.NOT_TRIED:
            self._not_before = trio.current_time() + LOCAL_TROUBLE_SECONDS
        return verdict not in (Verdict.GONE, Verdict.NOT_TRIED)

    # -- health -------------------------------------------------------------------------------------------------

    def _tell(self, change: Change, reason: str | None) -> None:
        """Show a change of health in the endpoint's row and in the log."""
        disabled = None
        if change is Change.DISABLED:
            if self.endpoint.status == ENDPOINT_DISABLED:
                return
            disabled = "gone" if reason == "gone" else "failing"
            self.endpoint = attrs.evolve(self.endpoint, status=ENDPOINT_DISABLED, reason=disabled)
        self.endpoint = attrs.evolve(self.endpoint, failing_since=self._health.since)
        self._recorder.tell(EndpointHealth(self._health.since, [_EVENTS[change]], disabled, reason))

    def _took(self, version: int) -> None:
        """The row took our change of its health, and has a new version."""
        self.endpoint = attrs.evolve(self.endpoint, version=version)

    def _durable(self, keys: list[LaneKey]) -> None:
        self._window.durable(keys)
        self.wake.ring()


_EVENTS = {
    Change.FAILING: GatewayEventType.ENDPOINT_FAILING,
    Change.RECOVERED: GatewayEventType.ENDPOINT_RECOVERED,
    Change.DISABLED: GatewayEventType.ENDPOINT_DISABLED,
}
_LEVELS = {Verdict.DELIVERED: logging.DEBUG, Verdict.DEAD: logging.WARNING, Verdict.GONE: logging.WARNING}


def _log_attempt(endpoint_id: str, row: Owed, attempt: Attempt, verdict: Verdict, delivery_id: str) -> None:
    level = _LEVELS.get(verdict, logging.INFO)
    if log.isEnabledFor(level):
        fields = {
            "event_id": row.event_id,
            "delivery_id": delivery_id,
            "endpoint_id": endpoint_id,
            "outcome": verdict.value,
            "status": attempt.status,
            "error": attempt.error,
            "ms": attempt.ms,
        }
        log.log(level, "delivery", extra=fields)
