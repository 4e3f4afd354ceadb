"""Failure classes: every failure leaves a connector as one of these. Any other exception is a bug of it."""

from typing import Literal, Self


class ChannelError(Exception):
    """`reason` is machine-readable. `maybe_applied`: the platform may have carried out the request.

    `cause`: what the operator should know beside it, such as the host that cannot be reached; no secret.
    """

    def __init__(self, reason: str, *, maybe_applied: bool = False, cause: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.maybe_applied = maybe_applied
        self.cause = cause

    def __copy__(self) -> Self:
        """The same failure without its traceback, for another task to raise."""
        made = type(self).__new__(type(self), *self.args)
        made.__dict__.update(self.__dict__)
        return made


class Transient(ChannelError):
    """Network, 5xx, time-out: try again after a back-off."""


Scope = Literal["account", "conversation"]
# Seconds. After a longer wait the platform is asked again; with a shorter one it would be asked in a loop.
MIN_RETRY_AFTER, MAX_RETRY_AFTER = 1.0, 86_400.0
ACCOUNT: Scope = "account"
CONVERSATION: Scope = "conversation"


class RateLimited(ChannelError):
    """The platform told us to wait `retry_after` seconds; nothing was applied. `scope`: all sends, or this
    conversation. Whatever number a platform says, the wait is between `MIN_RETRY_AFTER` and
    `MAX_RETRY_AFTER`.
    """

    def __init__(
        self,
        retry_after: float,
        reason: str = "rate_limited",
        *,
        scope: Scope = ACCOUNT,
    ) -> None:
        super().__init__(reason)
        # NaN is not above the least wait either.
        known = retry_after if retry_after > MIN_RETRY_AFTER else MIN_RETRY_AFTER
        self.retry_after = min(known, MAX_RETRY_AFTER)
        self.scope = scope


class Conflict(ChannelError):
    """The same login is in use elsewhere.

    `with_others`: certainly by another program, and not by the connection that this account has just closed.
    """

    def __init__(self, reason: str, *, with_others: bool = False) -> None:
        super().__init__(reason)
        self.with_others = with_others


class LoggedOut(ChannelError):
    """The platform does not, or no longer, accept the credentials. A restart cannot fix that."""


class Rejected(ChannelError):
    """The platform refuses this one request; the connection is not affected.

    `detail` is for the caller. `code`: the platform's own, where it is not the reason.
    """

    def __init__(self, reason: str, detail: str = "", *, code: str | int = "") -> None:
        super().__init__(reason)
        self.detail = detail
        self.code = str(code)


class NotBegun(ChannelError):
    """`Session.sending` was refused before anything was handed over: no byte of the message may be written.

    Let it pass; the send is `not_sent`. `reason`: `deadline`, `shutting_down`, `lease_lost`, or
    `connection_replaced`, after which the outbox gives the command to the next connection. `changes` are not
    visible, and a copy in memory must not have them either. The connection goes on.
    """


class SessionLost(Transient):
    """A change was refused or failed, or a newer incarnation has begun: memory may be ahead of the disk.

    Let it pass. The session is closed and its incarnation ends without cost to the restart budget; the next
    one reads what the store holds. A command whose `sending` raised it has not begun.
    """

    def __init__(self, reason: str = "session_lost") -> None:
        super().__init__(reason)


def worst(group: BaseExceptionGroup[ChannelError]) -> ChannelError:
    """The failure that says most: the login is void, then the session is closed, then a conflict or a
    wait, then a lost connection.
    """
    found = _flat(group)
    for kind in (LoggedOut, SessionLost):
        for error in found:
            if isinstance(error, kind):
                return error
    return next((error for error in found if type(error) is not Transient), found[0])


def _flat(group: BaseExceptionGroup[ChannelError]) -> list[ChannelError]:
    found: list[ChannelError] = []
    for error in group.exceptions:
        found += _flat(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
