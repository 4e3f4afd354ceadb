"""Channels that are silent: of an account in many of them the platform pushes some never."""

import math
from collections.abc import Callable
from typing import Final

import trio

from .standing import Standing

_POLL_SECONDS: Final = 60.0
_QUIET_SECONDS: Final = 900.0


class Silent:
    """Of one account."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    async def poll(self, ask: Callable[[int], None]) -> None:
        """`ask` for one channel at a time, the one that has been silent longest. Until cancelled."""
        start = trio.current_time()
        while True:
            await trio.sleep(_POLL_SECONDS)
            now = trio.current_time()
            silent = [
                box
                for box in self._standing.channels
                if now - self._standing.heard.get(box, start) > _QUIET_SECONDS
            ]
            if silent:
                longest = min(silent, key=lambda box: self._standing.heard.get(box, -math.inf))
                self._standing.heard[longest] = now
                ask(longest)
