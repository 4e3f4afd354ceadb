"""Records the outcomes and the health of one endpoint through the writer, in their order.

Deliveries are written within 25 ms, together with the outcomes that follow until then. A crash before that
repeats them, with the same event ids. An outcome whose lane must wait until it is durable is written at once.
"""

import logging
from collections.abc import Callable

import trio

from supervisors import Terminal
from supervisors.wake import Wake
from unifyport.delivery.verdict import Attempt, Verdict
from unifyport.fleet.leases import Lease
from unifyport.model.owed import LaneKey, Owed
from unifyport.model.webhook import WebhookEndpoint
from unifyport.storage.contract import Committed, EndpointHealth, Fenced, Refused, Settle, Settled

from .writer import Writer

log = logging.getLogger("unifyport.delivery")

LAZY_SECONDS = 0.025
MOST_UNRECORDED = 1024  # how many deliveries a crash can repeat
_LEVELS = {Verdict.DELIVERED: logging.DEBUG, Verdict.DEAD: logging.WARNING, Verdict.GONE: logging.WARNING}


class Recorder:
    """`endpoint` returns the endpoint as it is now.

    `on_durable` is called with the held lanes whose outcomes are durable, `on_version` with the endpoint's
    new version after its health was written.
    """

    def __init__(
        self,
        writer: Writer,
        lease: Lease,
        now_ms: Callable[[], int],
        *,
        endpoint: Callable[[], WebhookEndpoint],
        on_durable: Callable[[list[LaneKey]], None],
        on_version: Callable[[int], None],
    ) -> None:
        self._writer = writer
        self._lease = lease
        self._now_ms = now_ms
        self._endpoint = endpoint
        self._on_durable = on_durable
        self._on_version = on_version
        self.ending = False  # the endpoint actor was asked to stop
        self._outcomes: list[Settled] = []
        self._held: list[LaneKey] = []
        self._health: EndpointHealth | None = None
        self._bell = Wake()
        self._urgent = trio.Event()
        self._turn = trio.Lock()  # a second flush waits until the outcomes of the first are durable

    def make_outcome(
        self, row: Owed, attempt: Attempt, verdict: Verdict, *, delivery_id: str, now_ms: int
    ) -> Settled:
        """Log an attempt, and return its outcome as `kept`; the caller decides what becomes of the debt."""
        self._log(row, attempt, verdict, delivery_id)
        return Settled(
            row.seq,
            row.round,
            "kept",
            row.attempts,
            now_ms,
            attempt.ms,
            reason=attempt.reason,
            status=attempt.status,
            response=attempt.response,
            response_size=attempt.response_size,
        )

    def _log(self, row: Owed, attempt: Attempt, verdict: Verdict, delivery_id: str) -> None:
        level = _LEVELS.get(verdict, logging.INFO)
        if log.isEnabledFor(level):
            fields = {
                "event_id": row.event_id,
                "delivery_id": delivery_id,
                "endpoint_id": self._endpoint().id,
                "outcome": verdict.value,
                "status": attempt.status,
                "error": attempt.error,
                "ms": attempt.ms,
            }
            log.log(level, "delivery", extra=fields)

    def add(self, outcome: Settled, hold: LaneKey | None = None) -> None:
        """Record an outcome soon; with `hold` at once, and `on_durable` gets that lane. Never blocks."""
        self._outcomes.append(outcome)
        if hold is not None:
            self._held.append(hold)
            self._urgent.set()
        self._bell.ring()

    def detach(self) -> None:
        """Its actor has ended: hold nothing of it, so that its last reference frees both at once."""
        endpoint = self._endpoint()
        self._endpoint = lambda: endpoint
        self._on_durable = lambda _: None
        self._on_version = lambda _: None

    @property
    def full(self) -> bool:
        """Whether so many outcomes are not recorded yet that no further attempt should start."""
        return len(self._outcomes) >= MOST_UNRECORDED

    def add_health(self, health: EndpointHealth) -> None:
        """Record a change of health, merged with one that is not written yet. Never blocks."""
        self._health = health if self._health is None else _merge(self._health, health)
        self._bell.ring()

    async def run(self) -> None:
        """Record until cancelled. Raises `Terminal` if another process holds the lease, or it was deleted."""
        while True:
            await self._bell.wait()
            if not self._urgent.is_set():
                with trio.move_on_after(LAZY_SECONDS):
                    await self._urgent.wait()
            await self.flush()

    async def flush(self) -> None:
        """Return when everything is durable. Cancelled: the write in progress may have happened or not."""
        async with self._turn:
            await self._flush()

    async def _flush(self) -> None:
        while self._outcomes or self._health is not None:
            outcomes, self._outcomes = self._outcomes, []
            held, self._held = self._held, []
            health, self._health = self._health, None
            self._urgent = trio.Event()
            match await self._writer.submit(self._make_write(outcomes, health)):
                case Committed(value=version):
                    if version is not None:
                        self._on_version(version)
                case Fenced():
                    self._lose_lease()
                    return
                case Refused():
                    await self._record_singly(outcomes, health)
                case _:  # the writer is being restarted
                    self._outcomes = outcomes + self._outcomes
                    self._held = held + self._held
                    if health is not None:
                        self._health = health if self._health is None else _merge(health, self._health)
                    await trio.sleep(LAZY_SECONDS)
                    continue
            self._on_durable(held)

    async def _record_singly(self, outcomes: list[Settled], health: EndpointHealth | None) -> None:
        """Record a refused batch in single writes, so that only what cannot be stored is left out."""
        parts = [self._make_write([outcome], None) for outcome in outcomes]
        if health is not None:
            parts.append(self._make_write([], health))
        while parts:
            match await self._writer.submit(parts[0]):
                case Committed(value=version):
                    if version is not None:
                        self._on_version(version)
                case Fenced():
                    self._lose_lease()
                    return
                case Refused() as answer:
                    log.error("endpoint %s: an outcome was not recorded: %r", self._endpoint().id, answer)
                case _:  # the writer is being restarted
                    await trio.sleep(LAZY_SECONDS)
                    continue
            del parts[0]

    def _lose_lease(self) -> None:
        """The endpoint was deleted, or another process holds its lease: end the actor if it is not ending."""
        if not self.ending:
            raise Terminal("lease_lost")

    def _make_write(self, outcomes: list[Settled], health: EndpointHealth | None) -> Settle:
        endpoint = self._endpoint()
        return Settle(
            endpoint.no, endpoint.id, self._lease.epoch, outcomes, self._now_ms(), health, endpoint.version
        )


def _merge(earlier: EndpointHealth, later: EndpointHealth) -> EndpointHealth:
    """One change from two: it has the events of both, and disables if one of them does."""
    return EndpointHealth(
        later.failing_since,
        earlier.events + later.events,
        later.disabled or earlier.disabled,
        later.reason or earlier.reason,
    )
