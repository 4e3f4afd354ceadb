"""Wall-clock times: unix milliseconds inside, RFC 3339 in UTC outside."""

from datetime import UTC, datetime


def rfc3339(ms: int) -> str:
    """Whole seconds with a `Z`, as the contract writes times."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
