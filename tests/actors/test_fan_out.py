"""One event for many endpoints does not hold the loop: each turn wakes some of them, and in the end all."""

from collections import Counter

import trio

from actors import delivery
from actors.endpoint import EndpointActor
from supervisors.turnstile import PER_TURN
from tests.world import World, on_a_mock_clock
from unifyport.model.webhook import WebhookEndpoint
from unifyport.storage.contract import PutEndpoint

COUNT = 300


class Turns(trio.abc.Instrument):
    number = 0

    def before_io_wait(self, timeout: float) -> None:
        self.number += 1


@on_a_mock_clock
async def test_some_endpoints_are_woken_in_each_turn(world: World) -> None:
    turns, woken = Turns(), Counter[int]()

    class Counted(EndpointActor):
        def events_committed(self, kinds: int) -> None:
            woken[turns.number] += 1
            super().events_committed(kinds)

    for number in range(2, COUNT + 1):
        await world.writer.submit(PutEndpoint(WebhookEndpoint(f"we_{number}", "https://x.example")))
    world.bus.ring("endpoints")
    await trio.sleep(30)
    assert len(list(world.deliveries)) == COUNT
    for actor in world.deliveries:
        actor.__class__ = Counted
    trio.lowlevel.add_instrument(turns)
    await world.commit("a")
    await trio.sleep(60)
    assert sum(woken.values()) == COUNT
    assert max(woken.values()) <= delivery.WOKEN_AT_ONCE + PER_TURN
    assert world.delivered == ["a"] * COUNT
