"""A gateway of the OAuth channel that can kill itself at the commit of a refreshed pair: `-c CONFIG`.

DIE_AT in the environment: `before` or `after` that commit; absent: it lives.
"""

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.reference.oauth import CHANNEL
from unifyport.config.settings import load
from unifyport.model.unit import Unit
from unifyport.providers.oauth import RECORD
from unifyport.providers.registry import Registry
from unifyport.server import run
from unifyport.storage.contract import Result, Write
from unifyport.storage.sqlite.store import SqliteStore


def _keeps_tokens(write: Write) -> bool:
    return isinstance(write, Unit) and any((each.name, each.key) == RECORD for each in write.session)


def die(when: str) -> None:
    commit = SqliteStore.commit

    async def dying(self: SqliteStore, writes: Sequence[Write]) -> list[Result]:
        here = any(map(_keeps_tokens, writes))
        if here and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        results = await commit(self, writes)
        if here:
            os.kill(os.getpid(), signal.SIGKILL)
        return results

    SqliteStore.commit = dying  # type: ignore[method-assign]


if __name__ == "__main__":
    if when := os.environ.get("DIE_AT"):
        die(when)
    registry = Registry([CHANNEL])
    run(load(Path(sys.argv[2]), registry), registry=registry)
