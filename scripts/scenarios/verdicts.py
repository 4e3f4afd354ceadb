"""The end of a scenario: each limit and whether it was kept, as lines."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console


def print_verdicts(console: Console, limits: Sequence[tuple[bool, str]], notes: Sequence[str] = ()) -> bool:
    """Print `limits` (was it kept, what was measured), then `notes`; returns whether all were kept."""
    for kept, line in limits:
        console.print(f"{'ok  ' if kept else 'BAD '} {line}")
    for note in notes:
        console.print(f"     {note}")
    return all(kept for kept, _ in limits)


def count_crashes(log: Path) -> int:
    """Tracebacks in the log of a process."""
    return log.read_text().count("Traceback")


def crash_limit(crashes: int) -> tuple[bool, str]:
    """There must be none."""
    return not crashes, f"crashes in the log: {crashes}"
