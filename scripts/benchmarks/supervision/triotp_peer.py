"""Measures triotp as `ours.py` measures `supervisors`: argv is KIND, COUNT, ROUNDS. Prints one number."""

import gc
import sys
import time

import trio
from logbook import NullHandler
from triotp import gen_server, mailbox, supervisor

down = 0
all_up = trio.Event()


async def init(name):
    global down
    down -= 1
    if down == 0:
        all_up.set()
    return name


async def handle_cast(message, state):
    raise RuntimeError(message)


async def terminate(reason, state):
    pass


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


async def measure(kind, count, rounds):
    global down, all_up
    down, all_up = count, trio.Event()
    gc.collect()
    before = resident()
    names = [f"child-{number}" for number in range(count)]
    children = [
        supervisor.child_spec(id=name, task=gen_server.start, args=[sys.modules[__name__], name, name])
        for name in names
    ]
    async with trio.open_nursery() as nursery:
        await nursery.start(supervisor.start, children, supervisor.options(10**8, 1))
        await all_up.wait()
        if kind == "memory":
            gc.collect()
            found = (resident() - before) / count
        else:
            began = time.process_time()
            for _ in range(rounds):
                down, all_up = count, trio.Event()
                for name in names:
                    await gen_server.cast(name, "crash")
                await all_up.wait()
            found = rounds * count / (time.process_time() - began)
        nursery.cancel_scope.cancel()
    return found


async def main():
    mailbox._init()
    return await measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))


if __name__ == "__main__":
    with NullHandler().applicationbound():
        print(trio.run(main))
