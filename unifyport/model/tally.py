"""A histogram of durations. Counts are per bucket while they are collected, cumulative when they are read."""

from bisect import bisect_left
from collections.abc import Iterator

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class Tally:
    """How many durations fell into each bucket, and their sum in seconds."""

    __slots__ = ("_counts", "sum")

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    def cumulative(self) -> Iterator[tuple[float, int]]:
        """(upper bound, count up to it) for each bound; the last bound is infinity."""
        total = 0
        for bound, count in zip((*BOUNDS, float("inf")), self._counts, strict=True):
            total += count
            yield bound, total
