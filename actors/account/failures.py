"""Why an incarnation of an account ended, in the supervisor's terms."""

from supervisors import Failure, Kind, classify
from unifyport.providers.contract.errors import ChannelError, Conflict, LoggedOut, RateLimited
from unifyport.storage.contract import StoreUnavailable

ROAD_RETRY_SECONDS = 0.5
STORE_RETRY_SECONDS = 5.0
LEASE_LOST = "lease_lost"


class NotDurable(Exception):
    """The store refused a unit or it failed: the connector's memory is ahead of the disk, so its incarnation
    ends.
    """


class LeaseLost(Exception):
    """Another process acts for this account now."""


def failure_of(error: BaseException, *, conflict_is_ours: bool) -> Failure:
    """How the supervisor treats what `Connection.run` raised.

    `conflict_is_ours`: the platform may still see the connection that this account has just closed.
    """
    match error:
        case LoggedOut(reason=reason):
            return Failure(Kind.TERMINAL, reason)
        case RateLimited(reason=reason, retry_after=seconds):
            return Failure(Kind.DEFERRED, reason, retry_after=seconds)
        case Conflict(reason=reason, with_others=with_others):
            own = conflict_is_ours and not with_others
            return Failure(Kind.TRANSIENT if own else Kind.CONFLICT, reason)
        case ChannelError(reason=reason, cause=cause):
            return Failure(Kind.TRANSIENT, reason, cause)
        case NotDurable():
            # The gateway's own road failed, not the account: it costs no restart budget.
            return Failure(Kind.DEFERRED, "not_durable", str(error), retry_after=ROAD_RETRY_SECONDS)
        case StoreUnavailable(reason=reason):
            return Failure(Kind.DEFERRED, "storage_unavailable", reason, retry_after=STORE_RETRY_SECONDS)
        case LeaseLost():
            return Failure(Kind.TERMINAL, LEASE_LOST)
        case _:
            return classify(error)
