"""What arrived: whether each message came once, and those of a conversation in order."""

import time

from .traffic import CONVERSATIONS


class Tracker:
    """`arrived`: message number -> time of its first arrival, in the clock of `time.perf_counter`."""

    def __init__(self) -> None:
        self.expect(range(0))

    def expect(self, numbers: range) -> None:
        """Forget everything, and expect these numbers. Any other is a late repeat."""
        self._numbers = numbers
        self.arrived: dict[int, float] = {}
        self.repeated = self.misordered = 0
        self._last = [-1] * CONVERSATIONS

    def arrive(self, number: int) -> None:
        if number in self.arrived or number not in self._numbers:
            self.repeated += 1
            return
        self.arrived[number] = time.perf_counter()
        conversation = number % CONVERSATIONS
        if number < self._last[conversation]:
            self.misordered += 1
        else:
            self._last[conversation] = number
