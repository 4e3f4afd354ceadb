"""How fast an account may send: token buckets for the account and for each of its conversations.

    [providers.telegram.pace]
    account = "30/s"                              # all messages of one account
    user = { rate = "10/m", burst = 45 }          # messages to one person
    group = "off"                                 # messages to one group or channel: no limit

A message takes one token of its conversation and one of the account. Platforms publish their limits as such
numbers, and a bucket that the platform itself has closed (an answer "try again in n seconds") gives nothing
until then. Times are seconds of one monotonic clock.
"""

from collections import OrderedDict

import attrs

from .token_bucket import Bucket, Limit

MAX_BUCKETS = 32_768  # conversations of one account that are remembered


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
