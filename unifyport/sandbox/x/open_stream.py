"""One connection of the activity stream, as the sandbox sees it."""

from collections import deque

import trio


class OpenStream:
    """One connection of the stream. `reset` breaks it, `end` ends it."""

    protocol = "stream"

    def __init__(self) -> None:
        self.lines: deque[bytes] = deque()
        self.news = trio.Event()
        self.broken = self.ended = False

    def give(self, line: bytes) -> None:
        self.lines.append(line)
        self.wake()

    def reset(self) -> None:
        self.broken = True
        self.wake()

    def end(self) -> None:
        self.ended = True
        self.wake()

    def wake(self) -> None:
        self.news.set()
        self.news = trio.Event()
