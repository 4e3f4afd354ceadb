"""A bug in the hook of an instrument costs a turn of the loop, and no task waits for ever because of it."""

import logging
import socket
from collections.abc import Callable
from typing import Any

import pytest
import trio

from supervisors import instruments, turnstile
from unifyport.gateway.entry_turns import PER_TURN, EntryTurns
from unifyport.net.readiness import Readable


@pytest.fixture(autouse=True)
def none_logged_before() -> None:
    instruments._logged.clear()


def failing_first(done: Callable[..., Any], times: int = 2) -> Callable[..., Any]:
    left = times

    def fail(*arguments: Any, **named: Any) -> Any:
        nonlocal left
        if left:
            left -= 1
            raise RuntimeError("a bug")
        return done(*arguments, **named)

    return fail


class FailingLot:
    def __init__(self, lot: trio.lowlevel.ParkingLot) -> None:
        self._lot, self.park, self.unpark = lot, lot.park, failing_first(lot.unpark)

    def __len__(self) -> int:
        return len(self._lot)


async def keep_turning() -> None:
    while True:
        await trio.lowlevel.checkpoint()


async def test_requests_enter(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    turns, entered = EntryTurns(), list[int]()
    monkeypatch.setattr(turns, "_admit", failing_first(turns._admit))

    async def request(number: int) -> None:
        await turns.enter("account")
        entered.append(number)
        turns.leave("account")

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_turning)
            async with trio.open_nursery() as requests:
                for number in range(3 * PER_TURN):
                    requests.start_soon(request, number)
            nursery.cancel_scope.cancel()
    assert sorted(entered) == list(range(3 * PER_TURN))
    assert [record.levelno for record in caplog.records] == [logging.ERROR]  # not one for each turn
    assert caplog.records[0].exc_info is not None


async def test_tasks_pass_the_turnstile(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, passed = turnstile(), list[int]()
    monkeypatch.setattr(gate, "_lot", FailingLot(gate._lot))

    async def member(number: int) -> None:
        await gate.enter()
        passed.append(number)

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_turning)
            async with trio.open_nursery() as crowd:
                for number in range(100):
                    crowd.start_soon(member, number)
            nursery.cancel_scope.cancel()
    assert len(passed) == 100


async def test_a_socket_is_readable_beside_one_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    readables = [Readable(ours.fileno()) for ours, _ in pairs]
    report, ready = Readable.report, list[int]()

    def fail(self: Readable, events: int) -> None:
        if self is readables[0]:
            raise RuntimeError("a bug")
        report(self, events)

    async def wait(number: int) -> None:
        await readables[number].wait()
        ready.append(number)

    monkeypatch.setattr(Readable, "report", fail)
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(wait, number)
            await trio.testing.wait_all_tasks_blocked()
            for _ in range(2):
                for _, theirs in pairs:
                    theirs.send(b"x")
            while len(ready) < 2:
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
    assert sorted(ready) == [1, 2]
    for pair, readable in zip(pairs, readables, strict=True):
        readable.close()
        for each in pair:
            each.close()
