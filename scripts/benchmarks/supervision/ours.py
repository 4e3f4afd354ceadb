"""Measures `supervisors`: argv is KIND (memory or restarts), COUNT, ROUNDS. Prints one number.

memory: bytes of resident memory per idle child. restarts: restarts per second of CPU when
all children crash at once.
"""

import gc
import logging
import resource
import sys
import time
from pathlib import Path

import trio

from actors.mailbox import Mailbox
from supervisors import Backoff, ChildSpec, Incarnation, OneForOne, Policy
from unifyport.process.garbage import tame

POLICY = Policy(backoff=Backoff(1e-9, 1.0, 1e-9, 0.0), max_restarts=10**8, window=1e-3)


class Crash(Exception):
    pass


def resident() -> int:
    """Bytes of resident memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Child:
    """Waits for messages, and crashes on "crash", like the gen_server of the Erlang peer."""

    __slots__ = ("crowd", "mailbox")

    def __init__(self, crowd: "Crowd") -> None:
        self.crowd = crowd
        self.mailbox: Mailbox[str] = Mailbox()

    async def run(self, me: Incarnation) -> None:
        me.started()
        self.crowd.up()
        while True:
            for message in await self.mailbox.take():
                if message == "crash":
                    raise Crash


class Crowd:
    def __init__(self, count: int) -> None:
        self.supervisor = OneForOne()
        self.children = [Child(self) for _ in range(count)]
        self._down = count
        self._all_up = trio.Event()
        for number, child in enumerate(self.children):
            self.supervisor.add(ChildSpec(str(number), child.run, POLICY))

    def up(self) -> None:
        self._down -= 1
        if self._down == 0:
            self._all_up.set()

    async def all_up(self) -> None:
        await self._all_up.wait()

    async def crash(self) -> None:
        """Crash all children; returns when all are up again."""
        self._down, self._all_up = len(self.children), trio.Event()
        for child in self.children:
            child.mailbox.put_nowait("crash")
        await self._all_up.wait()


async def measure(kind: str, count: int, rounds: int) -> float:
    gc.collect()
    before = resident()
    crowd = Crowd(count)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.supervisor.run, Incarnation(1, float("inf")))
        await crowd.all_up()
        if kind == "memory":
            gc.collect()
            found = (resident() - before) / count
        else:
            began = time.process_time()
            for _ in range(rounds):
                await crowd.crash()
            found = rounds * count / (time.process_time() - began)
        nursery.cancel_scope.cancel()
    return found


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    tame()
    print(trio.run(measure, sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
