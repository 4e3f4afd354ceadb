"""`scripts/chaos delivery`, reduced: a receiver that fails, hangs and hangs up,
and a gateway that is killed.
"""

import pytest

from scripts.scenarios import delivery

pytestmark = pytest.mark.chaos


async def test_nothing_is_lost_and_repeats_are_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FORGOTTEN", 2.0)  # the machine of a test run has other work, too
    found = await delivery.run(events=2_000, kills=3, seed=5)
    assert found.problems() == []
    assert len(found.kills) == 3
    assert {"fails", "hangs", "resets"} <= set(found.receiver.reactions)
