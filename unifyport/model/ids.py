"""Ids are made by the application, never by a database.

Account, key, endpoint and command ids are a prefix and 120 random bits. Event ids also carry time and a
counter, so that they sort in the order of their commit: receivers are told to apply events by
`occurred_at` and to break ties by event id, and a platform's clock often has a resolution of one second.
"""

import os
from collections.abc import Callable

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, in ASCII order: text sorts like numbers
_VALUE = {letter: number for number, letter in enumerate(_ALPHABET)}
_EVENT_DIGITS = 26  # 130 bits for 48 + 16 + 64


def _encode(value: int, digits: int) -> str:
    return "".join(_ALPHABET[(value >> shift) & 31] for shift in range(5 * (digits - 1), -1, -5))


def new_id(prefix: str) -> str:
    """`<prefix>_` and 24 base-32 digits, 120 random bits."""
    return f"{prefix}_{_encode(int.from_bytes(os.urandom(15)), 24)}"


class EventIds:
    """Strictly increasing event ids: `evt_` + 48 bits of unix ms, 16 bits of counter, 64 random bits.

    `after` is the newest id in the store: a clock that was set back cannot turn the order back.
    """

    def __init__(self, now_ms: Callable[[], int], after: str | None = None) -> None:
        self._now_ms = now_ms
        self._tick = 0 if after is None else self._tick_of(after)  # ms << 16 | counter

    def __call__(self) -> str:
        self._tick = max(self._tick + 1, self._now_ms() << 16)
        return "evt_" + _encode(self._tick << 64 | int.from_bytes(os.urandom(8)), _EVENT_DIGITS)

    @staticmethod
    def _tick_of(event_id: str) -> int:
        value = 0
        for letter in event_id.removeprefix("evt_"):
            value = value << 5 | _VALUE[letter]
        return value >> 64
