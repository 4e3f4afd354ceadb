"""The session of an account that logs in: what `Session` says of a call that is cancelled."""

import trio

from actors.account.memory_session import MemorySession
from unifyport.model.unit import SessionChange


async def test_a_commit_that_is_cancelled_was_handed_over() -> None:
    session = MemorySession({("key", b"old"): b"1"})
    changes = [SessionChange("key", b"new", b"2"), SessionChange("key", b"old", None)]
    with trio.CancelScope() as scope:
        scope.cancel()
        await session.commit(changes)
    assert scope.cancelled_caught
    assert session.records == {("key", b"new"): b"2"}
