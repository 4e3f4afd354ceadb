"""What deliveries write: replays, extra attempts, debts that are dropped or end of old age,
secrets that are taken out.
"""

from pathlib import Path
from typing import Any

import attrs
import msgspec
import pytest

from tests.world import EPOCH_MS, RING, InLoopStore
from unifyport.model.account import Account
from unifyport.model.event import Event, EventType, mask_of_names
from unifyport.model.unit import Item, Unit
from unifyport.model.webhook import WebhookEndpoint
from unifyport.storage.contract import (
    Committed,
    DeadLetters,
    DropOwed,
    LoggedEvents,
    Purge,
    PutAccount,
    PutEndpoint,
    Refused,
    Replay,
    Replayed,
    Result,
    RetryNow,
    Settle,
    Settled,
    Together,
)

NOW = EPOCH_MS
GATEWAY = mask_of_names(["gateway.*"])


class Bench:
    """A store with an account, one endpoint and a clock that is set by hand."""

    def __init__(self, path: Path) -> None:
        self.now = NOW
        self.store = InLoopStore(path, RING, lambda: self.now)
        self.store.open()
        self._number = 0

    async def set_up(self) -> None:
        account = Account("acct_1", "a", "telegram", "telegram", "global", "token")
        await self.commit(PutAccount(account), PutEndpoint(WebhookEndpoint("we_1", "https://x.example")))
        await self.store.claim(["account:acct_1", "endpoint:we_1"], "t")

    async def commit(self, *writes: Any) -> list[Result]:
        results: list[Result] = await self.store.commit(list(writes))
        return results

    async def value(self, write: Any) -> Any:
        [result] = await self.commit(write)
        assert isinstance(result, Committed), result
        return result.value

    async def events(self, count: int, lane: int = 1, **more: Any) -> None:
        unit = Unit(1, "acct_1", "telegram", 1)
        for _ in range(count):
            self._number += 1
            body = msgspec.json.encode({"n": self._number, "data": {"auth_payload": {"qr_code": "secret"}}})
            kind = EventType.MESSAGE_RECEIVED.number
            event = Event(f"evt_{self._number:03}", kind, lane, self.now, body, **more)
            unit.items.append(Item(event.id.encode(), [event]))
        await self.commit(unit)

    async def settle(self, *outcomes: Settled) -> None:
        await self.commit(Settle(1, "we_1", 1, list(outcomes), self.now))

    async def die(self, *seqs: int, round_: int = 0) -> None:
        await self.settle(*(Settled(seq, round_, "dead", 1, self.now, reason="http_404") for seq in seqs))

    async def replay(self, which: DeadLetters | LoggedEvents, **more: Any) -> Replayed:
        upto = await self.store.newest_position()
        replayed: Replayed = await self.value(Replay("we_1", which, upto=upto, **more))
        return replayed

    async def replayed(self) -> list[tuple[str, int]]:
        """(event id, round), in their order."""
        return [(row.event_id, row.round) for row in await self.store.replays(1, 0, 100)]


@pytest.fixture
async def bench(tmp_path: Path) -> Any:
    made = Bench(tmp_path / "t.db")
    await made.set_up()
    yield made
    made.store.close()


async def test_dead_letters_are_owed_again_in_the_order_of_the_log(bench: Bench) -> None:
    await bench.events(4)
    await bench.die(3, 1, 4)
    found = await bench.replay(DeadLetters())
    assert (found.owed, found.already_owed, found.round) == (3, 0, 1)
    assert await bench.replayed() == [("evt_001", 1), ("evt_003", 1), ("evt_004", 1)]
    assert await bench.store.owed(1, 99) == (4, 0)
    assert (await bench.replay(DeadLetters())).owed == 0


async def test_what_is_still_owed_is_left_alone(bench: Bench) -> None:
    await bench.events(2)
    found = await bench.replay(LoggedEvents())
    assert (found.owed, found.already_owed) == (0, 2)
    assert await bench.replayed() == []


async def test_pages_of_one_replay_share_a_round(bench: Bench) -> None:
    await bench.events(7)
    await bench.die(*range(1, 8))
    order = Replay("we_1", DeadLetters(), page=3)
    owed = 0
    for _ in range(10):
        page: Replayed = await bench.value(order)
        owed += page.owed
        order = attrs.evolve(order, round=page.round, after=page.last)
        if not page.more:
            break
    assert owed == 7
    assert await bench.replayed() == [(f"evt_{n:03}", 1) for n in range(1, 8)]


async def test_dead_letters_that_the_log_has_outlived_come_back_to_it_and_to_nobody_else(
    bench: Bench,
) -> None:
    await bench.events(2)
    await bench.die(1, 2)
    bench.now += 1000
    await bench.commit(Purge(bench.now, bench.now, 0, 0, 0))
    await bench.events(1)
    await bench.die(3)
    other = WebhookEndpoint("we_2", "https://y.example")
    await bench.commit(PutEndpoint(other))
    found = await bench.replay(DeadLetters())
    assert found.owed == 1
    rest = await bench.replay(DeadLetters(), round=found.round, after=found.last)
    assert (rest.owed, rest.more) == (2, False)
    assert await bench.replayed() == [("evt_003", 1), ("evt_001", 1), ("evt_002", 1)]
    assert await bench.store.fresh(2, 0, 10) == []
    back = await bench.store.event("evt_001")
    assert back is not None
    assert msgspec.json.decode(back.body)["n"] == 1


async def test_a_replay_that_dies_is_a_dead_letter_again(bench: Bench) -> None:
    await bench.events(1)
    await bench.die(1)
    await bench.replay(DeadLetters())
    await bench.die(1, round_=1)
    assert [record.round for record in await bench.store.deliveries(1, None, 9, status="dead")] == [1]
    assert (await bench.replay(DeadLetters())).round == 2


async def test_the_log_is_replayed_by_time(bench: Bench) -> None:
    for _ in range(5):
        await bench.events(1)
        bench.now += 1000
    await bench.settle(*(Settled(seq, 0, "delivered", 1, bench.now, status=204) for seq in range(1, 6)))
    assert await bench.store.position_at(NOW + 1000) == 1
    found = await bench.replay(LoggedEvents(start=NOW + 1000, end=NOW + 3000), after=1)
    assert found.owed == 2
    assert await bench.replayed() == [("evt_002", 1), ("evt_003", 1)]


async def test_positions_by_time_at_the_ends_of_the_log(bench: Bench) -> None:
    assert await bench.store.position_at(0) == 0
    await bench.events(3)
    assert await bench.store.position_at(0) == 0
    assert await bench.store.position_at(NOW) == 0
    assert await bench.store.position_at(NOW + 1) == 3


async def test_an_extra_attempt_is_ordered_of_what_waits_for_its_retry_only(bench: Bench) -> None:
    await bench.events(2)
    assert await bench.commit(RetryNow(1, 1, 0)) == [Refused("not_waiting")]
    await bench.settle(Settled(1, 0, "retry", 1, NOW, due=NOW + 5000, reason="timeout"))
    assert await bench.commit(RetryNow(1, 1, 0)) == [Committed()]
    [ordered] = await bench.store.ordered(1, (0, 0), 9)
    assert (ordered.seq, ordered.attempts) == (1, 1)
    endpoint = await bench.store.endpoint("we_1")
    assert endpoint is not None
    assert (endpoint.orders, endpoint.version) == (1, 1)  # no change of it by a caller is refused for that
    await bench.settle(Settled(1, 0, "kept", 1, NOW, reason="timeout"))
    assert await bench.store.ordered(1, (0, 0), 9) == []
    [blocked] = await bench.store.blocked(1)
    assert blocked.due == NOW + 5000
    record = await bench.store.delivery(1, 1, 0)
    assert record is not None
    assert [(a.attempt, a.outcome) for a in record.history] == [(2, "not_counted"), (1, "retry")]


async def test_what_is_dropped_is_counted_and_replays_stay(bench: Bench) -> None:
    await bench.events(3)
    await bench.die(1)
    await bench.replay(DeadLetters())
    endpoint = await bench.store.endpoint("we_1")
    assert endpoint is not None
    stored, dropped = await bench.value(Together([PutEndpoint(endpoint), DropOwed("we_1")]))
    assert dropped == 2
    assert await bench.replayed() == [("evt_001", 1)]
    after = await bench.store.endpoint("we_1")
    assert after is not None
    assert (after.debt, after.version) == (1, stored.version + 1)


async def test_debts_that_are_too_old_end_counted_and_told_once_an_hour(bench: Bench) -> None:
    for hour in range(3):
        await bench.events(2)
        bench.now += 1_800_000 * (hour + 1)
        await bench.commit(Purge(bench.now, bench.now, 0, 0, 0))
    endpoint = await bench.store.endpoint("we_1")
    assert endpoint is not None
    assert endpoint.expired == 6
    told = [msgspec.json.decode(event.body) for event in await bench.store.events(0, 9, mask=GATEWAY)]
    assert [event["type"] for event in told] == [
        "gateway.endpoint.expired"
    ]  # the older ones went with the log
    assert told[0]["data"]["expired"] == 6


async def test_secrets_leave_the_log_when_they_are_of_no_more_use(bench: Bench) -> None:
    await bench.events(1, expires_at=NOW + 1000)
    await bench.events(1)
    await bench.commit(Purge(NOW + 999, 0, 0, 0, 0))
    assert b"secret" in (await bench.store.fresh(1, 0, 9))[0].body
    await bench.commit(Purge(NOW + 1000, 0, 0, 0, 0))
    assert [row.event_id for row in await bench.store.fresh(1, 0, 9)] == ["evt_002"]
    blanked = await bench.store.event("evt_001")
    assert blanked is not None
    assert msgspec.json.decode(blanked.body) == {"n": 1, "data": {}}
    endpoint = await bench.store.endpoint("we_1")
    assert endpoint is not None
    assert endpoint.expired == 1


async def test_a_dead_letter_with_a_secret_goes_with_it(bench: Bench) -> None:
    await bench.events(1, expires_at=NOW + 1000)
    await bench.die(1)
    await bench.commit(Purge(NOW + 1000, 0, 0, 0, 0))
    assert await bench.store.owed(1, 9) == (0, 0)


async def test_deliveries_are_listed_by_status_the_newest_first(bench: Bench) -> None:
    await bench.events(6)
    await bench.settle(
        Settled(1, 0, "delivered", 1, NOW, 12, status=204, response=b"", response_size=0),
        Settled(2, 0, "dead", 1, NOW, 3, reason="http_404", status=404, response=b"no", response_size=2),
        Settled(3, 0, "retry", 1, NOW, 9, due=NOW + 10, reason="timeout"),
        Settled(4, 0, "expired", 1, NOW, reason="expired"),
    )
    listed = await bench.store.deliveries(1, None, 9)
    assert [(record.seq, record.status) for record in listed] == [
        (6, "pending"),
        (5, "pending"),
        (4, "expired"),
        (3, "retrying"),
        (2, "dead"),
        (1, "delivered"),
    ]
    assert [record.seq for record in await bench.store.deliveries(1, (5, 0), 2)] == [4, 3]
    for status, seqs in (
        ("pending", [6, 5]),
        ("retrying", [3]),
        ("dead", [2]),
        ("delivered", [1]),
        ("expired", [4]),
    ):
        found = await bench.store.deliveries(1, None, 9, status=status)  # type: ignore[arg-type]
        assert [record.seq for record in found] == seqs, status
    dead = listed[4]
    assert (dead.reason, dead.history[0].response, dead.history[0].ms) == ("http_404", b"no", 3)
    assert listed[3].due == NOW + 10


async def test_a_database_of_the_second_schema_is_brought_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from unifyport.storage.sqlite import schema

    path = tmp_path / "old.db"
    monkeypatch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:2])
    old = InLoopStore(path, RING, lambda: NOW)
    old.open()
    assert old._writer is not None
    old._writer.execute(
        "insert into endpoint(id, url, status, mask, subscribed, retry, origin, version)"
        " values('we_1', 'https://x.example', 'active', 4294967295, '[]', '{}', 'api', 1)"
    )
    old._writer.execute("insert into delivery(endpoint_no, seq, lane, due) values(1, 7, 1, 5)")
    old.close()
    monkeypatch.undo()
    new = InLoopStore(path, RING, lambda: NOW)
    new.open()
    endpoint = await new.endpoint("we_1")
    assert endpoint is not None
    assert (endpoint.delivery, endpoint.previous_secret, endpoint.orders) == ({}, "", 0)
    assert await new.owed(1, 9) == (1, 0)
    new.close()
