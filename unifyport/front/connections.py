"""All connections of the front: how many there may be, which one makes room, and who is overdue.

Descriptors are shared by everything the process does, so the front gets a part of them. When that part is
used up, a new connection replaces one that does nothing: the oldest idle one, then the oldest with an
unfinished head, then the one whose body comes slowest. A request in work is never closed for another one.
One peer may have half of the part; trusted proxies, which speak for many, may have all of it.

One task ends what is overdue, and looks whether the peers of requests in work are still there: a timer or a
reader for each request would cost more than many requests do.
"""

import enum
import itertools
import select
from collections import Counter, deque
from collections.abc import Callable, Iterable
from email.utils import formatdate
from typing import Protocol

import trio

TICK = 0.25  # seconds; the precision of deadlines
_TICKS_A_SECOND = 4
VICTIMS = 64  # connections that one look at all of them sets apart, to be closed for new ones
_HALF_CLOSED = getattr(select, "POLLRDHUP", 0)  # Linux
_GONE = select.POLLERR | select.POLLHUP


class Phase(enum.IntEnum):
    """What a connection does. The first three make room for others, in this order."""

    IDLE = 0  # nothing of a request has come
    HEAD = 1
    BODY = 2  # the application waits for more of the body
    WORK = 3


class Member(Protocol):
    """`since`: when the phase began; `deadline`: when `overdue` is due (trio's clock)."""

    phase: Phase
    since: float
    deadline: float
    peer: str | None

    def fileno(self) -> int: ...

    @property
    def body_rate(self) -> float:
        """Bytes a second of the body that comes."""

    def overdue(self) -> None: ...

    def peer_closed(self, gone: bool) -> None:
        """The peer of a request in work sends nothing more; `gone`: and receives nothing more."""

    def close(self) -> None:
        """Close for another one."""


class Connections:
    """`share`: how many there may be at a time; it is asked each second."""

    def __init__(self, share: Callable[[], int]) -> None:
        self._share = share
        self.capacity = share()
        self.closed: Counter[str] = Counter()  # for others, by the phase they were in
        self.refused = 0
        self.failed_handshakes = 0
        self.date = b""  # the line of the Date field, renewed each tick
        self._members: dict[Member, None] = {}
        self._of_peer: Counter[str] = Counter()
        self._victims: deque[tuple[Member, float]] = deque()

    def __len__(self) -> int:
        return len(self._members)

    # -- room ------------------------------------------------------------------------------------------------

    def make_room(self, peer: str | None) -> bool:
        """Whether there is room for one more of this peer; None: a peer without a limit of its own."""
        if peer is not None and self._of_peer[peer] >= max(1, self.capacity // 2):
            room = self._close_one(member for member in self._members if member.peer == peer)
        elif len(self._members) < self.capacity:
            return True
        else:
            room = self._close_victim()
        self.refused += not room
        return room

    def add(self, member: Member) -> None:
        self._members[member] = None
        if member.peer is not None:
            self._of_peer[member.peer] += 1

    def remove(self, member: Member) -> None:
        if self._members.pop(member, member) is member:
            return
        if member.peer is not None:
            self._of_peer[member.peer] -= 1
            if not self._of_peer[member.peer]:
                del self._of_peer[member.peer]

    def _close_victim(self) -> bool:
        if not self._victims:
            found = sorted((m for m in self._members if m.phase is not Phase.WORK), key=_worth)
            self._victims.extend((member, member.since) for member in found[:VICTIMS])
        while self._victims:
            member, since = self._victims.popleft()
            if member in self._members and member.since == since and member.phase is not Phase.WORK:
                self._close(member)
                return True
        return False

    def _close_one(self, members: Iterable[Member]) -> bool:
        member = min((m for m in members if m.phase is not Phase.WORK), key=_worth, default=None)
        if member is None:
            return False
        self._close(member)
        return True

    def _close(self, member: Member) -> None:
        self.closed[member.phase.name.lower()] += 1
        self.remove(member)
        member.close()

    # -- time ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """End what is overdue, until cancelled."""
        for tick in itertools.count():
            if tick % _TICKS_A_SECOND == 0:
                self.capacity = self._share()
            self._tick(trio.current_time())
            await trio.sleep(TICK)

    def _tick(self, now: float) -> None:
        self.date = b"date: %b\r\n" % formatdate(usegmt=True).encode()
        for member in [member for member in self._members if member.deadline <= now]:
            member.overdue()
        poll = select.poll()
        working: dict[int, Member] = {}
        for member in self._members:
            if member.phase is Phase.WORK and now - member.since >= TICK and (number := member.fileno()) >= 0:
                working[number] = member
                poll.register(number, _HALF_CLOSED)
        for number, events in poll.poll(0) if working else ():
            working[number].peer_closed(bool(events & _GONE))


def _worth(member: Member) -> tuple[int, float]:
    """The smallest is closed first."""
    return member.phase, member.body_rate if member.phase is Phase.BODY else member.since
