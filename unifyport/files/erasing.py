"""Deletes the kept files of messages that were deleted.

That a message was deleted is a row of the store, which is what makes its links answer 410. The bytes are
deleted by a task of its own: it hears of each deletion once that is durable, and when it starts it looks for
what a kill has left.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import trio

from supervisors import Incarnation
from unifyport.process import disk
from unifyport.storage.contract import Store, StoreUnavailable

from .incoming import PART, message_of

log = logging.getLogger("unifyport.media")

MOST_NOTED = 10_000  # messages; beyond that the whole directory is compared with the store
_ASKED_AT_ONCE = 500
_FIRST_RETRY, _LAST_RETRY = 0.5, 30.0


class Eraser:
    def __init__(self, directory: Path, store: Store) -> None:
        self._directory = directory
        self._store = store
        self._noted: dict[str, set[bytes]] = defaultdict(set)  # by account
        self._count = 0
        self._everything = True
        self._bell = trio.Event()

    def note(self, account_id: str, messages: Sequence[bytes]) -> None:
        """These messages were deleted, durably. Synchronous; not a checkpoint."""
        if not messages:
            return
        self._count += len(messages)
        if self._count > MOST_NOTED:
            self._everything = True
            self._noted.clear()
        else:
            self._noted[account_id].update(messages)
        self._bell.set()

    async def run(self, incarnation: Incarnation) -> None:
        """Delete files until cancelled."""
        incarnation.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._forever)
            await incarnation.stopping()
            nursery.cancel_scope.cancel()

    async def _forever(self) -> None:
        pause = _FIRST_RETRY
        while True:
            everything, noted = self._take()
            try:
                if everything:
                    await self._compare()
                for account_id, messages in noted.items():
                    await self._delete(account_id, messages)
            except (OSError, StoreUnavailable) as error:
                log.warning("files of deleted messages could not be deleted: %s", error)
                self._everything = True
                await trio.sleep(pause)
                pause = min(2 * pause, _LAST_RETRY)
                continue
            pause = _FIRST_RETRY
            await self._bell.wait()

    def _take(self) -> tuple[bool, dict[str, set[bytes]]]:
        taken = self._everything, self._noted
        self._everything, self._noted, self._count = False, defaultdict(set), 0
        self._bell = trio.Event()
        return taken

    async def _compare(self) -> None:
        """Look up every kept file in the store, also parts of files that a kill has left."""
        accounts = await disk.run(lambda: [path.name for path in self._directory.glob("acct_*")])
        for account_id in accounts:
            kept = await disk.run(_messages_in, self._directory / account_id)
            keys = sorted(set(kept.values()))
            for start in range(0, len(keys), _ASKED_AT_ONCE):
                gone = await self._store.erased(account_id, keys[start : start + _ASKED_AT_ONCE])
                await disk.run(_unlink, [path for path, key in kept.items() if key in gone])

    async def _delete(self, account_id: str, messages: set[bytes]) -> None:
        """A file that is being fetched is not deleted here: `MediaCache` asks once it is complete."""
        kept = await disk.run(_messages_in, self._directory / account_id)
        found = [path for path, key in kept.items() if key in messages and path.suffix != PART]
        await disk.run(_unlink, found)


def _messages_in(directory: Path) -> dict[Path, bytes]:
    """The files in a directory whose names say their message, with the key of that."""
    try:
        keys = ((path, message_of(path.name)) for path in directory.iterdir())
        return {path: key for path, key in keys if key is not None}
    except FileNotFoundError:
        return {}


def _unlink(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
