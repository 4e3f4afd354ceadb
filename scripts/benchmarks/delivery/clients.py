"""Measures a client alone: some workers, each posting one request after another.

The caller passes the client as a function that makes a `Post` for each worker.
"""

import gc
from collections.abc import Awaitable, Callable

import trio

from .job import Job, Stopwatch

WARM_SECONDS = 2.0
Post = Callable[[], Awaitable[int]]  # one request, and the status of its answer
NewPost = Callable[[], Awaitable[Post]]  # called once for each worker


async def measure(job: Job, new_post: NewPost) -> None:
    """Warm up, then measure for `job.seconds` and print the result."""
    done, stopped = 0, False

    async def worker() -> None:
        nonlocal done
        post = await new_post()
        while not stopped:
            status = await post()
            if status != 204:
                raise RuntimeError(f"HTTP {status}")
            done += 1

    async with trio.open_nursery() as nursery:
        for _ in range(job.connections):
            nursery.start_soon(worker)
        await trio.sleep(WARM_SECONDS)
        gc.collect()
        gc.freeze()
        before, watch = done, Stopwatch()
        await trio.sleep(job.seconds)
        found = watch.measured(done - before)
        stopped = True
    found.say()
