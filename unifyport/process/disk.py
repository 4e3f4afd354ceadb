"""Files, without holding up the loop: threads of this module's own,
so that a slow disk holds up nobody else.
"""

import sys
from collections.abc import AsyncIterator, Callable
from typing import BinaryIO, TypeVar

import trio

T = TypeVar("T")

CHUNK = 64 * 1024
_TURNS = trio.CapacityLimiter(4)


async def run(function: Callable[..., T], *arguments: object) -> T:
    """A call that may wait for the disk. Cancelled: it finishes, then the cancellation is raised."""
    return await trio.to_thread.run_sync(function, *arguments, limiter=_TURNS)


async def read(file: BinaryIO, *, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
    """An open file in chunks, `length` bytes from `offset`, closed at the end. Raises `OSError`."""
    left = sys.maxsize if length is None else length
    try:
        if offset:
            await run(file.seek, offset)
        while chunk := await run(file.read, min(CHUNK, left)):
            left -= len(chunk)
            yield chunk
    finally:
        file.close()
