"""An account is deleted while a message is sent: the caller gets an outcome, and no command stays open."""

from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.actors.send_world import World, is_accept, send_world
from unifyport.gateway.errors import OperationFailure, UseCaseError
from unifyport.model.message import CommandState, OutboundText
from unifyport.process.redaction import redact
from unifyport.providers.contract.capabilities import Sent
from unifyport.storage.contract import DeleteAccount, PutWorkspace


async def delete(world: World) -> None:
    """As the use case does it."""
    await world.accounts.take_down("acct_1")
    await world.writer.submit(DeleteAccount("acct_1"))
    world.accounts.forget("acct_1")


async def outcome(world: World, text: str, outcomes: dict[str, Any], key: str | None = None) -> None:
    try:
        await world.send(text, key=key)
    except UseCaseError as error:
        outcomes[text] = (error.code, error.outcome)
    else:
        outcomes[text] = "sent"


async def test_a_send_that_is_recorded_after_the_deletion_is_refused(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    outcomes: dict[str, Any] = {}
    async with send_world(tmp_path) as world:
        world.store.hold(lambda write: isinstance(write, PutWorkspace))
        assert world.writer.offer(PutWorkspace("w", "active", {}))
        await world.store.held.wait()
        assert world.writer.offer(DeleteAccount("acct_1"))  # commits before a send that was let in
        async with trio.open_nursery() as nursery:
            nursery.start_soon(outcome, world, "x", outcomes, "a key")
            await trio.testing.wait_all_tasks_blocked()
            world.store.release()
        assert outcomes == {"x": ("account_binding_not_found", "not_sent")}
        assert (world.rows("select * from command"), world.platform.written) == ([], [])


@pytest.mark.parametrize("commits_first", [False, True])
async def test_a_send_that_is_recorded_before_the_deletion_is_ended(
    autojump_clock: MockClock, tmp_path: Path, commits_first: bool
) -> None:
    outcomes: dict[str, Any] = {}
    async with send_world(tmp_path) as world, trio.open_nursery() as nursery:
        world.store.hold(is_accept, commits_first=commits_first)
        nursery.start_soon(outcome, world, "x", outcomes)
        await world.store.held.wait()
        nursery.start_soon(delete, world)
        await trio.sleep(20)  # longer than it waits for the account to stop
        world.store.release()
        await trio.sleep(20)
        [(code, said)] = outcomes.values()
        assert said in ("not_sent", "unknown"), code
        [(state,)] = world.rows("select state from command")
        assert state in ("not_sent", "unknown")
        assert world.platform.written == []


async def test_a_send_in_progress_whose_outcome_comes_after_the_deletion_is_unknown(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    outcomes: dict[str, Any] = {}

    async def stubborn(message: OutboundText) -> Sent:
        with trio.CancelScope(shield=True):
            await trio.sleep(60)
        return Sent("m-1")

    async with send_world(tmp_path) as world, trio.open_nursery() as nursery:
        world.platform.answers = stubborn
        nursery.start_soon(outcome, world, "x", outcomes)
        await trio.sleep(0.1)
        assert world.stored("x") is CommandState.SENDING
        await delete(world)
        assert world.stored("x") is CommandState.UNKNOWN
        await trio.sleep(100)
        assert world.stored("x") is CommandState.UNKNOWN
        assert outcomes["x"] == (OperationFailure.FAILED, "unknown")


async def test_the_secrets_of_its_logins_are_forgotten(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with send_world(tmp_path) as world:
        actor = world.accounts.actor("acct_1")
        assert actor is not None
        actor.secrets.register("a-code-123")
        assert redact("a-code-123") == "[secret]"
        await delete(world)
        assert redact("a-code-123") == "a-code-123"
