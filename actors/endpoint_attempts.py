"""One attempt of a delivery to a webhook endpoint: the body in the endpoint's form, signed and posted."""

import logging

import trio

from unifyport.delivery.client import DeliveryClient
from unifyport.delivery.signing import Signer
from unifyport.delivery.verdict import EXPIRED, INTERNAL_ERROR, Attempt
from unifyport.model.account import Origin
from unifyport.model.event import in_form
from unifyport.model.owed import Owed
from unifyport.model.webhook import DeliveryPolicy, WebhookEndpoint
from unifyport.process.clock import Clock

log = logging.getLogger("unifyport.delivery")


class Attempts:
    """An attempt uses the URL, secrets and policy of the endpoint at the time when it begins."""

    def __init__(self, client: DeliveryClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._signer: Signer | None = None
        self._signer_until: int | None = None  # steady clock
        self._endpoint: WebhookEndpoint | None = None  # that the signer is of, with `_policy`
        self._policy: DeliveryPolicy | None = None

    def close(self) -> None:
        self._client.close()

    async def make(self, endpoint: WebhookEndpoint, policy: DeliveryPolicy, row: Owed) -> tuple[Attempt, str]:
        """What came of it, and the id of the delivery."""
        now = self._clock.now_ms()
        delivery_id = f"dlv_{endpoint.no}_{row.seq}_{row.round}.{row.attempts + 1}"
        if row.expires_at is not None and self._clock.has_passed(row.expires_at):
            await trio.lowlevel.checkpoint()
            return Attempt(error=EXPIRED), delivery_id
        try:
            body = in_form(row.body, policy.body, provider_data=policy.provider_data)
            self._client.shows_private = endpoint.origin is Origin.FILE
            sign = self._signer_of(endpoint, policy, self._clock.steady_ms())
            fields = sign(row.event_id, delivery_id, now, body, replay=row.round > 0)
            return await self._client.post(endpoint.url, fields, body, policy.timeout), delivery_id
        except Exception:
            log.exception("endpoint %s: an attempt crashed", endpoint.id)
            await trio.lowlevel.checkpoint()
            return Attempt(error=INTERNAL_ERROR), delivery_id

    def _signer_of(self, endpoint: WebhookEndpoint, policy: DeliveryPolicy, now: int) -> Signer:
        """The signer with the secrets that are valid at `now` (steady clock, ms).

        In a rotation the old one is valid for a time.
        """
        over = self._signer_until is not None and now >= self._signer_until
        changed = self._endpoint is not endpoint or self._policy is not policy
        if self._signer is None or over or changed:
            secrets = endpoint.secrets(now)
            self._signer = Signer(secrets, policy.signatures)
            self._signer_until = endpoint.previous_until if len(secrets) > 1 else None
            self._endpoint, self._policy = endpoint, policy
        return self._signer
