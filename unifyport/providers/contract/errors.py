"""Failure classes: whatever goes wrong leaves a connector as one of these; anything else counts as its bug."""


class ChannelError(Exception):
    """`reason` is machine-readable. `maybe_applied`: a request may have had its effect nevertheless."""

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
    """The platform does not, or no longer, accept the credentials. No restart mends that."""


class Rejected(ChannelError):
    """The platform refuses this one request; the connection is fine. `detail` is for the caller."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.detail = detail
