"""A gateway of the ratchet channel that kills itself at one of its commits: `-c CONFIG`.

DIE_AT in the environment is `before sending 3` or `after sending 3`: at the third commit of that point.
"""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.reference.ratchet.channel import CHANNEL
from unifyport.config.settings import load
from unifyport.model.message import CommandState
from unifyport.model.unit import Unit
from unifyport.providers.registry import Registry
from unifyport.server import run
from unifyport.storage.contract import AcceptCommand, Result, Write
from unifyport.storage.sqlite.store import SqliteStore


def _moves(write: Write, *, to_sending: bool) -> bool:
    """Whether it moves a send to `sending`, or to its outcome."""
    change = write.command if isinstance(write, Unit) else None
    return change is not None and (change.state is CommandState.SENDING) is to_sending


def _has_nothing(write: Write) -> bool:
    return isinstance(write, Unit) and not (
        write.provider_events
        or write.announcements
        or write.session
        or write.account_changes
        or write.command
    )


POINTS: dict[str, Callable[[Write], bool]] = {
    "accept": lambda write: isinstance(write, AcceptCommand),
    "sending": lambda write: _moves(write, to_sending=True),  # with the state that the message consumes
    "outcome": lambda write: _moves(write, to_sending=False),
    "receive": lambda write: isinstance(write, Unit) and bool(write.provider_events and write.session),
    "repeat": _has_nothing,  # a message that is on the disk already is acknowledged behind it
}


def die_at(when: str, point: str, number: int) -> None:
    commit, left = SqliteStore.commit, number

    async def dying(self: SqliteStore, writes: Sequence[Write]) -> list[Result]:
        nonlocal left
        left -= any(map(POINTS[point], writes))
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        results = await commit(self, writes)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return results

    SqliteStore.commit = dying  # type: ignore[method-assign]


if __name__ == "__main__":
    if order := os.environ.get("DIE_AT"):
        when_, point_, number_ = order.split()
        die_at(when_, point_, int(number_))
    registry = Registry([CHANNEL])
    run(load(Path(sys.argv[2]), registry), registry=registry)
