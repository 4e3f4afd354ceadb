"""Runs Python's garbage collector on a schedule, so that it does not stop the event loop.

By default the collector examines every object whenever their number has grown by a quarter. With ten thousand
accounts that stops the loop for more than a second. So automatic collection is turned off. Young objects are
collected ten times a second, which takes time in proportion to their number, but not while many tasks wait at
the turnstile. What survives is examined once more when `EXAMINED` memory blocks have been added. If that took
long, the survivors are set aside: they are the accounts and connections of a large gateway, and are not
examined again. So no collection examines more than what was added lately, and none takes long.

What was set aside is freed by its reference counts. A cycle in it would stay, so the project's own objects
make none that live long: a connection that ends, an account that reconnects and an endpoint that is deleted
leave none. Memory is judged by live blocks: resident memory does not shrink when objects are freed.
"""

import gc
import sys
import time

import trio

from supervisors import Incarnation, turnstile

TICK = 0.1
EXAMINED = 100_000  # blocks (objects, and tables of some) that are added between two examinations
LONG = 0.02  # seconds of computing of an examination after which its survivors are set aside
_YOUNG = 1  # generations 0 and 1


def tame() -> None:
    """Turn off automatic collection in this process, and never examine the objects that exist now."""
    gc.collect()
    gc.freeze()
    gc.disable()


class Garbage:
    """Collects young objects all the time, and older ones in portions."""

    def __init__(self) -> None:
        self._known = sys.getallocatedblocks()  # when the older ones were last examined

    async def run(self, me: Incarnation) -> None:
        """Collect until asked to stop."""
        me.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._collect)
            await me.stopping()
            nursery.cancel_scope.cancel()

    async def _collect(self) -> None:
        while True:
            await trio.sleep(TICK)
            self.look()

    def look(self) -> None:
        """Collect what is due now."""
        blocks = sys.getallocatedblocks()
        if blocks < self._known:
            self._known = blocks
        elif blocks - self._known >= EXAMINED:
            self._examine()
        elif not turnstile().crowded:
            gc.collect(_YOUNG)

    def _examine(self) -> None:
        began = time.thread_time()
        gc.collect()
        if time.thread_time() - began > LONG:
            gc.freeze()
        self._known = sys.getallocatedblocks()
