"""`scripts/chaos soak`, reduced: mixed load for half a minute; the script runs for 30."""

import pytest

from scripts.scenarios import soak

pytestmark = pytest.mark.chaos


async def test_memory_has_a_plateau_under_mixed_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "HEALTH_LIMIT", 5.0)  # what a liveness probe commonly waits
    assert await soak.run(40)
