"""Wall-clock times: unix milliseconds inside, RFC 3339 in UTC outside."""

import functools
import re
from datetime import UTC, datetime

FIRST_MS = -62_135_596_800_000  # 0001-01-01T00:00:00Z
LAST_MS = 253_402_300_799_999  # the end of 9999-12-31, UTC
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")


def rfc3339(ms: int) -> str:
    """RFC 3339 in whole seconds with a `Z`, the contract's form."""
    return _of_second(ms // 1000)


@functools.lru_cache(maxsize=64)  # most calls are for the last few seconds
def _of_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_rfc3339(text: str) -> int:
    """Unix milliseconds, of a time that `rfc3339` can show. Raises `ValueError`."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("must be a time such as 2026-06-07T00:00:00Z")
    try:
        ms = round(datetime.fromisoformat(text.upper()).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ValueError("must be a time such as 2026-06-07T00:00:00Z") from None
    if not FIRST_MS <= ms <= LAST_MS:
        raise ValueError("must be from the year 1 to the year 9999, in UTC")
    return ms
