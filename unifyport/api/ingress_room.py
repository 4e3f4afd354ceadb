"""The room for bodies that platforms send: bytes that have come in and are not answered yet.

A body is held before it can be verified, so strangers can fill the room. Therefore bodies that are not
verified may use half of it; the other half is for verified ones alone. Of the first half, requests that name
no account of ours have one half together, and the large bodies of each account have a part of their own.
A small body is taken however much its account holds already.
"""

from collections import Counter

import attrs

ROOM = 64 * 1024 * 1024  # bytes
UNVERIFIED = ROOM // 2
UNKNOWN = ROOM // 4
ACCOUNT = 8 * 1024 * 1024
SMALL = 64 * 1024


class NoRoom(Exception):
    """Too many bytes are held already."""


class IngressRoom:
    """`held`: bytes in all."""

    def __init__(
        self,
        room: int = ROOM,
        *,
        unverified: int = UNVERIFIED,
        unknown: int = UNKNOWN,
        account: int = ACCOUNT,
        small: int = SMALL,
    ) -> None:
        self._room, self._unverified, self._unknown, self._account = room, unverified, unknown, account
        self._small = small
        self._pending: Counter[str | None] = Counter()  # not verified; by account, None: no account of ours
        self._all_pending = 0
        self.held = 0

    def take(self, account_id: str | None, size: int, body: int) -> None:
        """Hold more bytes, of a `body` of so many as yet, that are not verified. Raises `NoRoom`."""
        if account_id is None:
            most = self._unknown
        else:
            most = self._account if body > self._small else self._unverified
        too_many = self._pending[account_id] + size > most or self._all_pending + size > self._unverified
        if too_many or self.held + size > self._room:
            raise NoRoom
        self._pending[account_id] += size
        self._all_pending += size
        self.held += size

    def verify(self, account_id: str | None, size: int) -> None:
        """Bytes that were taken are verified now."""
        self._all_pending -= size
        self._pending[account_id] -= size
        if not self._pending[account_id]:
            del self._pending[account_id]

    def take_verified(self, size: int) -> None:
        """Hold bytes that were verified as they came. Raises `NoRoom`."""
        if self.held + size > self._room:
            raise NoRoom
        self.held += size

    def give_back(self, size: int) -> None:
        """Verified bytes are answered."""
        self.held -= size


@attrs.define
class HeldBody:
    """What one request holds. Call `release` at its end."""

    _room: IngressRoom
    _account_id: str | None
    _pending: int = 0
    _verified: int = 0

    def take(self, size: int) -> None:
        """Raises `NoRoom`."""
        self._room.take(self._account_id, size, self._pending + size)
        self._pending += size

    def verify(self, size: int) -> None:
        """The body, of `size` bytes, is verified. Raises `NoRoom`."""
        if self._pending:
            self._room.verify(self._account_id, self._pending)
        else:
            self._room.take_verified(size)
        self._verified, self._pending = size, 0

    def release(self) -> None:
        if self._pending:
            self._room.verify(self._account_id, self._pending)
        self._room.give_back(self._pending + self._verified)
        self._pending = self._verified = 0
