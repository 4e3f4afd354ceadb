"""Supervisors that run while a test looks at them, on a MockClock."""

from collections.abc import Awaitable, Callable

import trio

from supervisors import (
    Backoff,
    Incarnation,
    OneForOne,
    Policy,
    RestForOne,
)

POLICY = Policy(backoff=Backoff(1, 2, 8, 0), max_restarts=3, window=1000, park_interval=100, stop_timeout=5)


async def run(supervisor: OneForOne | RestForOne, script: Callable[[], Awaitable[None]]) -> None:
    """Run a supervisor while `script` runs, then stop it gracefully."""
    root = Incarnation(1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run, root)
        with trio.fail_after(1000):
            while root.started_at is None:
                await trio.sleep(0.01)
        await script()
        root.stop(60)


def steady(events: list[str], name: str) -> Callable[[Incarnation], Awaitable[None]]:
    async def body(incarnation: Incarnation) -> None:
        events.append(f"{name} up")
        incarnation.started()
        try:
            await trio.sleep_forever()
        finally:
            events.append(f"{name} down")

    return body
