"""All connections of the front: how many there may be, which one makes room, and who is overdue.

Descriptors are shared by everything the process does, so the front gets a part of them. When that part is
used up, a new connection replaces one that does nothing: the oldest idle one, then the oldest with an
unfinished head, then the one whose body comes slowest. What began less than a second ago comes after all of
these: its bytes may be on their way. A request in work is never closed for another one. One peer may have
half of the part; trusted proxies, which speak for many, may have all of it.

One task ends what is overdue, and looks whether the peers of requests in work are still there: a timer or a
reader for each request would cost more than many requests do.
"""

import enum
import heapq
import ipaddress
import itertools
import math
import select
from collections import Counter, deque
from collections.abc import Callable
from email.utils import formatdate
from operator import itemgetter
from typing import Protocol

import trio

TICK = 0.25  # seconds; the precision of deadlines
_TICKS_A_SECOND = 4
GRACE = 1.0  # seconds in which a connection may begin something before another one may take its place
_VICTIMS = 64  # connections that one look at all of them sets apart, to be closed for new ones
_SEARCH_SHARE = 0.1  # of the time, at most, is spent looking for them ...
_FEW = 2048  # ... among more than so many
_IPV6_SITE = 64  # bits of an address; one client can use all addresses of its site
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
        """Bytes a second of the body that comes; infinite before `GRACE` seconds were waited for it."""

    def overdue(self) -> None: ...

    def peer_closed(self, gone: bool) -> None:
        """The peer of a request in work sends nothing more; `gone`: and receives nothing more."""

    def close(self) -> None:
        """Close for another one."""


class _Group:
    """Connections that share a bound."""

    __slots__ = ("_next_search", "_victims", "members")

    def __init__(self) -> None:
        self.members: dict[Member, None] = {}
        self._victims: deque[tuple[Member, float]] = deque()
        self._next_search = 0.0

    def find_victim(self) -> Member | None:
        """The member that is closed for another one; None if there is none."""
        now = trio.current_time()
        victim = self._next_victim()
        if victim is None and now >= self._next_search:
            self._search(now)
            if len(self.members) > _FEW:
                self._next_search = now + (trio.current_time() - now) / _SEARCH_SHARE
            victim = self._next_victim()
        return victim

    def _next_victim(self) -> Member | None:
        while self._victims:
            member, since = self._victims.popleft()
            if member in self.members and member.since == since and member.phase is not Phase.WORK:
                return member
        return None

    def _search(self, now: float) -> None:
        """Set apart those to be closed first, as far as they do the same: others may do less by then."""
        worths = ((_worth(member, now), member) for member in self.members if member.phase is not Phase.WORK)
        found = heapq.nsmallest(_VICTIMS, worths, key=itemgetter(0))
        kind = found[0][0][:2] if found else None
        self._victims.extend((member, member.since) for worth, member in found if worth[:2] == kind)


class Connections:
    """`share`: how many there may be at a time; it is asked each second."""

    def __init__(self, share: Callable[[], int]) -> None:
        self._share = share
        self.capacity = share()
        self.closed: Counter[str] = Counter()  # for others, by the phase they were in
        self.refused = 0
        self.failed_handshakes = 0
        self._crowded_until = -math.inf
        self.date = b""  # the line of the Date field, renewed each tick
        self._all = _Group()
        self._of_peer: dict[str, _Group] = {}

    def __len__(self) -> int:
        return len(self._all.members)

    @property
    def crowded(self) -> bool:
        """Whether connections come faster than they are accepted or looked at."""
        return trio.current_time() < self._crowded_until

    def note_crowd(self) -> None:
        """More connections wait than are accepted, or looked at, in one turn, and have for some turns."""
        self._crowded_until = trio.current_time() + TICK

    def count_phases(self) -> Counter[Phase]:
        """How many connections do what."""
        return Counter(member.phase for member in self._all.members)

    # -- room ------------------------------------------------------------------------------------------------

    def make_room(self, peer: str | None) -> bool:
        """Whether there is room for one more of this peer; None: a peer without a limit of its own."""
        own = None if peer is None else self._of_peer.get(peer)
        if own is not None and len(own.members) >= max(1, self.capacity // 2):
            victim = own.find_victim()
        elif len(self) < self.capacity:
            return True
        else:
            victim = self._all.find_victim()
        if victim is None:
            self.refused += 1
            return False
        self.closed[victim.phase.name.lower()] += 1
        self.remove(victim)
        victim.close()
        return True

    def add(self, member: Member) -> None:
        self._all.members[member] = None
        if member.peer is not None:
            self._of_peer.setdefault(member.peer, _Group()).members[member] = None

    def remove(self, member: Member) -> None:
        self._all.members.pop(member, None)
        if member.peer is not None and (own := self._of_peer.get(member.peer)) is not None:
            own.members.pop(member, None)
            if not own.members:
                del self._of_peer[member.peer]

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
        for member in [member for member in self._all.members if member.deadline <= now]:
            member.overdue()
        poll = select.poll()
        working: dict[int, Member] = {}
        for member in self._all.members:
            if member.phase is Phase.WORK and now - member.since >= TICK and (number := member.fileno()) >= 0:
                working[number] = member
                poll.register(number, _HALF_CLOSED)
        for number, events in poll.poll(0) if working else ():
            working[number].peer_closed(bool(events & _GONE))


def peer_of(address: str | None) -> str | None:
    """What counts as one peer: an IPv4 address, a site of IPv6, none on a local socket."""
    if address is None or ":" not in address:
        return address
    return str(ipaddress.ip_network((address.partition("%")[0], _IPV6_SITE), strict=False))


def _worth(member: Member, now: float) -> tuple[bool, Phase, float]:
    """(whether it has just begun, what it does, how well): the smallest is closed first."""
    if member.phase is Phase.BODY:
        rate = member.body_rate
        return rate == float("inf"), Phase.BODY, rate
    if now - member.since < GRACE:
        return True, Phase.IDLE, member.since  # what has come is perhaps not read yet
    return False, member.phase, member.since
