"""The health of one endpoint, for its operator: when it is said to fail, to have recovered, or is disabled.

An endpoint fails when `FAILURES` attempts in a row have failed its way; one success and it has recovered. One
that did nothing but fail for `disable_after` is disabled. Single failures are ordinary, and nobody is told of
them.

Pure: times are unix ms, passed in.
"""

import enum

FAILURES = 5


class Change(enum.Enum):
    FAILING = "failing"
    RECOVERED = "recovered"
    DISABLED = "disabled"


class Health:
    """`since`: the first failure after the last success, once it is said to fail."""

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
