"""A gateway of the ratchet channel that kills itself at one of its commits: `-c CONFIG`.

DIE_AT in the environment is `before 3` or `after 3`: at its third commit of a session or of a send.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.reference.ratchet.channel import CHANNEL
from unifyport.config.settings import load
from unifyport.model.unit import Unit
from unifyport.providers.registry import Registry
from unifyport.server import run
from unifyport.storage.contract import AcceptCommand, Result, Write
from unifyport.storage.sqlite.store import SqliteStore


def die_at(when: str, number: int) -> None:
    commit, left = SqliteStore.commit, number

    def counts(write: Write) -> bool:
        return isinstance(write, AcceptCommand) or (
            isinstance(write, Unit) and bool(write.session or write.command)
        )

    async def dying(self: SqliteStore, writes: Sequence[Write]) -> list[Result]:
        nonlocal left
        left -= any(map(counts, writes))
        if left == 0 and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        results = await commit(self, writes)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return results

    SqliteStore.commit = dying  # type: ignore[method-assign]


if __name__ == "__main__":
    if order := os.environ.get("DIE_AT"):
        when_, number_ = order.split()
        die_at(when_, int(number_))
    registry = Registry([CHANNEL])
    run(load(Path(sys.argv[2]), registry), registry=registry)
