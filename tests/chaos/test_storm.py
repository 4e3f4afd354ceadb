"""`scripts/chaos storm`, reduced: every account loses its connection at once,
and comes back as its policy says.
"""

import pytest

from scripts.scenarios import storm

pytestmark = pytest.mark.chaos


async def test_every_account_is_back_and_no_limit_was_exceeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storm, "HEALTH_LIMIT", 1.0)  # the machine of a test run has other work, too
    assert await storm.run(150)
