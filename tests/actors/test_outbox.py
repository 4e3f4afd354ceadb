"""The outbox on a mock clock: which outcome a send has, and that its caller gets it in time."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from tests.actors.send_world import World, channel_of, send_world
from unifyport.gateway.errors import UseCaseError
from unifyport.model.message import CommandState, OutboundText, SendCommand
from unifyport.providers.contract.capabilities import Sent

SDK_SECONDS = 28.0  # a caller that waits 30 s must have its answer by then


async def test_a_crash_while_the_file_is_fetched_is_an_internal_error(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    @contextlib.asynccontextmanager
    async def crashing(command: SendCommand) -> AsyncIterator[SendCommand]:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("a crash that the test ordered")
        yield command

    async with send_world(tmp_path) as world:
        answer = await world.prepared("x", crashing)
        assert (answer.state, answer.code) == (CommandState.NOT_SENT, "internal_error")
        assert world.platform.written == []
        await world.send("next")


async def test_a_crash_when_the_file_is_given_back_changes_no_outcome(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    @contextlib.asynccontextmanager
    async def crashing(command: SendCommand) -> AsyncIterator[SendCommand]:
        yield command
        raise RuntimeError("a crash that the test ordered")

    async with send_world(tmp_path) as world:
        assert (await world.prepared("x", crashing)).state is CommandState.SENT


async def outcome(world: World, text: str) -> str:
    """What the caller is told, in time."""
    began = trio.current_time()
    try:
        await world.send(text)
    except UseCaseError as error:
        return str(error.outcome)
    finally:
        assert trio.current_time() - began <= SDK_SECONDS
    return "sent"


async def test_a_send_that_the_platform_does_not_answer_while_the_store_is_away(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async def silent(message: OutboundText) -> Sent:
        world.store.away = True
        await trio.sleep_forever()
        raise AssertionError

    async with send_world(tmp_path) as world:
        world.platform.answers = silent
        assert await outcome(world, "x") == "unknown"
        world.store.away = False
        await trio.sleep(10)
        assert world.stored("x") is CommandState.UNKNOWN


@pytest.mark.parametrize("marks", [False, True])
async def test_a_send_that_cannot_be_marked_because_the_store_is_away(
    autojump_clock: MockClock, tmp_path: Path, marks: bool
) -> None:
    async with send_world(tmp_path, channel_of(marks=marks, parallel=1)) as world:

        async def slow(message: OutboundText) -> Sent:
            await trio.sleep(3)
            world.store.away = True
            return Sent("1")

        world.platform.answers = slow
        outcomes: dict[str, str] = {}

        async def send(text: str) -> None:
            outcomes[text] = await outcome(world, text)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, "first")
            await trio.sleep(1)
            nursery.start_soon(send, "waits")
        assert outcomes == {"first": "sent", "waits": "not_sent"}
        assert world.platform.written == ["first"]
        world.store.away = False
        await trio.sleep(10)
        assert world.stored("waits") is CommandState.NOT_SENT


async def test_a_send_whose_end_takes_long_is_answered_as_unknown(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """A connector that shields something for longer than it may."""

    async def shielded(message: OutboundText) -> Sent:
        with trio.CancelScope(shield=True):
            await trio.sleep(60)
        return Sent("1")

    async with send_world(tmp_path) as world:
        world.platform.answers = shielded
        assert await outcome(world, "x") == "unknown"
        await trio.sleep(60)
        assert world.stored("x") is CommandState.SENT  # what is recorded is what came of it
