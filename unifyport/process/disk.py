"""File access in threads. This module has its own limit of threads, so a slow disk delays only files."""

import sys
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO, TypeVar

import trio

T = TypeVar("T")

CHUNK = 64 * 1024
_TURNS = trio.CapacityLimiter(4)


async def run(function: Callable[..., T], *arguments: object) -> T:
    """Call `function` in a thread. Cancelled: the call finishes, then the cancellation is raised."""
    return await trio.to_thread.run_sync(function, *arguments, limiter=_TURNS)


async def read(file: BinaryIO, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
    """Read `length` bytes from `offset` of an open file, in chunks, and close it. Raises `OSError`."""
    left = sys.maxsize if length is None else length
    try:
        if offset:
            await run(file.seek, offset)
        while chunk := await run(file.read, min(CHUNK, left)):
            left -= len(chunk)
            yield chunk
    finally:
        file.close()
