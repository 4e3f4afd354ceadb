"""Endpoint actors on a real store, with a scripted client: retries, dead letters, gone, order, breaker."""

import trio

from tests.world import Reaction, World, on_a_mock_clock
from unifyport.delivery.scripted import RESET, answer
from unifyport.model.event import mask_of_names

GATEWAY = mask_of_names(["gateway.*"])


@on_a_mock_clock
async def test_retries_follow_the_schedule_and_the_lane_waits(world: World) -> None:
    world.answer = lambda body, nth: 500 if body == "a" and nth < 3 else 204
    await world.commit("a", "b")
    await world.commit("c", lane=2)
    await world.until(lambda: len(world.delivered) == 3)
    assert world.delivered == ["c", "a", "b"]
    first, second, third = [at for at, text in world.attempts if text == "a"]
    assert 5 <= second - first < 6.5
    assert 30 <= third - second < 31.5
    of_a = [request for request in world.requests if request.text == "a"]
    assert [request.number for request in of_a] == [1, 2, 3]
    assert {request.headers["x-device-event-id"] for request in of_a} == {"evt_0001"}


@on_a_mock_clock
async def test_dead_letters_let_the_lane_go_on(world: World) -> None:
    world.answer = lambda body, nth: {"poison": 404, "tired": 500}.get(body, 204)
    await world.commit("poison", "tired", "good")
    await world.until(lambda: world.delivered == ["good"])
    assert [text for _, text in world.attempts] == ["poison", *["tired"] * 3, "good"]
    await trio.sleep(1)
    assert await world.store.owed(1, 99) == (0, 2)


@on_a_mock_clock
async def test_an_outage_makes_no_dead_letters(world: World) -> None:
    down = [True]
    world.answer = lambda body, nth: RESET if down[0] else 204
    for number in range(40):
        await world.commit(f"m{number:02}", lane=number % 8)
    await trio.sleep(700)
    assert world.delivered == []
    assert len(world.attempts) < 100  # probes back off to one in five minutes
    known = await world.endpoint()
    assert known.failing_since is not None
    down[0] = False
    await world.until(lambda: len(world.delivered) == 40)
    for lane in range(8):
        mine = [text for text in world.delivered if int(text[1:]) % 8 == lane]
        assert mine == sorted(mine)
    await trio.sleep(1)
    assert await world.store.owed(1, 99) == (0, 0)
    names = [e.type for e in await world.store.events(0, 1000, mask=GATEWAY)]
    assert names == ["gateway.endpoint.failing", "gateway.endpoint.recovered"]


@on_a_mock_clock(delivery={"disable_after": "25m"})
async def test_nothing_but_failures_disables_and_activation_resumes_with_the_oldest(world: World) -> None:
    down = [True]
    world.answer = lambda body, nth: 503 if down[0] else 204
    for number in range(6):
        await world.commit(f"m{number}", lane=number)
    await trio.sleep(2500)
    known = await world.endpoint()
    assert (known.status, known.reason) == ("disabled", "failing")
    tried = len(world.attempts)
    await trio.sleep(400)
    assert len(world.attempts) == tried
    down[0] = False
    await world.change(status="active", reason=None, failing_since=None)
    await world.until(lambda: len(world.delivered) == 6)


@on_a_mock_clock
async def test_gone_disables_and_keeps_what_is_owed(world: World) -> None:
    world.answer = lambda body, nth: 410
    await world.commit("a")
    await world.until(lambda: world.attempts)
    await trio.sleep(60)
    known = await world.endpoint()
    assert (known.status, known.reason) == ("disabled", "gone")
    assert await world.store.owed(1, 99) == (1, 0)
    assert len(world.attempts) == 1


@on_a_mock_clock
async def test_a_bug_in_an_attempt_is_its_outcome(world: World) -> None:
    def react(body: str, nth: int) -> Reaction:
        if nth == 1:
            raise RuntimeError("a bug that the test ordered")
        return 204

    world.answer = react
    await world.commit("a", "b")
    await world.until(lambda: world.delivered == ["a", "b"])
    assert [text for _, text in world.attempts] == ["a", "a", "b", "b"]


@on_a_mock_clock
async def test_retry_after_holds_everything_back(world: World) -> None:
    world.answer = lambda body, nth: (
        [answer(429, more="retry-after: 50\r\n")] if (body, nth) == ("a", 1) else 204
    )
    await world.commit("a")
    await world.until(lambda: world.attempts)
    await trio.sleep(0.1)
    await world.commit("b", lane=2)
    await world.until(lambda: len(world.delivered) == 2)
    began = world.attempts[0][0]
    assert all(at - began >= 49 for at, _ in world.attempts[1:])


@on_a_mock_clock
async def test_a_thousand_events_of_one_conversation_in_order(world: World) -> None:
    for start in range(0, 1000, 100):
        await world.commit(*[f"{number:04}" for number in range(start, start + 100)])
    await world.until(lambda: len(world.delivered) == 1000)
    assert world.delivered == [f"{number:04}" for number in range(1000)]


class Steps(trio.abc.Instrument):
    """Counts what the tasks of a world do."""

    taken = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.taken += 1


@on_a_mock_clock
async def test_an_endpoint_that_is_not_active_does_not_spin(world: World) -> None:
    world.answer = lambda body, nth: 500
    await world.commit("a")
    await world.until(lambda: world.attempts)
    await trio.sleep(0.5)
    await world.change(status="inactive")
    await trio.sleep(6)
    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    await trio.sleep(60)
    trio.lowlevel.remove_instrument(steps)
    assert 10 < steps.taken < 1000
    assert len(world.attempts) == 1
