"""How much an app and a user may call, and when a limit opens again.

X allows a user 15 direct messages in 15 minutes and 1,440 in 24 hours
(https://docs.x.com/x-api/fundamentals/rate-limits). Every answer says how much is left:
`x-rate-limit-remaining` and `x-rate-limit-reset` (unix seconds), for a day's limit `x-user-limit-24hour-…`
and `x-app-limit-24hour-…`. The clock is X's: the `date` of the answer is what `reset` is compared with.
"""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit
from unifyport.providers.contract.errors import MAX_RETRY_AFTER

MEBIBYTE = 1024 * 1024
PARALLEL_SENDS = 4
PACE = Pace(account=Limit(15 / 900, 15))
MAX_TEXT = 10_000
# https://docs.x.com/x-api/media/introduction
MAX_UPLOAD = {
    "image": 15 * MEBIBYTE,
    "video": 512 * MEBIBYTE,
    "audio": 512 * MEBIBYTE,  # in encrypted conversations, for which X publishes no limits
    "document": 512 * MEBIBYTE,
}
MAX_IMAGE = 5 * MEBIBYTE  # of an image that is no GIF
MAX_DOWNLOAD = 512 * MEBIBYTE
DEFAULT_WAIT = 60.0  # https://docs.x.com/x-api/fundamentals/handling-disconnections
_WINDOWS = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")


def closed_for(headers: Mapping[str, str]) -> float | None:
    """Seconds until the windows that an answer shows as used up open again; None: none is used up."""
    waits = [
        wait
        for window in _WINDOWS
        if headers.get(f"{window}-remaining") == "0"
        and (wait := _until(headers.get(f"{window}-reset", ""), headers)) is not None
    ]
    return max(waits, default=None)


def wait_of(headers: Mapping[str, str]) -> float:
    """How long to wait after a 429."""
    wait = closed_for(headers)
    return DEFAULT_WAIT if wait is None else wait


def _until(reset: str, headers: Mapping[str, str]) -> float | None:
    if not reset.isascii() or not reset.isdigit() or len(reset) > 11:
        return None
    try:
        now = parsedate_to_datetime(headers.get("date", "")).timestamp()
    except (ValueError, TypeError):
        now = time.time()
    return min(max(1.0, int(reset) - now), MAX_RETRY_AFTER)


class Windows:
    """Which calls would be refused now, as far as answers have said. `now`: seconds of a monotonic clock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._closed: dict[str, float] = {}  # family of calls -> until when

    def wait(self, family: str) -> float:
        """Seconds until a call of this family may be made; 0.0: now."""
        return max(0.0, self._closed.get(family, 0.0) - self._now())

    def note(self, family: str, headers: Mapping[str, str]) -> None:
        wait = closed_for(headers)
        if wait is not None:
            self._closed[family] = self._now() + wait
