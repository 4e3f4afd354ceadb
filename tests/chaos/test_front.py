"""`scripts/chaos front`, reduced: hostile callers while webhooks and a health check go on.

A busy machine delays the answers as well, so that only long delays fail.
"""

import os

import pytest

from scripts.scenarios import front

pytestmark = pytest.mark.chaos

FULL = os.environ.get("CHAOS") == "full"


async def test_hostile_callers_keep_nobody_from_being_answered() -> None:
    seconds, scale = (15.0, 1.0) if FULL else (3.0, 0.7)
    assert await front.run(seconds, scale, within=2.0)
