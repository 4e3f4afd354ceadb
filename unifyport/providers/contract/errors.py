"""Failure classes: every failure leaves a connector as one of these. Any other exception is a bug of it."""


class ChannelError(Exception):
    """`reason` is machine-readable. `maybe_applied`: the platform may have carried out the request."""

    def __init__(self, reason: str, *, maybe_applied: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.maybe_applied = maybe_applied


class Transient(ChannelError):
    """Network, 5xx, time-out: try again after a back-off."""


class RateLimited(ChannelError):
    """The platform told us to wait `retry_after` seconds; nothing was applied."""

    def __init__(self, retry_after: float, reason: str = "rate_limited") -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Conflict(ChannelError):
    """The same login is in use elsewhere."""


class LoggedOut(ChannelError):
    """The platform does not, or no longer, accept the credentials. A restart cannot fix that."""


class Rejected(ChannelError):
    """The platform refuses this one request; the connection is not affected. `detail` is for the caller."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail
