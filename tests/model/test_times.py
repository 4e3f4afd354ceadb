"""RFC 3339 in and out: what is read can be shown."""

import pytest

from unifyport.model.times import FIRST_MS, LAST_MS, parse_rfc3339, rfc3339


@pytest.mark.parametrize(
    ("text", "ms", "shown"),
    [
        ("0001-01-01T00:00:00Z", FIRST_MS, "0001-01-01T00:00:00Z"),
        ("1970-01-01t00:00:00.5z", 500, "1970-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59.999Z", LAST_MS, "9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59+01:00", LAST_MS - 3_600_999, "9999-12-31T22:59:59Z"),
    ],
)
def test_what_is_read_can_be_shown(text: str, ms: int, shown: str) -> None:
    assert parse_rfc3339(text) == ms
    assert rfc3339(ms).rjust(20, "0") == shown


@pytest.mark.parametrize(
    "text",
    [
        "9999-12-31T23:59:59-01:00",
        "9999-12-31T23:59:59.9999Z",
        "0001-01-01T00:00:00+00:01",
        "0000-01-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T00:00:00+25:00",
        "2026-01-01",
        "2026-01-01T00:00:00",
    ],
)
def test_times_that_no_date_in_utc_shows_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be "):
        parse_rfc3339(text)
