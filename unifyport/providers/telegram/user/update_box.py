"""Which updates are in order, which came before, and where one is missing. Pure.

The account and each channel have a sequence of their own. An update that says `pts` and `pts_count` moves its
sequence from `pts - pts_count` to `pts`:

    local + pts_count == pts    in order: applied
    local + pts_count > pts     it came before: dropped
    local + pts_count < pts     one is missing: held for half a second, then the difference is asked for

The difference ends a gap. An update whose position `MOST_ASKED` differences do not reach is applied as it is,
and moves nothing: it would be asked for without an end.

While a difference is being fetched every update of that sequence is held, as the answer may contain it. A
position of zero means "not set": it moves nothing and is never stored.

https://core.telegram.org/api/updates. Telethon's `messagebox` is not used: it has asyncio's clock inside,
drops what comes during a difference, never ends one that is "too long", and holds updates without a bound.
"""

import math
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

import attrs

T = TypeVar("T")

ACCOUNT: Final = 0  # private chats and basic groups; a channel's sequence is known by the channel's number
MAX_HELD: Final = 256
GAP_SECONDS: Final = 0.5
MOST_ASKED: Final = 3  # differences that do not reach an update, after which it is applied as it is
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0


@attrs.define
class _Held(Generic[T]):
    pts: int
    count: int
    item: T
    asked: int = 0  # differences that began after it came


@attrs.define
class _Sequence(Generic[T]):
    pts: int = 0
    held: list[_Held[T]] = attrs.field(factory=list)
    gap_at: float = math.inf  # when a gap counts as one: the difference is asked for then
    asked_at: float = (
        math.inf
    )  # the same, where the platform says that updates are missing, or too many are held
    is_fetching: bool = False
    pause: float = 0.0  # after a failure

    @property
    def wanted_at(self) -> float:
        return min(self.gap_at, self.asked_at)


class UpdateBox(Generic[T]):
    """The sequences of one account. `now`: seconds of a clock that does not go back."""

    def __init__(self) -> None:
        self._sequences: dict[int, _Sequence[T]] = {}

    def load(self, positions: Iterable[tuple[int, int]]) -> None:
        """Take stored positions: (sequence, pts)."""
        for box, pts in positions:
            if pts > 0:
                self._of(box).pts = pts

    def position(self, box: int) -> int:
        """The pts up to which everything was applied; 0: not known."""
        return self._sequences[box].pts if box in self._sequences else 0

    def known(self) -> list[int]:
        return [box for box, sequence in self._sequences.items() if sequence.pts]

    def forget(self, box: int) -> None:
        """Drop a channel that the account is no longer in."""
        self._sequences.pop(box, None)

    def offer(self, box: int, pts: int, count: int, item: T, now: float) -> list[T]:
        """Take an update; returns the updates that are in order now, this one or those held before."""
        sequence, count = self._of(box), max(count, 0)
        if pts <= 0:
            return [item]
        if sequence.pts == 0 and not sequence.is_fetching:
            # The first update of a sequence begins it. One that moves nothing may come ahead of the message
            # that has the same pts, which must not look as if it had been applied.
            sequence.pts = pts if count > 0 else max(pts - 1, 1)
            return [item]
        if not sequence.is_fetching and sequence.pts + count == pts:
            sequence.pts = pts
            return [item, *self._drain(sequence)]
        if sequence.pts + count > pts and not sequence.is_fetching:
            return []
        if len(sequence.held) < MAX_HELD:
            sequence.held.append(_Held(pts, count, item))
        else:
            sequence.asked_at = min(sequence.asked_at, now + sequence.pause)
        if not sequence.is_fetching:
            sequence.gap_at = min(sequence.gap_at, now + max(GAP_SECONDS, sequence.pause))
        return []

    # -- differences ----------------------------------------------------------------------------------------

    def want(self, box: int, now: float) -> None:
        """Ask for the difference as soon as possible: the platform says that updates are missing."""
        sequence = self._of(box)
        sequence.asked_at = min(sequence.asked_at, now + sequence.pause)

    def due(self) -> float:
        """When the next difference is to be fetched; infinity: none."""
        waiting = (each.wanted_at for each in self._sequences.values() if not each.is_fetching)
        return min(waiting, default=math.inf)

    def begin(self, now: float, limit: int) -> list[int]:
        """The sequences to fetch the difference of now, at most `limit`; they count as being fetched."""
        due = [box for box, each in self._sequences.items() if each.wanted_at <= now and not each.is_fetching]
        due.sort(key=lambda box: (box != ACCOUNT, self._sequences[box].wanted_at))
        for box in due[: max(limit, 0)]:
            self._sequences[box].is_fetching = True
            for each in self._sequences[box].held:
                each.asked += 1
            self._sequences[box].gap_at = self._sequences[box].asked_at = math.inf
        return due[: max(limit, 0)]

    def move(self, box: int, pts: int) -> None:
        """A part of a difference was applied up to `pts`; more of it follows."""
        if pts > 0:
            self._of(box).pts = pts

    def end(self, box: int, pts: int, now: float) -> list[T]:
        """The difference was applied up to `pts`, and is complete: what was held and is in order now."""
        sequence = self._of(box)
        self.move(box, pts)
        sequence.is_fetching, sequence.pause = False, 0.0
        found = self._drain(sequence)
        found += [each.item for each in sequence.held if each.asked >= MOST_ASKED]
        sequence.held = [each for each in sequence.held if each.asked < MOST_ASKED]
        if sequence.held:
            sequence.gap_at = min(sequence.gap_at, now + GAP_SECONDS)
        return found

    def fail(self, box: int, now: float, pause: float = 0.0) -> None:
        """The difference could not be fetched: position and held updates stay, and it is asked for later."""
        sequence = self._of(box)
        sequence.is_fetching = False
        sequence.pause = max(pause, min(max(sequence.pause * 2, FIRST_PAUSE), LONGEST_PAUSE))
        sequence.asked_at = now + sequence.pause

    def _of(self, box: int) -> _Sequence[T]:
        return self._sequences.setdefault(box, _Sequence())

    @staticmethod
    def _drain(sequence: _Sequence[T]) -> list[T]:
        """The held updates that are in order; those that came before are dropped."""
        found: list[T] = []
        sequence.held.sort(key=lambda each: (each.pts, -each.count))
        kept: list[_Held[T]] = []
        for each in sequence.held:
            after = sequence.pts + each.count
            if after == each.pts:
                sequence.pts = each.pts
                found.append(each.item)
            elif after < each.pts:
                kept.append(each)
        sequence.held = kept
        if not kept:
            sequence.gap_at = math.inf
        return found
