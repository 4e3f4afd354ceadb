"""The turns by which requests of platforms enter the gateway.

All ready tasks run in one turn of the event loop, so a thousand requests that come together make every other
task wait for all of them. Therefore a turn of the loop lets in at most `PER_TURN` requests, round-robin over
accounts. An account that has been alone for a second may take them all. In company an account enters at once
while it has no request in work; its further requests wait until the process has processor time to spare, at
most `LONGEST_WAIT`. So an account that is flooded leaves room for those that are not, and all accounts
together may use a core up to the share of `spare_time` before the first one waits.

An account with other requests in work also waits while deliveries that could be attempted wait for the loop:
so ingress cannot outrun them. How much is owed does not matter, nor do receivers that are slow or down.

Nothing is held while a request waits: a turn is not a lock, and requests of one account share a commit.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable

import trio

from supervisors import turnstile
from supervisors.company import FairShare
from supervisors.instruments import raises_nothing

from .spare_time import SpareTime

PER_TURN = 16
LONGEST_WAIT = 0.05  # seconds
SHORTEST_PAUSE = 0.001  # seconds between two looks at the time to spare
BATCH = 4  # requests of each account that share one look at the time to spare
STRANGER = ""  # the key of all requests that name no account of ours


_Queue = OrderedDict[trio.lowlevel.Task, float]  # the requests of one account that wait, and since when


class EntryTurns(trio.abc.Instrument):
    """`behind`: whether deliveries that could be attempted wait for the loop. `spare`: the time to spare.

    An instrument, because only instruments see a turn of the loop begin and end.
    """

    def __init__(self, behind: Callable[[], bool] = lambda: False, spare: SpareTime | None = None) -> None:
        self._behind = behind
        self._spare = SpareTime() if spare is None else spare
        self._begins_turns = False
        self._push_back: bool | None = None  # in this turn of the loop, once it was asked
        self._left = PER_TURN
        self._entered: set[str] = set()  # in this turn of the loop
        self._in_work: Counter[str] = Counter()
        self._queues: OrderedDict[str, _Queue] = OrderedDict()  # none of them is empty
        self._fair_share = FairShare()
        self._token: trio.lowlevel.TrioToken | None = None

    async def enter(self, key: str) -> None:
        """Wait for a turn; not a checkpoint if there is one now. Call `leave` after it, if it returns."""
        if self._token is None:
            self._token = trio.lowlevel.current_trio_token()
            trio.lowlevel.add_instrument(self)
        if self._in_work[key] and self._deliveries_wait():
            await turnstile().idle(LONGEST_WAIT)
        now = trio.current_time()
        shared = self._fair_share.is_shared(key, now)
        waits = shared and (key in self._entered or key in self._in_work)
        if self._left > 0 and key not in self._queues and not waits:
            self._count(key)
        else:
            await self._wait(key, now)
        self._in_work[key] += 1

    def leave(self, key: str) -> None:
        """The request is answered."""
        self._in_work[key] -= 1
        if not self._in_work[key]:
            del self._in_work[key]

    def _deliveries_wait(self) -> bool:
        if self._push_back is None:
            self._push_back = self._behind()
        return self._push_back

    async def _wait(self, key: str, now: float) -> None:
        task, queue = trio.lowlevel.current_task(), self._queues.setdefault(key, OrderedDict())
        queue[task] = now
        if not self._begins_turns:
            self._begins_turns = True
            trio.lowlevel.spawn_system_task(self._begin_turns)

        def abort(_: object) -> trio.lowlevel.Abort:
            del queue[task]
            if not queue:
                del self._queues[key]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)

    # -- the turns of the loop -------------------------------------------------------------------------------

    @raises_nothing
    def after_io_wait(self, timeout: float) -> None:
        """A turn begins."""
        self._push_back = None
        self._left = PER_TURN
        self._entered.clear()
        if self._queues:
            now = trio.current_time()
            self._admit(lambda key, queue: len(queue) == 1 and key not in self._in_work, rounds=1)
            self._admit(lambda key, queue: not self._fair_share.others_active(key, now), rounds=PER_TURN)
            self._admit(lambda key, queue: now - next(iter(queue.values())) >= LONGEST_WAIT, rounds=PER_TURN)

    @raises_nothing
    def before_io_wait(self, timeout: float) -> None:
        """A turn ends. `timeout` is 0 if a task is ready for the next one."""
        if timeout > 0 and self._queues and not self._spare.wait():
            self._admit(lambda key, queue: True, rounds=BATCH)
            assert self._token is not None
            self._token.run_sync_soon(_nothing, idempotent=True)  # the next turn begins at once

    async def _begin_turns(self) -> None:
        """Begin a turn whenever there may be time to spare, as long as requests wait."""
        while self._queues:
            await trio.sleep(min(LONGEST_WAIT, max(SHORTEST_PAUSE, self._spare.wait())))
        self._begins_turns = False

    def _admit(self, may: Callable[[str, _Queue], bool], *, rounds: int) -> None:
        """Let in one request of each account that may, up to `rounds` times, as long as the turn has room."""
        for _ in range(rounds):
            let_in = 0
            for key, queue in list(self._queues.items()):
                if self._left <= 0:
                    return
                if may(key, queue):
                    task, _ = queue.popitem(last=False)
                    trio.lowlevel.reschedule(task)
                    self._count(key)
                    let_in += 1
                    if queue:
                        self._queues.move_to_end(key)
                    else:
                        del self._queues[key]
            if not let_in:
                return

    def _count(self, key: str) -> None:
        self._left -= 1
        self._entered.add(key)


def _nothing() -> None:
    pass
