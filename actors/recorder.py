"""The recording half of an endpoint actor: outcomes and health, through the writer, in the order in which
they came.

Lazily: what was delivered is written within 25 ms, together with whatever else has come by then. A crash
before that repeats it, under the same event id. Whoever must not go on before an outcome is durable is held,
and is written at once.
"""

import logging
from collections.abc import Callable

import trio

from supervisors import Terminal
from supervisors.wake import Wake
from unifyport.delivery.lanes import LaneKey
from unifyport.delivery.verdict import Attempt, Verdict
from unifyport.fleet.leases import Lease
from unifyport.model.owed import Owed
from unifyport.model.webhook import WebhookEndpoint
from unifyport.storage.contract import Committed, EndpointHealth, Fenced, Refused, Settle, Settled

from .writer import Writer

log = logging.getLogger("unifyport.delivery")

LAZY_SECONDS = 0.025
MOST_UNRECORDED = 1024  # outcomes that a crash can make come again
_LEVELS = {Verdict.DELIVERED: logging.DEBUG, Verdict.DEAD: logging.WARNING, Verdict.GONE: logging.WARNING}


class Recorder:
    """`durable` is called with the lanes that were held; `endpoint` says whose outcomes these are,
    as it is now.
    """

    def __init__(
        self,
        writer: Writer,
        lease: Lease,
        now_ms: Callable[[], int],
        endpoint: Callable[[], WebhookEndpoint],
        durable: Callable[[list[LaneKey]], None],
        took: Callable[[int], None],
    ) -> None:
        self._writer = writer
        self._lease = lease
        self._now_ms = now_ms
        self._endpoint = endpoint
        self._durable = durable
        self._took = took
        self.ending = False  # whoever attempts was asked to stop
        self._outcomes: list[Settled] = []
        self._held: list[LaneKey] = []
        self._health: EndpointHealth | None = None
        self._bell = Wake()
        self._urgent = trio.Event()
        self._turn = trio.Lock()  # who flushes: a second one waits until what the first has taken is durable

    def outcome(
        self, row: Owed, attempt: Attempt, verdict: Verdict, delivery_id: str, now_ms: int
    ) -> Settled:
        """What an attempt came to, as it is kept for people: nothing has become of the debt yet.

        Also logged.
        """
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
        """Never blocks. With `hold`, that lane hears of it in `durable`."""
        self._outcomes.append(outcome)
        if hold is not None:
            self._held.append(hold)
            self._urgent.set()
        self._bell.ring()

    @property
    def full(self) -> bool:
        """So much is not recorded yet that nothing more should be sent."""
        return len(self._outcomes) >= MOST_UNRECORDED

    def tell(self, health: EndpointHealth) -> None:
        """Never blocks. What was not written yet is part of the same change."""
        self._health = health if self._health is None else _both(self._health, health)
        self._bell.ring()

    async def run(self) -> None:
        """Until cancelled. Raises `Terminal` when somebody else acts for this endpoint now."""
        while True:
            await self._bell.wait()
            if not self._urgent.is_set():
                with trio.move_on_after(LAZY_SECONDS):
                    await self._urgent.wait()
            await self.flush()

    async def flush(self) -> None:
        """Return when everything is durable. Cancelled: what was under way may be, or not."""
        async with self._turn:
            await self._flush()

    async def _flush(self) -> None:
        while self._outcomes or self._health is not None:
            outcomes, self._outcomes = self._outcomes, []
            held, self._held = self._held, []
            health, self._health = self._health, None
            self._urgent = trio.Event()
            match await self._writer.submit(self._settle(outcomes, health)):
                case Committed(value=version):
                    if version is not None:
                        self._took(version)
                case Fenced():
                    self._lost()
                    return
                case Refused():
                    await self._one_by_one(outcomes, health)
                case _:  # the writer is being restarted
                    self._outcomes = outcomes + self._outcomes
                    self._held = held + self._held
                    if health is not None:
                        self._health = health if self._health is None else _both(health, self._health)
                    await trio.sleep(LAZY_SECONDS)
                    continue
            self._durable(held)

    async def _one_by_one(self, outcomes: list[Settled], health: EndpointHealth | None) -> None:
        """Something of a batch cannot be stored: find it, and let everything else through."""
        parts = [self._settle([outcome], None) for outcome in outcomes]
        if health is not None:
            parts.append(self._settle([], health))
        while parts:
            match await self._writer.submit(parts[0]):
                case Committed(value=version):
                    if version is not None:
                        self._took(version)
                case Fenced():
                    self._lost()
                    return
                case Refused() as answer:
                    log.error("endpoint %s: an outcome was not recorded: %r", self._endpoint().id, answer)
                case _:  # the writer is being restarted
                    await trio.sleep(LAZY_SECONDS)
                    continue
            del parts[0]

    def _lost(self) -> None:
        """The endpoint was deleted, or is another node's: whoever ends anyway has nothing more to record."""
        if not self.ending:
            raise Terminal("lease_lost")

    def _settle(self, outcomes: list[Settled], health: EndpointHealth | None) -> Settle:
        endpoint = self._endpoint()
        return Settle(
            endpoint.no, endpoint.id, self._lease.epoch, outcomes, self._now_ms(), health, endpoint.version
        )


def _both(earlier: EndpointHealth, later: EndpointHealth) -> EndpointHealth:
    """One change of two: what was told stays told, and what disables stays."""
    return EndpointHealth(
        later.failing_since,
        earlier.events + later.events,
        later.disabled or earlier.disabled,
        later.reason or earlier.reason,
    )
