"""`scripts/chaos storm`, reduced: every account loses its connection at once,
and comes back as its policy says.
"""

import pytest

from scripts.scenarios import storm

pytestmark = pytest.mark.chaos


async def test_every_account_is_back_and_no_limit_was_exceeded(monkeypatch: pytest.MonkeyPatch) -> None:
    # The script judges the speed of /healthz; here the limit is what a liveness probe commonly waits.
    monkeypatch.setattr(storm, "HEALTH_LIMIT", 5.0)
    assert await storm.run(150)
