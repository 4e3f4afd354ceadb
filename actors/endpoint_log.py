"""Log lines about one webhook endpoint: each change of its health, its breaker, and the name of its host."""

import logging

from unifyport.delivery.verdict import Attempt
from unifyport.model.webhook import ENDPOINT_ACTIVE, WebhookEndpoint

log = logging.getLogger("unifyport.delivery")


def log_transition(endpoint: WebhookEndpoint, what: str, attempt: Attempt, waits: float) -> None:
    """One line for each change of health or breaker: which endpoint, why, what comes next, what to do.

    `waits`: seconds until the next attempt.
    """
    fields = {"endpoint_id": endpoint.id, "endpoint": endpoint.name or endpoint.id}
    level = logging.INFO
    if what not in ("recovered", "breaker closed"):
        level, fields["reason"] = logging.WARNING, attempt.reason
        fields["next"] = "it is still owed its events"
        if endpoint.status != ENDPOINT_ACTIVE:
            fields["action"] = f"mend the receiver, then: unifyport webhooks resume {endpoint.id}"
        else:
            fields["next"] += f"; the next attempt is in {max(waits, 0.0):.0f} s"
            fields["action"] = f"see what it answers: unifyport webhooks deliveries {endpoint.id}"
    log.log(level, "endpoint %r: %s", fields["endpoint"], what, extra=fields)


def log_name(endpoint: WebhookEndpoint, *, resolves: bool) -> None:
    """The name of its host has an address again, or has none."""
    name = endpoint.name or endpoint.id
    fields = {"endpoint_id": endpoint.id, "endpoint": name}
    if resolves:
        log.info("endpoint %r: its host's name is resolved again", name, extra=fields)
        return
    fields["action"] = "check the host in its url, and the name servers of this machine"
    log.warning("endpoint %r: its host's name is not resolved", name, extra=fields)
