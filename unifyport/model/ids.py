"""Ids, which the application makes, not the database.

Account, key, endpoint and command ids are a prefix and 120 random bits. Event ids also hold time and a
counter, so that they sort in commit order: receivers apply events by `occurred_at` and break ties by event
id, because a platform's clock often has a resolution of one second.
"""

import os
import threading
from collections.abc import Callable

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, in ASCII order: text sorts like numbers
_VALUE = {letter: number for number, letter in enumerate(_ALPHABET)}
_EVENT_DIGITS = 26  # 130 bits for 48 + 16 + 64


_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]


def _encode(value: int, digits: int) -> str:
    """`value` as base-32 digits, two at a time; `digits` must be even."""
    return "".join([_PAIRS[(value >> shift) & 1023] for shift in range(5 * (digits - 2), -1, -10)])


class _Random(threading.local):
    """Random bits, read in blocks of 4 KiB: a system call for each id would cost more than the rest of it.

    Each thread has a block of its own.
    """

    _PIECE = 4096

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin a new block: after a fork parent and child must not share one."""
        self._pool, self._at = b"", 0

    def bits(self, count: int) -> int:
        """`count`: a multiple of 8."""
        size = count // 8
        if self._at + size > len(self._pool):
            self._pool, self._at = os.urandom(self._PIECE), 0
        self._at += size
        return int.from_bytes(self._pool[self._at - size : self._at])


_random = _Random()
os.register_at_fork(after_in_child=_random.forget)


def new_id(prefix: str) -> str:
    """`<prefix>_` and 24 base-32 digits, 120 random bits."""
    return f"{prefix}_{_encode(_random.bits(120), 24)}"


class EventIds:
    """Strictly increasing event ids: `evt_` + 48 bits of unix ms, 16 bits of counter, 64 random bits.

    `after` is the newest id in the store: new ids sort after it even if the clock was set back.
    """

    def __init__(self, now_ms: Callable[[], int], after: str | None = None) -> None:
        self._now_ms = now_ms
        self._tick = 0 if after is None else self._tick_of(after)  # ms << 16 | counter

    def __call__(self) -> str:
        self._tick = max(self._tick + 1, self._now_ms() << 16)
        return "evt_" + _encode(self._tick << 64 | _random.bits(64), _EVENT_DIGITS)

    @staticmethod
    def _tick_of(event_id: str) -> int:
        value = 0
        for letter in event_id.removeprefix("evt_"):
            value = value << 5 | _VALUE[letter]
        return value >> 64
