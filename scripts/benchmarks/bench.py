"""What a suite is given: the rig, the options, and where its figures go."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import attrs
import httpx

from .install import Missing
from .names import OURS
from .process import PeerFailed
from .results import Results, Sample, Skipped
from .rig import Rig
from .subject import Setup


class HasName(Protocol):
    @property
    def name(self) -> str: ...


Named = TypeVar("Named", bound=HasName)


@attrs.frozen
class Options:
    """`scale` multiplies all counts and times; `gateway` is another checkout of UnifyPort."""

    rounds: int = 5
    callers: tuple[int, ...] = (1, 16, 64, 256)
    scale: float = 1.0
    peers: frozenset[str] = frozenset()
    gateway: Path | None = None

    def count(self, full: float, least: int = 1) -> int:
        """So many, or fewer of them."""
        return max(least, round(full * self.scale))

    def seconds(self, full: float) -> float:
        return max(0.5, full * self.scale)


@attrs.define
class Bench:
    """One run of the benchmarks. `round` is the number of the round in progress."""

    rig: Rig
    options: Options
    results: Results
    say: Callable[[str], None]
    round: int = 0
    failed: bool = False

    def setup(self, **fields: object) -> Setup:
        return Setup(gateway=self.options.gateway, **fields)  # type: ignore[arg-type]

    def turns(self, subjects: Sequence[Named]) -> list[Named]:
        """The subjects that are wanted, ours always; in every second round the other way round."""
        peers = self.options.peers
        wanted = [each for each in subjects if each.name == OURS or not peers or each.name in peers]
        return wanted[::-1] if self.round % 2 else wanted

    def add(self, suite: str, case: str, subject: str, **figures: float) -> None:
        self.results.samples.append(Sample(suite, case, subject, self.round, figures))

    @contextlib.contextmanager
    def subject(self, suite: str, subject: str) -> Iterator[None]:
        """A peer that is missing, or fails, is skipped with the reason; all others are still measured."""
        self.say(f"round {self.round + 1}: {suite}: {subject}")
        try:
            yield
        except (Missing, PeerFailed, OSError, httpx.HTTPError) as why:
            self.say(f"  skipped: {why}")
            self.failed = self.failed or (subject == OURS and not isinstance(why, Missing))
            skipped = Skipped(suite, subject, str(why))
            if skipped not in self.results.skipped:
                self.results.skipped.append(skipped)
