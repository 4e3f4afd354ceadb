"""Sends that are recorded as `sending` with their acceptance: when that is done, and how such a send may
still not begin. Then everything at random: what is told, recorded and written must agree.
"""

import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.actors.send_world import World, channel_of, is_accept, moves_to, send_world
from unifyport.gateway.errors import UseCaseError
from unifyport.gateway.writes import NotKnownYet
from unifyport.model.message import CommandState, OutboundText
from unifyport.model.send_pace import Pace
from unifyport.model.token_bucket import Limit
from unifyport.providers.contract.capabilities import Sent
from unifyport.providers.contract.errors import Rejected
from unifyport.storage.contract import AcceptCommand, StoreUnavailable

SENDING, NOT_SENT = CommandState.SENDING, CommandState.NOT_SENT


async def outcome(world: World, text: str, chat: str = "anna", key: str | None = None) -> str:
    try:
        await world.send(text, chat, key)
    except UseCaseError as error:
        return str(error.outcome)
    return "sent"


def begun(world: World) -> dict[str, bool]:
    """Which sends were accepted as `sending`, by text."""
    return {
        write.command.message.text: write.begin is not None
        for write in world.store.writes
        if isinstance(write, AcceptCommand)
    }


def idle(world: World) -> bool:
    """Whether nothing is reserved any more."""
    actor = world.accounts.actor("acct_1")
    assert actor is not None
    figures = actor.outbox.read_figures()
    return (figures.queued, figures.in_progress) == (0, 0)


# -- when it is done -----------------------------------------------------------------------------------------


async def test_it_costs_one_commit_before_the_first_byte(autojump_clock: MockClock, tmp_path: Path) -> None:
    states: list[CommandState | None] = []

    async def look(message: OutboundText) -> Sent:
        states.append(world.stored(message.text))
        return Sent("1")

    async with send_world(tmp_path) as world:
        world.platform.answers = look
        await world.send("x")
        assert states == [SENDING]
        assert not any(map(moves_to(SENDING), world.store.writes))
        assert world.stored("x") is CommandState.SENT
        [row] = world.rows("select client_ref = id from command")
        assert row == (1,)
        assert idle(world)


async def slow(message: OutboundText) -> Sent:
    await trio.sleep(1)
    return Sent("1")


@pytest.mark.parametrize(
    ("channel", "chats", "expected"),
    [
        (channel_of(), ("anna", "anna"), [True, False]),  # its place in the conversation
        (channel_of(parallel=1), ("anna", "bert"), [True, False]),  # a slot
        (channel_of(pace=Pace(account=Limit(1, 1))), ("anna", "bert"), [True, False]),  # the account's pace
        (channel_of(pace=Pace(user=Limit(1, 1))), ("anna", "anna"), [True, False]),  # the conversation's
        (channel_of(), ("anna", "bert"), [True, True]),
        (channel_of(marks=True), ("anna", "bert"), [False, False]),
    ],
    ids=["place", "slot", "pace", "pace of the conversation", "free", "marks_sending"],
)
async def test_what_must_wait_for_something_is_accepted_only(
    autojump_clock: MockClock, tmp_path: Path, channel: Any, chats: tuple[str, str], expected: list[bool]
) -> None:
    async with send_world(tmp_path, channel) as world:
        world.platform.answers = slow
        async with trio.open_nursery() as nursery:
            for number, chat in enumerate(chats):
                nursery.start_soon(world.send, f"{number}", chat)
                await trio.sleep(0.01)
        assert begun(world) == {"0": expected[0], "1": expected[1]}
        assert [world.stored(text) for text in "01"] == [CommandState.SENT] * 2
        assert idle(world)


async def test_a_send_without_a_connection_is_accepted_only(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with send_world(tmp_path) as world:
        world.platform.lose_links()
        await trio.sleep(0.05)
        await world.send("x")
        assert begun(world) == {"x": False}


# -- when it does not begin after all ------------------------------------------------------------------------


async def test_a_lease_that_is_lost_before_the_commit(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with send_world(tmp_path) as world:
        await world.store.claim(["account:acct_1"], "another process")
        assert await outcome(world, "x") == "not_sent"
        assert world.stored("x") is CommandState.ACCEPTED  # the other one settles it
        assert world.platform.written == []
        assert idle(world)


def lose_lease(world: World) -> None:
    world.fleet.release("account:acct_1")


def stop(world: World) -> None:
    world.accounts.supervisor.stop("acct_1")


def lose_link(world: World) -> None:
    world.platform.lose_links()


@pytest.mark.parametrize("happens", [lose_lease, stop, lose_link])
async def test_what_happens_while_it_is_committed(
    autojump_clock: MockClock, tmp_path: Path, happens: Callable[[World], None]
) -> None:
    async with send_world(tmp_path) as world:
        world.store.hold(is_accept, commits_first=True)
        outcomes: list[str] = []

        async def send() -> None:
            outcomes.append(await outcome(world, "x"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await world.store.held.wait()
            happens(world)
            await trio.sleep(1)
            world.store.release()
        assert outcomes == ["not_sent"]
        assert world.platform.written == []
        await trio.sleep(1)
        assert world.stored("x") is NOT_SENT
        assert idle(world)


async def test_a_commit_that_takes_too_long(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with send_world(tmp_path) as world:
        world.store.hold(is_accept)
        began = trio.current_time()
        with pytest.raises(NotKnownYet):
            await world.send("x")
        assert trio.current_time() - began < 28
        world.store.release()
        await trio.sleep(1)
        assert world.stored("x") is NOT_SENT
        assert world.platform.written == []
        assert idle(world)
        await world.send("next")


@pytest.mark.parametrize(("seconds", "said"), [(20, "sent"), (24, "not_sent")])
async def test_a_commit_that_leaves_too_little_time(
    autojump_clock: MockClock, tmp_path: Path, seconds: float, said: str
) -> None:
    """As with a send that had to wait for its turn: what has no time for its work does not begin."""
    async with send_world(tmp_path) as world:
        world.platform.answers = slow
        world.store.hold(is_accept)
        outcomes: list[str] = []

        async def send() -> None:
            outcomes.append(await outcome(world, "x"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await trio.sleep(seconds)
            world.store.release()
        assert outcomes == [said]
        assert world.platform.written == (["x"] if said == "sent" else [])
        await trio.sleep(1)
        assert world.stored("x") is CommandState(said)
        assert idle(world)


async def test_a_caller_that_is_cancelled_while_it_is_committed(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with send_world(tmp_path) as world:
        world.store.hold(is_accept, commits_first=True)
        with trio.move_on_after(1):
            await world.send("x")
        world.store.release()
        await trio.sleep(1)
        assert world.stored("x") is NOT_SENT
        assert world.platform.written == []
        assert idle(world)


async def test_a_store_that_is_away(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with send_world(tmp_path, channel_of(pace=Pace(account=Limit(1, 1)))) as world:
        world.store.away = True
        assert await outcome(world, "x") == "not_sent"
        assert idle(world)
        world.store.away = False
        await trio.sleep(6)  # the writer finds it back
        began = trio.current_time()
        await world.send("next")
        assert trio.current_time() - began < 0.5  # its token was given back


@pytest.mark.parametrize("body", ["the same", "another"])
async def test_a_repeat_that_is_found_at_the_commit_gives_back_what_was_reserved(
    autojump_clock: MockClock, tmp_path: Path, body: str
) -> None:
    channel = channel_of(pace=Pace(account=Limit(1, 2)))
    async with send_world(tmp_path, channel) as world:
        world.store.hold(is_accept)
        found: list[str] = []

        async def send(text: str, chat: str) -> None:
            try:
                found.append(await outcome(world, text, chat, key="k"))
            except UseCaseError as error:
                found.append(str(error.code))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, "the same", "anna")
            await world.store.held.wait()
            nursery.start_soon(send, body, "bert")  # neither finds the other's key
            await trio.sleep(1)
            world.store.release()
        assert sorted(found) == (["sent", "sent"] if body == "the same" else ["None", "sent"])
        assert world.platform.written == ["the same"]
        assert idle(world)
        began = trio.current_time()
        await world.send("next")
        assert trio.current_time() - began < 0.5


async def test_a_process_that_dies_after_the_commit(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Whether a byte was written is not known to the next one."""
    async with send_world(tmp_path) as world:
        world.store.hold(is_accept, commits_first=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.send, "x")
            await world.store.held.wait()
            assert await world.recover() == (0, 1)
            nursery.cancel_scope.cancel()
            world.store.release()


# -- at random -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def trouble(world: World, rng: random.Random) -> AsyncIterator[None]:
    """Things that happen at any time, while this is open."""

    async def happen() -> None:
        while True:
            await trio.sleep(rng.random() * 2)
            match rng.randrange(5):
                case 0:
                    world.platform.lose_links()
                case 1:
                    world.store.away = True
                    await trio.sleep(rng.random() * rng.choice((1, 30)))
                    world.store.away = False
                case 2:
                    world.store.hold(rng.choice(HELD), commits_first=rng.random() < 0.5)
                    await trio.sleep(rng.random() * rng.choice((1, 30)))
                    world.store.release()
                case 3:
                    world.accounts.supervisor.restart("acct_1")
                case 4:
                    world.accounts.supervisor.stop("acct_1")
                    await trio.sleep(rng.random())
                    world.accounts.supervisor.start("acct_1")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(happen)
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()
            world.store.away = False
            world.store.release()


HELD = (is_accept, moves_to(SENDING), moves_to(CommandState.SENT), moves_to(NOT_SENT))


async def at_random(directory: Path, seed: int) -> None:
    rng = random.Random(seed)
    told: dict[str, str] = {}

    async def answer(message: OutboundText) -> Sent:
        await trio.sleep(rng.random() * rng.choice((0.1, 0.1, 40)))
        if rng.random() < 0.1:
            raise Rejected("no")
        return Sent("1")

    async def caller(number: int) -> None:
        for count in range(6):
            text = f"{number}-{count}"
            with trio.CancelScope() as scope:
                if rng.random() < 0.2:
                    scope.deadline = trio.current_time() + rng.random() * 3
                try:
                    told[text] = await outcome(world, text, rng.choice("abc"))
                except StoreUnavailable:
                    told[text] = "not known yet"

    channel = channel_of(
        pace=rng.choice((Pace(), Pace(account=Limit(2, 2)))), parallel=2, marks=rng.random() < 0.3
    )
    async with send_world(directory, channel) as world:
        world.platform.answers = answer
        async with trouble(world, rng), trio.open_nursery() as nursery:
            for number in range(4):
                nursery.start_soon(caller, number)
        await trio.sleep(60)
        assert idle(world)
        written, recorded = Counter(world.platform.written), world.by_text()
        assert [text for text, count in written.items() if count > 1] == []
        for text, said in told.items():
            if said in ("sent", "rejected"):
                assert recorded[text].value == said
                assert written[text]
            if said == "not_sent":
                assert not written[text]
                assert recorded.get(text) in (None, NOT_SENT)
        for text, state in recorded.items():
            assert state not in (CommandState.ACCEPTED, SENDING), f"{text} is not settled"
            if state is NOT_SENT:
                assert not written[text]
            if state in (CommandState.SENT, CommandState.REJECTED):
                assert written[text]


@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_what_is_told_recorded_and_written_agrees(seed: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        trio.run(at_random, Path(directory), seed, clock=MockClock(autojump_threshold=0))
