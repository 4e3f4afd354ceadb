"""Ids, which the application makes, not the database.

Account, key, endpoint and command ids are a prefix and 120 random bits. Event ids also hold time and a
counter, so that they sort in commit order: receivers apply events by `occurred_at` and break ties by event
id, because a platform's clock often has a resolution of one second.
"""

import os
from collections.abc import Callable

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, in ASCII order: text sorts like numbers
_VALUE = {letter: number for number, letter in enumerate(_ALPHABET)}
_EVENT_DIGITS = 26  # 130 bits for 48 + 16 + 64


_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def _encode(value: int, digits: int) -> str:
    """`value` as base-32 digits, two at a time; `digits` must be even."""
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(5 * (digits - 2), -1, -10)])


def new_id(prefix: str) -> str:
    """`<prefix>_` and 24 base-32 digits, 120 random bits."""
    return f"{prefix}_{_encode(int.from_bytes(os.urandom(15)), 24)}"


class _Random:
    """Random bits, read in blocks of 4 KiB: a system call for each id would cost more than the rest of it."""

    _PIECE = 4096

    def __init__(self) -> None:
        self._pool = b""
        self._at = 0

    def bits64(self) -> int:
        if self._at >= len(self._pool):
            self._pool, self._at = os.urandom(self._PIECE), 0
        self._at += 8
        return int.from_bytes(self._pool[self._at - 8 : self._at])


class EventIds:
    """Strictly increasing event ids: `evt_` + 48 bits of unix ms, 16 bits of counter, 64 random bits.

    `after` is the newest id in the store: new ids sort after it even if the clock was set back.
    """

    def __init__(self, now_ms: Callable[[], int], after: str | None = None) -> None:
        self._now_ms = now_ms
        self._random = _Random()
        self._tick = 0 if after is None else self._tick_of(after)  # ms << 16 | counter

    def __call__(self) -> str:
        self._tick = max(self._tick + 1, self._now_ms() << 16)
        return "evt_" + _encode(self._tick << 64 | self._random.bits64(), _EVENT_DIGITS)

    @staticmethod
    def _tick_of(event_id: str) -> int:
        value = 0
        for letter in event_id.removeprefix("evt_"):
            value = value << 5 | _VALUE[letter]
        return value >> 64
