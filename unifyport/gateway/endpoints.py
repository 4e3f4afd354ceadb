"""Use cases of webhook endpoints: where events go."""

from collections.abc import Callable
from typing import Any

import attrs

from actors.delivery import Deliveries
from supervisors import map_in_slices
from unifyport.config.settings import Settings
from unifyport.fleet.doorbells import ENDPOINTS_TOPIC, Bus
from unifyport.model.account import Origin
from unifyport.model.ids import new_id
from unifyport.model.webhook import (
    ENDPOINT_ACTIVE,
    ENDPOINT_INACTIVE,
    RESUME_NOW,
    DeliveryPolicy,
    RetryPolicy,
    WebhookEndpoint,
)
from unifyport.net.guard import AddressGuard, UrlNotAllowed
from unifyport.process.clock import Clock
from unifyport.storage.contract import DeleteEndpoint, DropOwed, PutEndpoint, Store, Together

from .errors import OperationFailure, UseCaseError, not_found, refuse
from .writes import TimedWriter, WriteRefused

STATUSES = (ENDPOINT_ACTIVE, ENDPOINT_INACTIVE)
COUNTED = 10_000  # owed events and dead letters: a count of millions takes too long
TRIES = 5  # of a change that meets other changes


class _ChangedMeanwhile(UseCaseError):
    """The stored row is not the one that was read."""

    def __init__(self) -> None:
        super().__init__(OperationFailure.REFUSED, "the endpoint was changed or deleted meanwhile, try again")


@attrs.frozen(kw_only=True)
class EndpointFields:
    """What a caller says of an endpoint; None: not given. An empty secret ends signing."""

    url: str | None = None
    status: str | None = None
    subscribed_events: list[str] | None = None
    signing_secret: str | None = None
    previous_signing_secret: str | None = None
    retry_policy: dict[str, Any] | None = None
    delivery: dict[str, Any] | None = None


@attrs.frozen
class EndpointView:
    """An endpoint with the policies in force. `two_secrets`: the previous secret still signs.

    `dropped`: how many owed events `resume` has ended; None if it was not asked for.
    """

    endpoint: WebhookEndpoint
    retries: RetryPolicy
    delivery: DeliveryPolicy
    two_secrets: bool
    failing_since: int | None
    previous_until: int | None
    dropped: int | None = None


@attrs.frozen
class EndpointLoad:
    """What an endpoint is owed, counted up to `COUNTED`, and what holds it up. `last_error`: see `Gate`."""

    owed: int
    dead: int
    in_flight: int
    breaker_open: bool
    congested: bool
    last_error: str = ""


@attrs.frozen
class EndpointBell:
    """Rung when endpoints were written; of which it says nothing (see `Deliveries.changed`)."""

    _bus: Bus

    def ring(self) -> None:
        self._bus.ring(ENDPOINTS_TOPIC)


@attrs.frozen(kw_only=True)
class EndpointUseCases:
    """Every method raises `UseCaseError` and `StoreUnavailable`."""

    _store: Store
    _writes: TimedWriter
    _deliveries: Deliveries
    _guard: AddressGuard
    _settings: Callable[[], Settings]
    _clock: Clock

    # -- reading ---------------------------------------------------------------------------------------------

    async def find_endpoint(self, endpoint_id: str) -> WebhookEndpoint:
        endpoint = await self._store.endpoint(endpoint_id)
        if endpoint is None:
            raise not_found("webhook endpoint")
        return endpoint

    async def list_endpoints(self) -> list[EndpointView]:
        return await map_in_slices(self._view, await self._store.endpoints())

    async def read_endpoint(self, endpoint_id: str) -> tuple[EndpointView, EndpointLoad]:
        endpoint = await self.find_endpoint(endpoint_id)
        owed, dead = await self._store.owed(endpoint.no, COUNTED)
        actor = self._deliveries.actor(endpoint.id)
        load = EndpointLoad(
            owed,
            dead,
            in_flight=0 if actor is None else actor.in_flight,
            breaker_open=actor is not None and actor.breaker_open,
            congested=actor is not None and actor.congested,
            last_error="" if actor is None else actor.last_error,
        )
        return self._view(endpoint), load

    def _view(self, endpoint: WebhookEndpoint, dropped: int | None = None) -> EndpointView:
        retries, delivery = endpoint.policies(self._settings().webhooks.defaults)
        return EndpointView(
            endpoint,
            retries,
            delivery,
            two_secrets=len(endpoint.secrets(self._clock.steady_ms())) > 1,
            failing_since=self._wall_of(endpoint.failing_since),
            previous_until=self._wall_of(endpoint.previous_until),
            dropped=dropped,
        )

    def _wall_of(self, steady: int | None) -> int | None:
        return None if steady is None else self._clock.wall_of(steady)

    # -- changing --------------------------------------------------------------------------------------------

    async def create_endpoint(self, fields: EndpointFields) -> EndpointView:
        refuse([f"{name}: is required" for name in ("url", "status") if getattr(fields, name) is None])
        assert fields.url is not None
        endpoint = await self._changed(WebhookEndpoint(new_id("we"), fields.url), fields)
        return await self._put(PutEndpoint(endpoint))

    async def update_endpoint(self, endpoint_id: str, fields: EndpointFields) -> EndpointView:
        """Change the fields that are given; `delivery.resume` ends what is owed until now."""
        endpoint = await self.find_endpoint(endpoint_id)
        if not _only_pauses_or_resumes(fields):
            _refuse_declared(endpoint)
        put = PutEndpoint(await self._changed(endpoint, fields))
        if (fields.delivery or {}).get("resume") == RESUME_NOW:
            return await self._put(Together([put, DropOwed(endpoint.id)]))
        return await self._put(put)

    async def deactivate_endpoint(self, endpoint_id: str) -> EndpointView:
        """Deactivate an endpoint, whatever other calls change in it meanwhile."""
        for _ in range(TRIES):
            endpoint = await self.find_endpoint(endpoint_id)
            put = PutEndpoint(attrs.evolve(endpoint, status=ENDPOINT_INACTIVE, reason=None))
            try:
                return await self._put(put)
            except _ChangedMeanwhile:
                continue
        raise UseCaseError(OperationFailure.REFUSED, "the endpoint keeps changing, try again")

    async def delete_endpoint(self, endpoint_id: str) -> None:
        """Delete an endpoint. One that has left the configuration file may be deleted."""
        endpoint = await self.find_endpoint(endpoint_id)
        if endpoint.name in {declared.name for declared in self._settings().webhook_endpoints}:
            _refuse_declared(endpoint)
        await self._writes.write(DeleteEndpoint(endpoint.id))
        self._deliveries.changed(endpoint.id)

    async def _put(self, write: PutEndpoint | Together) -> EndpointView:
        try:
            stored = await self._writes.write(write)
        except WriteRefused:
            raise _ChangedMeanwhile from None
        endpoint, dropped = stored if isinstance(write, Together) else (stored, None)
        self._deliveries.changed(endpoint.id)
        await self._deliveries.heard(endpoint)  # every attempt after the answer is as the change says
        return self._view(endpoint, dropped)

    async def _changed(self, endpoint: WebhookEndpoint, fields: EndpointFields) -> WebhookEndpoint:
        """The endpoint with the given fields; everything that is wrong with them in one error."""
        problems: list[str] = []
        changes: dict[str, Any] = {}
        if fields.url is not None:
            changes["url"] = fields.url
            try:
                await self._guard.vet(fields.url)
            except UrlNotAllowed as error:
                problems.append(f"url: {error}")
        if fields.status is not None:
            changes["status"] = fields.status
            if fields.status not in STATUSES:
                problems.append(f"status: must be one of {', '.join(STATUSES)}")
        for name in ("subscribed_events", "retry_policy"):
            if (value := getattr(fields, name)) is not None:
                changes[name] = value
        if fields.delivery is not None:
            options, resume = _without_resume(fields.delivery)
            if options or resume is None:  # `resume` alone changes nothing else
                changes["delivery"] = options
            if resume not in (None, RESUME_NOW):
                problems.append(f'delivery.resume: must be "{RESUME_NOW}"')
        changed = self._with_secrets(attrs.evolve(endpoint, **changes), fields, problems)
        if changes.get("status") == ENDPOINT_ACTIVE:
            changed = attrs.evolve(changed, reason=None, failing_since=None)
        return changed

    def _with_secrets(
        self, changed: WebhookEndpoint, fields: EndpointFields, problems: list[str]
    ) -> WebhookEndpoint:
        """`changed` with the given secrets. Raises `UseCaseError` with `problems` and its own."""
        secret, previous = fields.signing_secret, fields.previous_signing_secret
        candidate = attrs.evolve(
            changed,
            secret=changed.secret if secret is None else secret,
            previous_secret=changed.previous_secret if previous is None else previous,
        )
        defaults = self._settings().webhooks.defaults
        refuse([*problems, *candidate.problems(defaults)], OperationFailure.REFUSED)
        if secret is None and previous is None:
            return changed
        overlap = candidate.policies(defaults)[1].secret_overlap
        return changed.with_secrets(candidate.secret, previous, overlap, self._clock.steady_ms())


def _only_pauses_or_resumes(fields: EndpointFields) -> bool:
    """What the operator may also do with an endpoint that the configuration file declares."""
    changes = {
        name: value for name, value in attrs.asdict(fields, recurse=False).items() if value is not None
    }
    resume = changes.pop("delivery", None)
    return changes.keys() <= {"status"} and (resume is None or resume.keys() == {"resume"})


def _without_resume(delivery: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    """`resume` is an order, and no property of an endpoint."""
    return {name: value for name, value in delivery.items() if name != "resume"}, delivery.get("resume")


def _refuse_declared(endpoint: WebhookEndpoint) -> None:
    if endpoint.origin is Origin.FILE:
        raise UseCaseError(
            OperationFailure.REFUSED, "this endpoint belongs to the configuration file; change it there"
        )
