"""Access tokens of the third version: when they are refreshed, and what an answer does to them. Pure.

    what happens                             decision
    -------------------------------------    --------------------------------------------------------------
    time of refresh has come, also at the    REFRESH before the next call; calls under way go on
      start, for a token that ran out
    a call answers MUST_REFRESH_V3_TOKEN     REFRESH, then the call once more; the second time: LOGGED_OUT
      for an older token than the newest     REPEAT with the newest: another call has refreshed meanwhile
    a call answers NOT_AUTHORIZED_DEVICE     REFRESH, once: the answer of a former refresh may have been
                                             lost; otherwise, and where that is refused: LOGGED_OUT
    an answer has `x-line-next-access`       that token replaces the old one; the refresh token stays
    the refresh is refused                   LOGGED_OUT, unless the refusal asks for a RETRY
    the refresh brings no access token       nothing changes, RETRY

Never another login by ourselves: a user's phone shows no PIN that was not asked for. The newest pair is
durable before it is used; one refresh at a time. Times are unix seconds and passed in.

Source: `base/service/auth` and `base/request` of https://github.com/evex-dev/linejs; structures
`TokenV3IssueResult`, `RefreshAccessTokenResponse`, `RetryPolicy` of its `line.thrift`.
"""

import re
from enum import Enum
from typing import Annotated

from attrs import evolve, field, frozen

from unifyport.protocols.thrift import I32, I64

REFRESH_PATH = "/EXT/auth/tokenrefresh/v1"
REFRESH = "refresh"
RETRY_REQUIRED = 1001
# A token that says nothing about its time: refreshed daily. They live for about seven days.
DEFAULT_DURATION = 86_400
SHORTEST_DURATION, LONGEST_DURATION = 60, 30 * 86_400
MOST_DELAY = 3600.0
LONGEST_TOKEN = 8192  # characters
_TOKEN = re.compile(rf"[\x21-\x7e]{{1,{LONGEST_TOKEN}}}")


@frozen
class RetryPolicy:
    """How often a refresh is tried again. Milliseconds."""

    initial_delay: Annotated[I64 | None, 1] = None
    max_delay: Annotated[I64 | None, 2] = None
    multiplier: Annotated[float | None, 3] = None
    jitter: Annotated[float | None, 4] = None

    def delay(self, attempt: int) -> float:
        """Seconds before the attempt after `attempt` failed ones (from 1), without jitter."""
        first = max((self.initial_delay or 10_000) / 1000, 1.0)
        most = min(max((self.max_delay or 0) / 1000, first), MOST_DELAY) if self.max_delay else MOST_DELAY
        factor = self.multiplier if self.multiplier is not None and self.multiplier > 1 else 2.0
        try:
            return min(first * factor ** (attempt - 1), most)
        except OverflowError:
            return most


@frozen
class IssuedToken:
    """The tokens that a login brings (`TokenV3IssueResult`)."""

    access: Annotated[str | None, 1] = field(default=None, repr=False)
    refresh: Annotated[str | None, 2] = field(default=None, repr=False)
    duration: Annotated[I64 | None, 3] = None
    retry: Annotated[RetryPolicy | None, 4] = None


@frozen
class RefreshRequest:
    refresh: Annotated[str, 1] = field(default="", repr=False)


@frozen
class RefreshArguments:
    request: Annotated[RefreshRequest | None, 1] = None


@frozen
class RefreshAnswer:
    """`refresh` is there only where the server rotates it."""

    access: Annotated[str | None, 1] = field(default=None, repr=False)
    duration: Annotated[I64 | None, 2] = None
    retry: Annotated[RetryPolicy | None, 3] = None
    refresh: Annotated[str | None, 5] = field(default=None, repr=False)


@frozen
class RefreshException:
    code: Annotated[I32 | None, 1] = None


@frozen
class RefreshResult:
    success: Annotated[RefreshAnswer | None, 0] = None
    error: Annotated[RefreshException | None, 1] = None


@frozen
class Tokens:
    """The newest pair. `refresh_at`: unix seconds by our clock. `number` counts the access tokens."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    refresh_at: float
    retry: RetryPolicy = RetryPolicy()
    number: int = 0

    def due(self, now: float) -> bool:
        """Whether the token is refreshed before the next call."""
        return bool(self.refresh) and now >= self.refresh_at


class Decision(Enum):
    """What to do after a refusal."""

    REFRESH = "refresh"
    REPEAT = "repeat"
    RETRY = "retry"
    LOGGED_OUT = "logged_out"


def issued(token: IssuedToken, now: float) -> Tokens:
    """The pair of a login. Raises `ValueError` where there is no access token."""
    if not _usable(token.access):
        raise ValueError("no access token")
    retry = token.retry or RetryPolicy()
    return Tokens(token.access or "", _kept(token.refresh), now + _seconds(token.duration), retry)


def refreshed(tokens: Tokens, answer: RefreshAnswer, now: float) -> Tokens | None:
    """The pair after a refresh; None where the answer holds no token, so that nothing changes."""
    if not _usable(answer.access):
        return None
    return Tokens(
        answer.access or "",
        _kept(answer.refresh) or tokens.refresh,
        now + _seconds(answer.duration),
        answer.retry or tokens.retry,
        tokens.number + 1,
    )


def replaced(tokens: Tokens, next_access: str) -> Tokens:
    """The pair after an answer with the header `x-line-next-access`. The time of refresh stays."""
    if not _usable(next_access) or next_access == tokens.access:
        return tokens
    return evolve(tokens, access=next_access, number=tokens.number + 1)


def after_must_refresh(tokens: Tokens, used: int, repeated: bool) -> Decision:
    """MUST_REFRESH_V3_TOKEN on a call with token `used`; `repeated`: once, after a refresh."""
    if used < tokens.number:
        return Decision.REPEAT
    if repeated or not tokens.refresh:
        return Decision.LOGGED_OUT
    return Decision.REFRESH


def after_not_authorized(tokens: Tokens, used: int, repeated: bool) -> Decision:
    """NOT_AUTHORIZED_DEVICE or NOT_AUTHORIZED_SESSION: the device was logged out, unless another token has
    replaced the one that was used.
    """
    if repeated:
        return Decision.LOGGED_OUT
    if used < tokens.number:
        return Decision.REPEAT
    return Decision.REFRESH if tokens.refresh else Decision.LOGGED_OUT


def after_refusal(error: RefreshException) -> Decision:
    """The refresh itself was refused."""
    return Decision.RETRY if error.code == RETRY_REQUIRED else Decision.LOGGED_OUT


def _usable(token: str | None) -> bool:
    """Whether it can be a header of a request: another token would leave no call that can be made."""
    return bool(token) and _TOKEN.fullmatch(token or "") is not None


def _kept(refresh: str | None) -> str:
    return refresh if refresh is not None and len(refresh) <= LONGEST_TOKEN else ""


def _seconds(duration: int | None) -> int:
    if duration is None or duration <= 0:
        return DEFAULT_DURATION
    return min(max(duration, SHORTEST_DURATION), LONGEST_DURATION)
