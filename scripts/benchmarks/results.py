"""What a run of the benchmarks found, as values and as JSON."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Self

import attrs

from .names import OURS


@attrs.frozen
class Sample:
    """The figures of one subject in one case of a suite, in one round."""

    suite: str
    case: str
    subject: str
    round: int
    figures: dict[str, float]


@attrs.frozen
class Skipped:
    """What was not measured, and why. `case` is empty if it is the whole suite."""

    suite: str
    subject: str
    reason: str


@attrs.define
class Results:
    """`about`: machine, versions and options, in the order in which they are shown."""

    about: dict[str, str] = attrs.field(factory=dict)
    samples: list[Sample] = attrs.field(factory=list)
    skipped: list[Skipped] = attrs.field(factory=list)

    def of(self, suite: str, case: str, subject: str) -> list[Sample]:
        """The samples of all rounds."""
        wanted = (suite, case, subject)
        return [each for each in self.samples if (each.suite, each.case, each.subject) == wanted]

    def cases(self, suite: str) -> list[tuple[str, str]]:
        """The subjects of a suite by case, both in the order in which they were first measured."""
        subjects: dict[str, dict[str, None]] = {}
        for each in self.samples:
            if each.suite == suite:
                subjects.setdefault(each.case, {})[each.subject] = None
        return [(case, subject) for case, names in subjects.items() for subject in names]

    def medians(self, suite: str, case: str, subject: str) -> dict[str, float]:
        found = self.of(suite, case, subject)
        names = dict.fromkeys(name for each in found for name in each.figures)
        return {name: median(_values(found, name)) for name in names}

    def ratios(
        self, suite: str, case: str, subject: str, figure: str, *, base: str = OURS, base_case: str = ""
    ) -> list[float]:
        """One subject's figure to the base's in each round that has both.

        Ratios within a round are steadier than those of medians: the speed of a machine changes from minute
        to minute, and what belongs to a round is measured close together.
        """
        bases = {
            each.round: each.figures[figure]
            for each in self.of(suite, base_case or case, base)
            if figure in each.figures
        }
        return [
            each.figures[figure] / bases[each.round]
            for each in self.of(suite, case, subject)
            if figure in each.figures and bases.get(each.round)
        ]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(attrs.asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        found = json.loads(path.read_text())
        return cls(
            found["about"],
            [Sample(**each) for each in found["samples"]],
            [Skipped(**each) for each in found["skipped"]],
        )


def _values(samples: Iterable[Sample], name: str) -> Iterator[float]:
    return (each.figures[name] for each in samples if name in each.figures)
