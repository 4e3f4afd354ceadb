"""The watchdog names the code that holds the event loop."""

import logging
import time

import pytest
import trio
import trio.testing

from supervisors import Incarnation
from unifyport.process.watchdog import LIMIT, Watchdog


def compute_for_long() -> None:
    until = time.perf_counter() + 8 * LIMIT
    while time.perf_counter() < until:
        pass


async def watched(times: int, *, waits: float = 0.0) -> Watchdog:
    """A watchdog whose loop was held `times`, and then had nothing to do for `waits` seconds."""
    watchdog, me = Watchdog(), Incarnation(1, float("inf"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watchdog.run, me)
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(times):
            compute_for_long()
            await trio.testing.wait_all_tasks_blocked()
        await trio.to_thread.run_sync(time.sleep, waits)
        me.stop(1.0)
    return watchdog


async def test_what_holds_the_loop_is_named(caplog: pytest.LogCaptureFixture) -> None:
    watchdog = await watched(times=3)
    [told] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "by compute_for_long (" in told  # once, though it was held three times
    assert __file__ in told
    assert watchdog.held >= 3
    assert watchdog.longest >= 8 * LIMIT


async def test_a_loop_that_waits_is_not_held(caplog: pytest.LogCaptureFixture) -> None:
    watchdog = await watched(times=0, waits=8 * LIMIT)
    assert watchdog.held == 0
    assert not caplog.records
