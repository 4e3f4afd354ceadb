"""Times that must be in the future: what has passed and what has no date is refused, with its field."""

import pytest

from unifyport.gateway.errors import UseCaseError
from unifyport.gateway.fields import read_future
from unifyport.model.times import rfc3339
from unifyport.process.clock import Clock

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (rfc3339(NOW), f"must be in the future \\(it is {rfc3339(NOW)}\\)"),
        ("2001-01-01T00:00:00Z", "must be in the future"),
        ("9999-12-31T23:59:59-01:00", "must be from the year 1 to the year 9999"),
        ("tomorrow", "must be a time such as"),
    ],
)
def test_what_is_no_future_time_is_refused(text: str, why: str) -> None:
    with pytest.raises(UseCaseError, match=why) as refused:
        read_future("mute_until", text, Clock.without_steps(lambda: NOW))
    assert refused.value.field == "mute_until"


def test_no_time_has_passed_while_the_clock_is_in_doubt() -> None:
    wall = elapsed = NOW
    clock = Clock(lambda: wall, lambda: elapsed)
    soon = rfc3339(NOW + 60_000)
    assert read_future("expires_at", soon, clock) == NOW + 60_000
    wall += 86_400_000
    assert read_future("expires_at", soon, clock) == NOW + 60_000
    clock.accept()
    with pytest.raises(UseCaseError, match="must be in the future"):
        read_future("expires_at", soon, clock)
