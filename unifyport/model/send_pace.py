"""How fast an account may send: token buckets for the account and for each of its conversations.

    [providers.telegram.pace]
    account = "30/s"                              # all messages of one account
    user = { rate = "10/m", burst = 45 }          # messages to one person
    group = "off"                                 # messages to one group or channel: no limit

A bucket holds at most `burst` tokens and gains `rate` tokens a second; a message takes one of its
conversation and one of the account. Platforms publish their limits as such numbers, and a bucket that the
platform itself has closed (an answer "try again in n seconds") gives nothing until then. Times are seconds of
one monotonic clock.
"""

import math
from collections import OrderedDict
from collections.abc import Mapping

import attrs

from .rates import parse_rate

MAX_BUCKETS = 32_768  # conversations of one account that are remembered
MIN_RATE, MAX_RATE, MAX_BURST = 1 / 3600, 10_000, 100_000
OFF = "off"


@attrs.frozen
class Limit:
    """`rate` messages a second in the long run, at most `burst` at once."""

    rate: float
    burst: int

    @classmethod
    def parse(cls, value: object) -> "Limit | None":
        """Of `"30/s"` or `{ rate = "20/m", burst = 5 }`; None for `"off"`.

        Without `burst`: as many as the rate allows in one second, at least one. Raises `ValueError`.
        """
        if value == OFF:
            return None
        text, burst = value, None
        if isinstance(value, Mapping):
            if unknown := sorted(set(value) - {"rate", "burst"}):
                raise ValueError(f"has no key {unknown[0]!r}: a limit has rate and burst")
            text, burst = value.get("rate"), value.get("burst")
        try:
            rate = parse_rate(text)
        except ValueError as error:
            raise ValueError(f'{error}, "off", or a table with rate and burst') from None
        if not MIN_RATE <= rate <= MAX_RATE:
            raise ValueError(f"the rate must be from 1/h to {MAX_RATE}/s")
        if burst is None:
            burst = max(1, int(rate))
        if isinstance(burst, bool) or not isinstance(burst, int) or not 1 <= burst <= MAX_BURST:
            raise ValueError(f"burst must be a whole number from 1 to {MAX_BURST}")
        return cls(rate, burst)


@attrs.frozen
class Pace:
    """The limits of one account; None: no limit."""

    account: Limit | None = None
    user: Limit | None = None
    group: Limit | None = None

    def of_conversation(self, conversation_type: str) -> Limit | None:
        """The limit of one conversation, by its `type` in the API: `user`, or one with several members."""
        return self.user if conversation_type == "user" else self.group


UNPACED = Pace()


class Bucket:
    """Tokens by virtual scheduling (GCRA, ITU-T I.371): one number, the time at which the bucket will be
    full.
    """

    __slots__ = ("_closed_until", "_full_at")

    def __init__(self) -> None:
        self._full_at = -math.inf
        self._closed_until = -math.inf

    def wait(self, limit: Limit | None, now: float, ahead: int = 0) -> float:
        """Seconds until there is a token for the one who comes after `ahead` others; 0.0: now."""
        closed = max(0.0, self._closed_until - now)
        if limit is None:
            return closed
        missing = max(self._full_at, now) - now  # seconds that refill what is missing
        return max(closed, missing + (ahead + 1 - limit.burst) / limit.rate, 0.0)

    def take(self, limit: Limit | None, now: float) -> None:
        """Take one token, whether there is one or not: a debt delays those that follow."""
        if limit is not None:
            self._full_at = max(self._full_at, now) + 1 / limit.rate

    def give_back(self, limit: Limit | None) -> None:
        """Undo one `take` of this limit."""
        if limit is not None:
            self._full_at -= 1 / limit.rate

    def close(self, until: float) -> None:
        """Give nothing before `until`."""
        self._closed_until = max(self._closed_until, until)

    def reopen(self) -> None:
        """Give tokens again, whatever `close` said."""
        self._closed_until = -math.inf

    def is_idle(self, now: float) -> bool:
        """Whether it is full and open, so that a new bucket is as good."""
        return self._full_at <= now and self._closed_until <= now


class Pacer:
    """The buckets of one account. `pace` may be replaced at any time; what was taken stays taken."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.account = Bucket()
        self._conversations: OrderedDict[str, Bucket] = OrderedDict()  # least recently used first

    def account_wait(self, now: float, ahead: int = 0) -> float:
        return self.account.wait(self.pace.account, now, ahead)

    def conversation_wait(self, key: str, kind: str, now: float, ahead: int = 0) -> float:
        """`key`: the canonical conversation id; `kind`: its type."""
        bucket = self._conversations.get(key)
        return (bucket or Bucket()).wait(self.pace.of_conversation(kind), now, ahead)

    def take(self, key: str, kind: str, now: float) -> None:
        """A message to the conversation begins."""
        self.account.take(self.pace.account, now)
        limit = self.pace.of_conversation(kind)
        if limit is not None:
            self._bucket(key, now).take(limit, now)

    def give_back(self, key: str, kind: str, pace: Pace) -> None:
        """The message for which `take` was called, at `pace`, does not begin after all."""
        self.account.give_back(pace.account)
        if (bucket := self._conversations.get(key)) is not None:
            bucket.give_back(pace.of_conversation(kind))

    def close_account(self, until: float) -> None:
        self.account.close(until)

    def close_conversation(self, key: str, until: float, now: float) -> None:
        self._bucket(key, now).close(until)

    def reopen(self) -> None:
        """Open every bucket that was closed."""
        for bucket in (self.account, *self._conversations.values()):
            bucket.reopen()

    def __len__(self) -> int:
        return len(self._conversations)

    def _bucket(self, key: str, now: float) -> Bucket:
        bucket = self._conversations.get(key)
        if bucket is None:
            self._forget(now)
            bucket = self._conversations[key] = Bucket()
        self._conversations.move_to_end(key)
        return bucket

    def _forget(self, now: float) -> None:
        """Make room: drop idle buckets from the oldest on, and the oldest one in any case when there are too
        many.
        """
        while self._conversations:
            key, oldest = next(iter(self._conversations.items()))
            if not oldest.is_idle(now) and len(self._conversations) < MAX_BUCKETS:
                return
            del self._conversations[key]
