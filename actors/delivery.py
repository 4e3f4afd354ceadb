"""Delivery actors: one per webhook endpoint, and the room that keeps them in step with the endpoint table.

An endpoint actor reads what its endpoint is owed into a bounded window, starts attempts as lanes and breaker
allow, and records outcomes through the writer. The delivery rows are the only truth about debt: the actor
can be killed at any point and begins again from the lowest row. Outcomes are recorded lazily (within 25 ms),
but a lane behind a dead event waits until that is durable.
"""

import logging
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator

import attrs
import trio

from supervisors import Backoff, ChildSpec, Incarnation, OneForOne, OnExhausted, Policy, Terminal
from supervisors.wake import Wake
from unifyport.delivery.breaker import Breaker
from unifyport.delivery.client import DeliveryClient, NewClient
from unifyport.delivery.lanes import ROWS_PER_LANE, LaneKey, Window
from unifyport.delivery.signing import headers
from unifyport.delivery.verdict import INTERNAL_ERROR, Attempt, Verdict, judge
from unifyport.model.event import GatewayEventType
from unifyport.model.owed import Owed
from unifyport.model.tally import Tally
from unifyport.model.webhook import ENDPOINT_ACTIVE, ENDPOINT_DISABLED, WebhookEndpoint
from unifyport.storage.base import (
    AttemptRecord,
    Committed,
    EndpointHealth,
    Fenced,
    Refused,
    Settle,
    Settled,
    Store,
    StoreUnavailable,
)
from unifyport.storage.bus import Bus
from unifyport.storage.fleet import Fleet, Lease

from .company import Company
from .writer import Writer

log = logging.getLogger("unifyport.delivery")

EVENTS_TOPIC = "events"
ENDPOINTS_TOPIC = "endpoints"

PAGE = 100
REFILLS = 4  # lanes that are read again in one turn: what is fresh shall not wait for all of them
LAZY_SECONDS = 0.025
POLL_SECONDS = 1.0
SHORTEST_WAIT = 0.01  # whatever the clocks say, nothing spins
RECONCILE_SECONDS = 5.0
TIMEOUT = 10.0
FEWEST_SLOTS, MAX_IN_FLIGHT = 4, 16  # attempts at a time
PER_SLOT = 0.004  # seconds of a receiver's time for one more: a quick one needs few, and few are quick
_SMOOTHING = 0.1
LAST_WORDS_SECONDS = 3.0
DISABLE_AFTER = 72 * 3600.0

POLICY = Policy(
    backoff=Backoff(initial=0.5, max=30.0),
    max_restarts=100,
    on_exhausted=OnExhausted.PARK,
    park_interval=60.0,
    stop_grace=TIMEOUT + 1.0,
    stop_timeout=2.0,
)


@attrs.define
class DeliveryServices:
    store: Store
    writer: Writer
    bus: Bus
    fleet: Fleet
    new_client: NewClient
    now_ms: Callable[[], int]
    draw: Callable[[], float] = lambda: random.uniform(-1.0, 1.0)  # noqa: S311
    disable_after: float = DISABLE_AFTER  # seconds of nothing but failures


class EndpointActor:
    """`endpoint` is replaced when the row changes: URL, secret and policy are those at the time of the attempt."""

    def __init__(self, endpoint: WebhookEndpoint, lease: Lease, services: DeliveryServices) -> None:
        self.endpoint = endpoint
        self.wake = Wake()
        self.verdicts: Counter[Verdict] = Counter()
        self.seconds = Tally()  # of attempts
        self._lease = lease
        self._services = services
        self._reset()

    def _reset(self) -> None:
        self._window = Window()
        self._breaker = Breaker()
        self._in_flight = 0
        self._company = Company()
        self._latency = MAX_IN_FLIGHT * PER_SLOT  # seconds of an attempt, smoothed
        self._outcomes: list[Settled] = []
        self._held: list[LaneKey] = []  # lanes that wait until their outcome is durable
        self._health: EndpointHealth | None = None
        self._settle = Wake()
        self._urgent = trio.Event()

    async def run(self, incarnation: Incarnation) -> None:
        """Deliver until asked to stop; attempts in flight then finish and are recorded."""
        self._reset()
        client = self._services.new_client()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._listen)
                nursery.start_soon(self._wake_on_stop, incarnation)
                nursery.start_soon(self._settle_forever)
                await self._boot()
                incarnation.started()
                while not incarnation.stop_requested:
                    await self._turn(nursery, client)
                while self._in_flight:
                    await self.wake.wait()
                with trio.move_on_after(LAST_WORDS_SECONDS):  # the writer may be what we are stopped for
                    await self._flush()
                nursery.cancel_scope.cancel()
        finally:
            await client.aclose()

    def replace(self, endpoint: WebhookEndpoint) -> None:
        """Take over a changed row. An endpoint that was activated again, or moved, is tried at once."""
        if endpoint.status == ENDPOINT_ACTIVE and (
            self.endpoint.status != ENDPOINT_ACTIVE or self.endpoint.url != endpoint.url
        ):
            self._breaker = Breaker()
        self.endpoint = endpoint
        self.wake.ring()

    @property
    def _slots(self) -> int:
        """Attempts that may be in flight."""
        return min(max(math.ceil(self._latency / PER_SLOT), FEWEST_SLOTS), MAX_IN_FLIGHT)

    @property
    def _full(self) -> bool:
        return self._in_flight >= self._slots

    async def _listen(self) -> None:
        seen = self._services.bus.count(EVENTS_TOPIC)
        while True:
            seen = await self._services.bus.wait(EVENTS_TOPIC, seen, POLL_SECONDS)
            self.wake.ring()

    async def _wake_on_stop(self, incarnation: Incarnation) -> None:
        await incarnation.stopping()
        self.wake.ring()

    # -- reading ------------------------------------------------------------------------------------------------

    async def _boot(self) -> None:
        while True:
            try:
                blocked = await self._services.store.blocked(self.endpoint.no)
                self._window = Window(blocked)
                return
            except StoreUnavailable:
                await trio.sleep(POLL_SECONDS)

    async def _turn(self, nursery: trio.Nursery, client: DeliveryClient) -> None:
        self._breaker.enabled = self.endpoint.retries.max_attempts > 0
        try:
            more, readable = await self._read(), True
        except StoreUnavailable:
            more, readable = False, False
        self._start(nursery, client)
        if not more:
            await self.wake.wait(trio.current_time() + (self._idle_for() if readable else POLL_SECONDS))

    async def _read(self) -> bool:
        """Fill the window; True when there is more to read at once."""
        if self.endpoint.status != ENDPOINT_ACTIVE:
            return False
        window, store, no = self._window, self._services.store, self.endpoint.no
        limit = min(PAGE, window.room)
        rows = await store.fresh(no, window.pos, limit) if limit > 0 else []
        window.add_fresh(rows)
        hungry = window.hungry(self._services.now_ms())
        for key, after, upto in hungry[:REFILLS]:
            owed = await store.in_lane(no, key[1], after, upto, ROWS_PER_LANE)
            window.refill(key, owed, ROWS_PER_LANE)
        return not self._full and (len(hungry) > REFILLS or 0 < limit == len(rows))

    def _idle_for(self) -> float:
        """Seconds until there is something to do that no bell tells of."""
        if self.endpoint.status != ENDPOINT_ACTIVE or self._full:
            return POLL_SECONDS
        wait = min(POLL_SECONDS, (self._window.next_due() - self._services.now_ms()) / 1000)
        if len(self._window) and self._breaker.is_open:
            wait = min(wait, self._breaker.opens_at() - trio.current_time())
        return max(wait, SHORTEST_WAIT)

    # -- attempts -----------------------------------------------------------------------------------------------

    def _start(self, nursery: trio.Nursery, client: DeliveryClient) -> None:
        while self.endpoint.status == ENDPOINT_ACTIVE and not self._full:
            if not self._breaker.may_start(trio.current_time()):
                return
            head = self._window.oldest_head() if self._breaker.is_open else self._next_head()
            if head is None:
                return
            probe = self._breaker.started()
            self._in_flight += 1
            nursery.start_soon(self._attempt, client, *head, probe)

    def _next_head(self) -> tuple[LaneKey, Owed] | None:
        """An account that is not the only one gets half of the slots at most."""
        account_no = self._window.next_account()
        if account_no is None:
            return None
        return self._window.next_head(self._slots // 2 if self._company.of(account_no) else self._slots)

    async def _attempt(self, client: DeliveryClient, key: LaneKey, row: Owed, probe: bool) -> None:
        endpoint, now = self.endpoint, self._services.now_ms()
        delivery_id = f"dlv_{endpoint.no}_{row.seq}_{row.round}.{row.attempts + 1}"
        if row.expires_at is not None and now >= row.expires_at:
            attempt, verdict = Attempt(error="expired"), Verdict.DEAD
        else:
            try:
                signed = headers(endpoint.secret, row.event_id, delivery_id, now, row.body)
                attempt = await client.post(endpoint.url, signed, row.body, TIMEOUT)
            except Exception:
                log.exception("endpoint %s: an attempt crashed", endpoint.id)
                attempt = Attempt(error=INTERNAL_ERROR)
            verdict = judge(attempt)
        self._in_flight -= 1
        self._conclude(key, row, attempt, verdict, probe, delivery_id)
        self.wake.ring()

    def _conclude(
        self, key: LaneKey, row: Owed, attempt: Attempt, verdict: Verdict, probe: bool, delivery_id: str
    ) -> None:
        """Record what an attempt came to. Synchronous: a cancel cannot separate the window from the record."""
        self.verdicts[verdict] += 1
        _log_attempt(self.endpoint.id, row, attempt, verdict, delivery_id)
        self.seconds.observe(attempt.ms / 1000)
        self._latency += _SMOOTHING * (attempt.ms / 1000 - self._latency)
        now, retries = self._services.now_ms(), self.endpoint.retries
        counted = True
        if verdict is Verdict.ENDPOINT_FAILED:
            counted = self._breaker.failed(row.seq, trio.current_time(), attempt.retry_after, probe=probe)
            self._note_failure()
        elif verdict is Verdict.GONE:
            counted = False
            self._disable("gone")
            self._breaker.abandoned()
        elif verdict is Verdict.EVENT_FAILED:
            self._breaker.abandoned()
        else:
            self._note_success(answered=attempt.status is not None)
        if not counted:
            self._window.uncounted(key)
            return
        attempts = row.attempts + 1
        why = attempt.error if attempt.error is not None else f"http_{attempt.status}"
        outcome = Settled(row.seq, row.round, attempts, error=why, status=attempt.status)
        outcome.record = AttemptRecord(delivery_id, attempts, now, attempt.ms, attempt.status, attempt.error)
        if verdict is Verdict.DELIVERED:
            self._window.delivered(key)
        elif verdict is Verdict.DEAD or attempts > retries.max_attempts:
            outcome.dead = why
            self._window.dead(key)
            self._held.append(key)
            self._urgent.set()
        else:
            outcome.due = now + round(retries.delay(attempts, self._services.draw()) * 1000)
            self._window.retry(key, outcome.due)
            self._held.append(key)
        self._outcomes.append(outcome)
        self._settle.ring()

    def _note_failure(self) -> None:
        since = self._breaker.failing_since
        assert since is not None
        failing_for = trio.current_time() - since
        if self.endpoint.failing_since is None:
            at = self._services.now_ms()
            self.endpoint = attrs.evolve(self.endpoint, failing_since=at)
            self._health = EndpointHealth(at, event=GatewayEventType.ENDPOINT_FAILING)
            self._settle.ring()
        elif max(failing_for, self._failing_ms() / 1000) >= self._services.disable_after:
            self._disable("failing")

    def _failing_ms(self) -> int:
        since = self.endpoint.failing_since
        return 0 if since is None else self._services.now_ms() - since

    def _note_success(self, *, answered: bool) -> None:
        if not answered:
            self._breaker.abandoned()
            return
        self._breaker.succeeded()
        if self.endpoint.failing_since is not None:
            self.endpoint = attrs.evolve(self.endpoint, failing_since=None)
            self._health = EndpointHealth(None, event=GatewayEventType.ENDPOINT_RECOVERED)
            self._settle.ring()

    def _disable(self, reason: str) -> None:
        if self.endpoint.status == ENDPOINT_DISABLED:
            return
        self.endpoint = attrs.evolve(self.endpoint, status=ENDPOINT_DISABLED, reason=reason)
        self._health = EndpointHealth(
            self.endpoint.failing_since, disabled=reason, event=GatewayEventType.ENDPOINT_DISABLED
        )
        self._settle.ring()

    # -- recording ----------------------------------------------------------------------------------------------

    async def _settle_forever(self) -> None:
        while True:
            await self._settle.wait()
            with trio.move_on_after(LAZY_SECONDS):
                await self._urgent.wait()
            await self._flush()

    async def _flush(self) -> None:
        while self._outcomes or self._health is not None:
            outcomes, self._outcomes = self._outcomes, []
            held, self._held = self._held, []
            health, self._health = self._health, None
            self._urgent = trio.Event()
            match await self._services.writer.ask(self._settlement(outcomes, health)):
                case Committed(value=version):
                    self._took(version)
                case Fenced():
                    raise Terminal("lease_lost")
                case Refused():
                    await self._settle_one_by_one(outcomes)
                case _:
                    self._outcomes = outcomes + self._outcomes
                    self._held = held + self._held
                    self._health = self._health or health
                    await trio.sleep(LAZY_SECONDS)
                    continue
            self._window.durable(held)
            self.wake.ring()

    async def _settle_one_by_one(self, outcomes: list[Settled]) -> None:
        """One outcome of a batch cannot be stored: find it, and let the others through."""
        for outcome in outcomes:
            match await self._services.writer.ask(self._settlement([outcome], None)):
                case Committed():
                    continue
                case answer:
                    log.error("endpoint %s: an outcome was not recorded: %r", self.endpoint.id, answer)

    def _settlement(self, outcomes: list[Settled], health: EndpointHealth | None) -> Settle:
        return Settle(
            self.endpoint.no,
            self.endpoint.id,
            self._lease.epoch,
            outcomes,
            self._services.now_ms(),
            health,
            self.endpoint.version,
        )

    def _took(self, version: int | None) -> None:
        """The row took our change of its health, and has a new version."""
        if version is not None:
            self.endpoint = attrs.evolve(self.endpoint, version=version)


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


class Deliveries:
    """Keeps one actor per endpoint of the table. The table and a doorbell are the only way in."""

    def __init__(self, services: DeliveryServices) -> None:
        self._services = services
        self.supervisor = OneForOne()
        self._actors: dict[str, EndpointActor] = {}

    def __iter__(self) -> Iterator[EndpointActor]:
        return iter(self._actors.values())

    async def run(self, incarnation: Incarnation) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._reconcile_forever)
            await self.supervisor.run(incarnation)
            nursery.cancel_scope.cancel()

    async def _reconcile_forever(self) -> None:
        seen = -1
        while True:
            seen = await self._services.bus.wait(ENDPOINTS_TOPIC, seen, RECONCILE_SECONDS)
            try:
                await self._reconcile(await self._services.store.endpoints())
            except StoreUnavailable as error:
                log.warning("endpoints cannot be read: %s", error.reason)
                await trio.sleep(POLL_SECONDS)

    async def _reconcile(self, rows: list[WebhookEndpoint]) -> None:
        new = [row for row in rows if row.id not in self._actors]
        leases = await self._services.fleet.claim([f"endpoint:{row.id}" for row in new]) if new else []
        for row, lease in zip(new, leases, strict=True):
            actor = self._actors[row.id] = EndpointActor(row, lease, self._services)
            self.supervisor.add(ChildSpec(row.id, actor.run, POLICY))
        for row in rows:
            actor = self._actors[row.id]
            if row.version != actor.endpoint.version:
                actor.replace(row)
        for gone in self._actors.keys() - {row.id for row in rows}:
            del self._actors[gone]
            self.supervisor.remove(gone)
