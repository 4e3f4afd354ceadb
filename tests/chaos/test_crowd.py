"""`scripts/chaos crowd`, reduced: more callers at once than an account can serve in time."""

import pytest

from scripts.scenarios import crowd

pytestmark = pytest.mark.chaos


async def test_every_caller_that_obeys_retry_after_has_its_message_sent_once() -> None:
    assert await crowd.run(1200)
