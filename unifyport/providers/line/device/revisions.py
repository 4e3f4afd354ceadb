"""Where the list of operations is read on: three revisions that only grow. Pure.

They are persisted with the events of each answer, never taken from the server while there are some of ours.
An answer that brings nothing moves what it can and does not loop: `after` tells whether there is more to ask
for at once.
"""

from collections.abc import Sequence

import msgspec
from attrs import evolve, frozen

from .structures import Operation, SyncAnswer, SyncRequest

PAGE = 100


@frozen
class Revisions:
    """The last operation, and the last global and individual events, that were read. `at`: the time of the
    newest operation so far, unix ms; 0: there was none.
    """

    operation: int = 0
    globals: int = 0
    individual: int = 0
    at: int = 0

    def request(self, count: int = PAGE) -> SyncRequest:
        return SyncRequest(self.operation, count, self.globals, self.individual)

    def dump(self) -> bytes:
        return msgspec.msgpack.encode((self.operation, self.globals, self.individual, self.at))

    @classmethod
    def load(cls, data: bytes) -> "Revisions":
        """Raises `msgspec.DecodeError`."""
        return cls(*msgspec.msgpack.decode(data, type=tuple[int, int, int, int]))


@frozen
class Page:
    """What an answer brings: operations that are new, where to go on, and whether it is asked again at once.

    `gap`: the server does not replay what was missed; the chats' histories are fetched.
    """

    operations: Sequence[Operation]
    revisions: Revisions
    more: bool = False
    gap: bool = False


def after(revisions: Revisions, answer: SyncAnswer) -> Page:
    """The page of an answer. Operations that were read before are left out, the others in their order."""
    if answer.full_sync is not None:
        following = max(answer.full_sync.next_revision or 0, revisions.operation)
        return Page((), evolve(revisions, operation=following), gap=True)
    if (found := answer.operations) is None:
        return Page((), revisions)
    new = [one for one in found.operations or () if _is_new(one, revisions)]
    new.sort(key=lambda one: one.revision or 0)
    events = [
        part.last_revision or 0 if part else 0 for part in (found.global_events, found.individual_events)
    ]
    moved = Revisions(
        max([revisions.operation, *((one.revision or 0) for one in new)]),
        max(revisions.globals, events[0]),
        max(revisions.individual, events[1]),
        max([revisions.at, *(one.created or 0 for one in new)]),
    )
    return Page(new, moved, more=bool(found.more) and moved != revisions)


def _is_new(operation: Operation, revisions: Revisions) -> bool:
    """Also a message without a revision: its id tells whether it is new."""
    number = operation.revision or 0
    return number > revisions.operation or (number <= 0 and operation.message is not None)
