"""What an endpoint's own options do: pace, concurrency, order, form, secrets; and what is ordered of it."""

import base64
import hashlib
import hmac
import itertools
from collections import Counter
from typing import Any
from unittest import mock

import attrs
import msgspec
import trio

from actors import recorder
from tests.world import EPOCH_MS, World, on_a_mock_clock
from unifyport.delivery.scripted import RESET
from unifyport.delivery.signing import STANDARD_SIGNATURE
from unifyport.delivery.slots import Slots
from unifyport.model.event import mask_of_names
from unifyport.model.webhook import (
    DeliveryPolicy,
    RetryPolicy,
    WebhookDefaults,
    WebhookEndpoint,
    as_written,
)
from unifyport.storage.contract import (
    DeadLetters,
    DropOwed,
    LoggedEvents,
    PutEndpoint,
    Replay,
    RetryNow,
    Together,
)

GATEWAY = mask_of_names(["gateway.*"])


async def statuses(world: World) -> dict[str, str]:
    """By event id, the newest delivery of it."""
    return {record.event_id: record.status for record in reversed(await world.store.deliveries(1, None, 999))}


@on_a_mock_clock(delivery={"rate_limit": 2})
async def test_a_rate_limit_spreads_attempts(world: World) -> None:
    for lane in range(10):
        await world.commit(f"m{lane}", lane=lane)
    await world.until(lambda: len(world.delivered) == 10)
    times = [at for at, _ in world.attempts]
    assert max(sum(first <= at < first + 1 for at in times) for first in times) <= 4
    assert 3.9 <= times[-1] - times[0] <= 4.6


@on_a_mock_clock(delivery={"max_in_flight": 3})
async def test_no_more_than_max_in_flight_at_a_time(world: World) -> None:
    world.answer = lambda text, nth: [1.0, b"HTTP/1.1 204 -\r\n\r\n"]
    for lane in range(9):
        await world.commit(f"m{lane}", lane=lane)
    await world.until(lambda: len(world.requests) == 9)
    times = [at for at, _ in world.attempts]
    assert max(sum(first <= at < first + 0.9 for at in times) for first in times) == 3


@on_a_mock_clock(delivery={"ordering": "none"})
async def test_without_order_a_failing_event_holds_up_nothing(world: World) -> None:
    world.answer = lambda text, nth: 500 if (text, nth) == ("a", 1) else 204
    await world.commit("a", "b", "c")
    await world.until(lambda: len(world.delivered) == 3)
    assert sorted(world.delivered[:2]) == ["b", "c"]


@on_a_mock_clock(delivery={"ordering": "none"})
async def test_order_may_be_asked_for_while_it_runs(world: World) -> None:
    world.answer = lambda text, nth: 500 if (text, nth) == ("a", 1) else 204
    await world.commit("a", "b")
    await world.until(lambda: world.delivered == ["b"])
    await world.change(delivery={"ordering": "strict"})
    await world.commit("c")
    await world.until(lambda: len(world.delivered) == 3)
    assert world.delivered == ["b", "a", "c"]


@on_a_mock_clock(delivery={"timeout": "2s"}, retry_policy={"max_attempts": 0})
async def test_a_time_out_is_the_endpoints_own(world: World) -> None:
    world.answer = lambda text, nth: [5.0, b"HTTP/1.1 204 -\r\n\r\n"]
    await world.commit("a")
    await trio.sleep(4)
    [record] = await world.store.deliveries(1, None, 9)
    assert (record.status, record.reason) == ("dead", "timeout")
    assert 2000 <= record.history[0].ms <= 2200


@on_a_mock_clock(delivery={"body": "flat", "signatures": ["standard"]}, secret="whsec_" + "c2VjcmV0")
async def test_one_form_alone_is_signed_as_it_is_sent(world: World) -> None:
    body = {"id": "evt_0001", "type": "t", "event": "t", "text": "hi", "data": {"x": 1}}
    await world.commit(msgspec.json.encode(body).decode())
    await world.until(lambda: world.requests)
    [request] = world.requests
    assert msgspec.json.decode(request.text) == {"event_id": "evt_0001", "event": "t", "text": "hi", "x": 1}
    signed = f"evt_0001.{request.headers['webhook-timestamp']}.{request.text}".encode()
    expected = base64.b64encode(hmac.digest(b"secret", signed, hashlib.sha256)).decode()
    assert request.headers[STANDARD_SIGNATURE] == f"v1,{expected}"
    assert "x-device-signature" not in request.headers


@on_a_mock_clock(delivery={"signatures": ["standard"]}, secret="new", previous_secret="old")
async def test_an_old_secret_signs_until_its_time_is_over(world: World) -> None:
    await world.change(previous_until=EPOCH_MS + 60_000)
    await world.commit("a")
    await world.until(lambda: world.delivered)
    await trio.sleep(61)
    await world.commit("b")
    await world.until(lambda: len(world.delivered) == 2)
    assert [len(request.headers[STANDARD_SIGNATURE].split()) for request in world.requests] == [2, 1]


@on_a_mock_clock
async def test_what_has_expired_is_not_sent_and_holds_up_nothing(world: World) -> None:
    await world.change(status="inactive")
    await world.commit("code", expires_at=EPOCH_MS + 5000)
    await world.commit("message")
    await trio.sleep(10)
    await world.change(status="active")
    await world.until(lambda: world.delivered == ["message"])
    await trio.sleep(1)
    assert await statuses(world) == {"evt_0001": "expired", "evt_0002": "delivered"}
    assert (await world.endpoint()).expired == 1


@on_a_mock_clock(retry_policy={"max_attempts": 1, "schedule": ["10s"]}, delivery={"breaker": "off"})
async def test_without_a_breaker_every_failure_counts(world: World) -> None:
    world.answer = lambda text, nth: RESET
    for lane in range(8):
        await world.commit(f"m{lane}", lane=lane)
    await trio.sleep(15)
    assert set((await statuses(world)).values()) == {"dead"}
    assert len(world.requests) == 16


@on_a_mock_clock
async def test_single_failures_are_no_news(world: World) -> None:
    world.answer = lambda text, nth: 500 if nth == 1 else 204

    async def delivered(text: str) -> None:
        await world.until(lambda: text in world.delivered)

    for number in range(4):
        await world.commit(f"m{number}", lane=number)
        await delivered(f"m{number}")
    assert await world.store.events(0, 9, mask=GATEWAY) == []
    assert (await world.endpoint()).version == 1


@on_a_mock_clock(retry_policy={"schedule": ["1h"]})
async def test_an_extra_attempt_in_place_of_a_long_wait(world: World) -> None:
    world.answer = lambda text, nth: 500 if (text, nth) in (("a", 1), ("a", 2)) else 204
    await world.commit("a", "b")
    await world.until(lambda: len(world.requests) == 1)
    await trio.sleep(1)
    await world.order(RetryNow(1, 1, 0))
    await world.until(lambda: len(world.requests) == 2)
    await trio.sleep(1)
    [waiting] = await world.store.blocked(1)
    assert 3590_000 < waiting.due - EPOCH_MS < 3610_000  # as if nothing had been tried
    await world.order(RetryNow(1, 1, 0))
    await world.until(lambda: world.delivered == ["a", "b"])
    await trio.sleep(1)
    record = await world.store.delivery(1, 1, 0)
    assert record is not None
    assert (record.status, [attempt.outcome for attempt in record.history]) == (
        "delivered",
        ["delivered", "retry"],
    )


@on_a_mock_clock
async def test_an_extra_attempt_passes_a_pause(world: World) -> None:
    world.answer = lambda text, nth: 500 if nth == 1 else 204
    await world.commit("a", "b")
    await world.until(lambda: world.requests)
    await trio.sleep(0.1)
    await world.change(status="inactive")
    await trio.sleep(6)
    await world.order(RetryNow(1, 1, 0))
    await world.until(lambda: world.delivered == ["a"])
    await trio.sleep(60)
    assert world.delivered == ["a"]


@on_a_mock_clock
async def test_a_replay_is_marked_and_goes_beside_what_is_new(world: World) -> None:
    world.answer = lambda text, nth: 404 if (text, nth) in (("a", 1), ("b", 1)) else 204
    await world.commit("a", "b", "c")
    await world.until(lambda: world.delivered == ["c"])
    await trio.sleep(1)
    await world.order(Replay("we_1", DeadLetters()))
    await world.until(lambda: len(world.delivered) == 3)
    assert world.delivered == ["c", "a", "b"]
    again = world.requests[-2:]
    assert [request.replay for request in world.requests] == [False, False, False, True, True]
    assert [request.headers["x-device-event-id"] for request in again] == ["evt_0001", "evt_0002"]
    assert [request.headers["x-device-delivery-id"] for request in again] == ["dlv_1_1_1.1", "dlv_1_2_1.1"]


@on_a_mock_clock(delivery={"max_in_flight": 2})
async def test_a_large_replay_leaves_room_for_what_is_new(world: World) -> None:
    for lane in range(600):
        await world.commit(f"old{lane}", lane=lane)
    await world.until(lambda: len(world.delivered) == 600)
    await trio.sleep(1)
    world.answer = lambda text, nth: [0.1, b"HTTP/1.1 204 -\r\n\r\n"]
    upto = await world.store.newest_position()
    await world.order(Replay("we_1", LoggedEvents(), upto=upto))
    await world.until(lambda: len(world.requests) > 650)
    await world.commit("new", lane=7)
    began = len(world.requests)
    await world.until(lambda: any(request.text == "new" for request in world.requests))
    assert len(world.requests) - began < 10
    await world.until(lambda: len(world.requests) == 1201)


@on_a_mock_clock
async def test_what_is_dropped_is_not_sent_though_it_was_in_hand(world: World) -> None:
    down = [True]
    world.answer = lambda text, nth: 503 if down[0] else 204
    for lane in range(6):
        await world.commit(f"m{lane}", lane=lane)
    await world.until(lambda: len(world.requests) >= 5)
    await trio.sleep(0.5)
    down[0] = False
    await world.order(Together([PutEndpoint(await world.endpoint()), DropOwed("we_1")]))
    await world.commit("new", lane=3)
    await trio.sleep(400)
    assert world.delivered == ["new"]
    assert await world.store.owed(1, 9) == (0, 0)


@on_a_mock_clock
async def test_defaults_of_the_operator_hold_at_once_for_who_leaves_them_open(world: World) -> None:

    world.answer = lambda text, nth: 500
    defaults = WebhookDefaults(RetryPolicy(max_attempts=9, schedule=(2.0,)), DeliveryPolicy(breaker=None))
    world.deliveries.reconfigure(defaults)
    await world.commit("a")
    await trio.sleep(60)
    times = [at for at, _ in world.attempts]
    assert len(times) == 3  # its own max_attempts, 2; their schedule
    assert all(1.9 < later - earlier < 2.5 for earlier, later in itertools.pairwise(times))


@on_a_mock_clock(delivery={"rate_limit": 1})
async def test_replays_in_hand_survive_another_order(world: World) -> None:
    await world.commit("a", "b", "c")
    await world.until(lambda: len(world.delivered) == 3)
    await trio.sleep(0.5)
    await world.order(Replay("we_1", LoggedEvents(), upto=99))
    await trio.sleep(0.5)
    await world.change(delivery={"rate_limit": 1, "ordering": "none"})
    await world.until(lambda: len(world.delivered) == 6)
    assert Counter(world.delivered) == Counter("abcabc")


@on_a_mock_clock
async def test_who_begins_anew_waits_for_what_is_being_recorded(world: World) -> None:
    await world.commit("a")
    commit = world.store.commit

    async def slow(writes: Any) -> Any:
        await trio.sleep(2)
        return await commit(writes)

    with mock.patch.object(world.store, "commit", slow):
        await world.until(lambda: world.delivered)
        await trio.sleep(0.5)  # the outcome is on its way to the disk
        actor = world.deliveries.actor("we_1")
        assert actor is not None
        actor.replace(attrs.evolve(actor.endpoint, debt=1))
        await trio.sleep(10)
    assert [request.text for request in world.requests] == ["a"]


@on_a_mock_clock
async def test_what_could_not_be_recorded_is_not_sent(world: World) -> None:
    with mock.patch.object(recorder, "MOST_UNRECORDED", 20):
        await world.change(status="inactive")
        for lane in range(200):
            await world.commit(f"m{lane}", lane=lane)
        await world.change(status="active")
        commit = world.store.commit

        async def slow(writes: Any) -> Any:
            await trio.sleep(5)
            return await commit(writes)

        with mock.patch.object(world.store, "commit", slow):
            await trio.sleep(4)
            assert 20 <= len(world.requests) <= 20 + 20 + 2 * 16
        await world.until(lambda: len(world.delivered) == 200)
    assert len(world.requests) == 200


@on_a_mock_clock(retry_policy={"schedule": ["1h"]}, delivery={"breaker": "off"})
async def test_more_extra_attempts_than_a_page_holds(world: World) -> None:
    world.answer = lambda text, nth: 500 if nth == 1 else 204
    for lane in range(150):
        await world.commit(f"m{lane}", lane=lane)
    await world.until(lambda: len(world.requests) == 150)
    await trio.sleep(1)
    for waiting in await world.store.blocked(1):
        await world.order(RetryNow(1, waiting.seq, 0))
    await trio.sleep(60)
    assert sorted(world.delivered) == sorted(f"m{lane}" for lane in range(150))


@on_a_mock_clock(
    retry_policy={"max_attempts": 5, "schedule": ["1s", "60s"]},
    delivery={"breaker": {"failures": 2, "initial": "60s", "max": "60s"}},
)
async def test_an_extra_attempt_passes_the_breaker_though_its_retry_is_due(world: World) -> None:
    world.answer = lambda text, nth: 500
    await world.commit("a", "b", lane=1)
    await world.commit("c", lane=2)
    await world.until(lambda: len(world.requests) == 2)
    await trio.sleep(5)  # the retries are due, and the breaker is open
    world.answer = lambda text, nth: 500 if (text, nth) == ("a", 2) else 204
    await world.order(RetryNow(1, min(row.seq for row in await world.store.blocked(1)), 0))
    await trio.sleep(1)
    assert sorted(request.text for request in world.requests) == ["a", "a", "c"]  # failed, outside the count
    await world.order(RetryNow(1, min(row.seq for row in await world.store.blocked(1)), 0))
    await trio.sleep(1)
    assert world.delivered[0] == "a"
    await world.until(lambda: len(world.delivered) == 3)
    assert len(world.requests) == 6


@on_a_mock_clock(delivery={"max_in_flight": 4})
async def test_who_has_all_slots_of_the_process_hands_them_on(world: World) -> None:
    with mock.patch.object(world.deliveries._services, "slots", Slots(4)):
        other = WebhookEndpoint("we_2", "https://y.example", status="inactive")
        await world.writer.submit(PutEndpoint(other))
        world.bus.ring("endpoints")
        await world.until(lambda: world.deliveries.actor("we_2"))
        world.answer = lambda text, nth: [1.0, b"HTTP/1.1 204 -\r\n\r\n"]
        for lane in range(60):
            await world.commit(f"m{lane}", lane=lane)
        await world.until(lambda: len(world.requests) == 8)
        stored = await world.store.endpoint("we_2")
        assert stored is not None
        await world.writer.submit(PutEndpoint(attrs.evolve(stored, status="active")))
        world.bus.ring("endpoints")
        await world.until(lambda: len(world.requests) >= 48)
        hosts = Counter(request.headers["host"] for request in world.requests[8:48])
        assert min(hosts["x.example"], hosts["y.example"]) >= 4
        await world.until(lambda: len(world.requests) == 120)


def test_defaults_of_the_operator_cannot_make_what_was_accepted_wrong() -> None:
    endpoint = WebhookEndpoint("we_1", "https://x.example", delivery={"breaker": {"initial": "10s"}})
    shorter = DeliveryPolicy.parse({"breaker": {"initial": "1s", "max": "5s"}})
    _, policy = endpoint.policies(WebhookDefaults(delivery=shorter))
    assert policy.breaker is not None
    assert (policy.breaker.initial, policy.breaker.max) == (10, 10)


def test_a_policy_reads_back_what_it_writes() -> None:

    written: dict[str, Any] = {"max_attempts": 2, "schedule": ["250ms", "1h30m"]}
    assert as_written(RetryPolicy.parse(written)) == written
    policy = DeliveryPolicy.parse({"breaker": "off", "timeout": "1m", "signatures": ["standard"]})
    assert DeliveryPolicy.parse(as_written(policy)) == policy


@on_a_mock_clock(delivery={"breaker": "off"})
async def test_the_last_error_is_known_again_after_a_restart_while_the_endpoint_fails(world: World) -> None:
    world.answer = lambda text, nth: RESET
    for lane in range(6):
        await world.commit(f"m{lane}", lane=lane)
    [actor] = world.deliveries
    await world.until(lambda: actor.endpoint.failing_since is not None)
    assert actor.last_error == "connection_lost"
    await world.until(lambda: actor.endpoint.version > 1)
    actor._reset()  # as in a new process
    world.answer = lambda text, nth: [600.0]
    actor.wake.ring()
    await world.until(lambda: actor.last_error)
    assert actor.last_error == "connection_lost"
    await world.change(url="https://other.example")
    await world.until(lambda: not actor.last_error)
