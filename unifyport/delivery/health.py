"""The health of one endpoint, as the operator sees it: failing, recovered or disabled.

An endpoint is failing after `FAILURES` endpoint failures in a row, and has recovered after one success. It is
disabled after it was failing for `disable_after`. Fewer failures are ordinary and not reported.

Pure: times are ms of the steady clock, passed in; `disable_after` is seconds.
"""

import enum

FAILURES = 5


class Change(enum.Enum):
    FAILING = "failing"
    RECOVERED = "recovered"
    DISABLED = "disabled"


class Health:
    """`since`: the time of the first failure after the last success, once the endpoint is failing."""

    def __init__(self, since: int | None = None) -> None:
        self.since = since
        self._first = since
        self._failures = 0 if since is None else FAILURES

    def failed(self, now: int, disable_after: float) -> Change | None:
        if self._first is None:
            self._first = now
        self._failures += 1
        if self._failures < FAILURES:
            return None
        if self.since is None:
            self.since = self._first
            return Change.FAILING
        return Change.DISABLED if now - self.since >= disable_after * 1000 else None

    def succeeded(self) -> Change | None:
        if not self._failures:
            return None
        failing, self.since, self._first, self._failures = self.since is not None, None, None, 0
        return Change.RECOVERED if failing else None
