"""Use cases of deliveries: what became of each, extra attempts and replays, and the self-test of a receiver.

Orders are written to the store, and the endpoint's actor hears a bell. Only the four deliveries of the
self-test are sent from here.
"""

import re
from collections.abc import Callable
from typing import Any

import attrs
import trio

from actors.delivery import Deliveries
from unifyport.config.settings import Settings
from unifyport.delivery import selftest
from unifyport.delivery.client import NewClient
from unifyport.model.ids import new_id
from unifyport.model.times import parse_rfc3339
from unifyport.model.webhook import ENDPOINT_ACTIVE, WebhookEndpoint
from unifyport.storage.contract import (
    DeadLetters,
    DeliveryRecord,
    DeliveryStatus,
    LoggedEvents,
    Replay,
    Replayed,
    RetryNow,
    Store,
)

from .endpoints import EndpointUseCases
from .errors import ENDPOINT_NOT_ACTIVE, NOT_RETRYABLE, UseCaseError, not_found, refuse
from .writes import TimedWriter, WriteRefused

MOST_NAMED = 1000  # ids in one replay
REPLAY_SECONDS = 5.0  # of pages, in one call
TEST_TIMEOUT = 5.0  # seconds for each of the four
_ID = re.compile(r"dlv_(\d{1,15})_(\d{1,18})_(\d{1,15})(?:\.\d+)?")


@attrs.frozen(kw_only=True)
class ReplayOrder:
    """What is to be delivered once more, as `ReplayRequest` of the contract has it. Times are RFC 3339."""

    source: str
    delivery_ids: list[str] | None = None
    event_ids: list[str] | None = None
    since: str | None = None
    until: str | None = None


@attrs.frozen
class ReplayPosition:
    """Where a replay that was not finished goes on."""

    round: int
    after: int
    upto: int


@attrs.frozen
class ReplayProgress:
    """`rest` is None when the replay is complete."""

    owed: int
    already_owed: int
    rest: ReplayPosition | None


@attrs.frozen(kw_only=True)
class DeliveryUseCases:
    """Every method raises `UseCaseError` and `StoreUnavailable`."""

    _store: Store
    _writes: TimedWriter
    _endpoints: EndpointUseCases
    _deliveries: Deliveries
    _new_client: NewClient
    _settings: Callable[[], Settings]
    _now_ms: Callable[[], int]

    # -- reading ---------------------------------------------------------------------------------------------

    async def list_deliveries(
        self,
        endpoint: WebhookEndpoint,
        before: tuple[int, int] | None,
        limit: int,
        *,
        status: DeliveryStatus | None,
        event_id: str | None,
    ) -> list[DeliveryRecord]:
        """The newest first, at most `limit` of them, older than the (seq, round) `before`."""
        return await self._store.deliveries(endpoint.no, before, limit, status=status, event_id=event_id)

    async def read_delivery(self, delivery_id: str) -> tuple[WebhookEndpoint, DeliveryRecord]:
        place = _ID.fullmatch(delivery_id)
        if place is not None:
            no, seq, round_ = map(int, place.groups())
            endpoints = {endpoint.no: endpoint for endpoint in await self._store.endpoints()}
            record = await self._store.delivery(no, seq, round_)
            if no in endpoints and record is not None:
                return endpoints[no], record
        raise not_found("delivery")

    # -- ordering --------------------------------------------------------------------------------------------

    async def retry(self, delivery_id: str, *, force: bool) -> tuple[WebhookEndpoint, DeliveryRecord]:
        """Order one extra attempt outside the count; replay a dead letter. `force`: of an inactive endpoint
        too.
        """
        endpoint, record = await self.read_delivery(delivery_id)
        if endpoint.status != ENDPOINT_ACTIVE and not force:
            raise UseCaseError(
                ENDPOINT_NOT_ACTIVE, f"the endpoint is {endpoint.status}; use force, or activate it"
            )
        if record.status == "dead":
            return endpoint, await self._replay_one(endpoint, record)
        try:
            await self._writes.write(RetryNow(endpoint.no, record.seq, record.round))
        except WriteRefused:
            raise UseCaseError(
                NOT_RETRYABLE, f"it does not wait for a retry, it is {record.status}"
            ) from None
        self._deliveries.changed(endpoint.id)
        return endpoint, record

    async def _replay_one(self, endpoint: WebhookEndpoint, record: DeliveryRecord) -> DeliveryRecord:
        """The delivery that replays a dead letter."""
        if endpoint.status != ENDPOINT_ACTIVE:
            raise UseCaseError(
                ENDPOINT_NOT_ACTIVE, "a dead letter is replayed, and a replay keeps to a pause: activate it"
            )
        dead = DeadLetters(places=[(record.seq, record.round)])
        replayed = await self._write_page(Replay(endpoint.id, dead))
        if not replayed.owed:
            raise UseCaseError(NOT_RETRYABLE, "it was replayed already, under an id of its own")
        self._deliveries.changed(endpoint.id)
        again = await self._store.deliveries(endpoint.no, None, 1, event_id=record.event_id)
        return again[0] if again else record

    def check_replay(self, endpoint: WebhookEndpoint, order: ReplayOrder) -> DeadLetters | LoggedEvents:
        """What an order names; everything that is wrong with it in one `UseCaseError`."""
        problems: list[str] = []
        times: dict[str, int | None] = {}
        for name in ("since", "until"):
            text = getattr(order, name)
            try:
                times[name] = None if text is None else parse_rfc3339(text)
            except ValueError as error:
                problems.append(f"{name}: {error}")
        named = [name for name in ("delivery_ids", "event_ids") if getattr(order, name) is not None]
        problems += [
            f"{name}: 1 to {MOST_NAMED} ids"
            for name in named
            if not 1 <= len(getattr(order, name)) <= MOST_NAMED
        ]
        if len(named) + any(value is not None for value in (order.since, order.until)) > 1:
            problems.append("delivery_ids, event_ids and a time range exclude each other")
        if order.source == "log" and order.delivery_ids is not None:
            problems.append("delivery_ids: name dead letters; use event_ids with source log")
        if order.source == "log" and not named and times.get("since") is None:
            problems.append("since: is required with source log, unless event_ids says which")
        places = _places(endpoint, order.delivery_ids or [], problems)
        refuse(problems)
        span: dict[str, Any] = {"start": times.get("since") or 0, "end": times.get("until")}
        if order.source == "log":
            return LoggedEvents(event_ids=order.event_ids, **span)
        return DeadLetters(places if order.delivery_ids is not None else None, order.event_ids, **span)

    async def replay(
        self,
        endpoint: WebhookEndpoint,
        which: DeadLetters | LoggedEvents,
        position: ReplayPosition | None,
    ) -> ReplayProgress:
        """Owe an endpoint once more what `which` names, for `REPLAY_SECONDS`. Cancelled: whole pages are
        written.
        """
        order = Replay(endpoint.id, which)
        if position is not None:
            order.round, order.after, order.upto = position.round, position.after, position.upto
        elif isinstance(which, LoggedEvents):
            order.after = await self._store.position_at(which.start) if which.start else 0
            order.upto = await self._store.newest_position()
        owed = already = 0
        more, ends_at = True, trio.current_time() + REPLAY_SECONDS
        while more and trio.current_time() < ends_at:
            page = await self._write_page(order)
            owed, already = owed + page.owed, already + page.already_owed
            order.round, order.after, more = page.round, page.last, page.more
        self._deliveries.changed(endpoint.id)
        rest = ReplayPosition(order.round, order.after, order.upto) if more else None
        return ReplayProgress(owed, already, rest)

    async def _write_page(self, order: Replay) -> Replayed:
        try:
            page: Replayed = await self._writes.write(order)
        except WriteRefused:  # the endpoint was deleted meanwhile
            raise not_found("webhook endpoint") from None
        return page

    # -- the self-test ---------------------------------------------------------------------------------------

    async def test_endpoint(self, endpoint_id: str) -> list[selftest.Finding]:
        """Send four deliveries and read what the receiver makes of them."""
        endpoint = await self._endpoints.find_endpoint(endpoint_id)
        _, policy = endpoint.policies(self._settings().webhooks.defaults)
        timeout = min(policy.timeout, TEST_TIMEOUT)
        client, findings = self._new_client(), []
        try:
            for request in selftest.requests(endpoint, policy, new_id("evt"), self._now_ms()):
                attempt = None
                if request.fields is not None:
                    attempt = await client.post(endpoint.url, request.fields, request.body, timeout)
                findings.append(selftest.read(request.case, attempt))
        finally:
            client.close()
        return findings


def id_of(record: DeliveryRecord) -> str:
    """The public id of a delivery."""
    return f"dlv_{record.endpoint_no}_{record.seq}_{record.round}"


def _places(endpoint: WebhookEndpoint, ids: list[str], problems: list[str]) -> list[tuple[int, int]]:
    """The (seq, round) of each id; what is wrong goes to `problems`."""
    places = []
    for id_ in ids[:MOST_NAMED]:
        match = _ID.fullmatch(id_)
        if match is None or int(match[1]) != endpoint.no:
            problems.append(f"delivery_ids: {id_[:64]!r} is no delivery of this endpoint")
        else:
            places.append((int(match[2]), int(match[3])))
    return places
