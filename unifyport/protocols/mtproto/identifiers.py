"""Message identifiers and sequence numbers
(https://core.telegram.org/mtproto/description#message-identifier-msg-id).

An identifier is the sender's server time in units of 2**-32 s, strictly increasing, and its last two bits
tell who sent it: 0 the client; 1 the server, in answer to the client; 3 the server, of its own accord.
"""

import heapq
from collections.abc import Iterable
from typing import Final

from unifyport.protocols.mtproto.encryption import Role
from unifyport.protocols.mtproto.errors import SecurityError

MAX_AGE: Final = 300  # seconds that a message may be old
MAX_AHEAD: Final = 30  # seconds that it may come from the future
WINDOW: Final = 4096  # received identifiers that are remembered; a container holds 1,020


def time_of(msg_id: int) -> float:
    """Seconds of the epoch, by the server's clock."""
    return msg_id / 2**32


class MessageIds:
    """Makes the identifiers of one sender. `offset` is server time minus our wall clock, in seconds."""

    def __init__(self, role: Role, offset: float = 0.0) -> None:
        self._role = role
        self._last = 0
        self.offset = offset

    def make(self, now: float, *, answer: bool = False) -> int:
        """The next identifier; a clock that stands still or goes back gives the next possible one."""
        wanted = int((now + self.offset) * 2**32) & ~3
        self._last = max(wanted, self._last + 4)
        return self._last | (0 if self._role is Role.CLIENT else 1 if answer else 3)

    def synchronise(self, server_time: float, now: float) -> None:
        """Take over the server's clock: identifiers may become smaller than those that it refused."""
        self.offset = server_time - now
        self._last = 0


class SequenceNumbers:
    """Twice the number of content-related messages sent before, plus 1 if this one is content-related."""

    def __init__(self) -> None:
        self._content = 0

    def make(self, *, content: bool) -> int:
        number = 2 * self._content + content
        self._content += content
        return number


class ReplayWindow:
    """The identifiers received in one session: each is accepted once."""

    def __init__(self, sender: Role, size: int = WINDOW) -> None:
        self._sender = sender
        self._size = size
        self._seen: set[int] = set()
        self._heap: list[int] = []
        self._floor = 0
        self.highest = 0

    def __contains__(self, msg_id: int) -> bool:
        return msg_id in self._seen

    def is_forgotten(self, msg_id: int) -> bool:
        """Whether it is too old to know whether it was received."""
        return msg_id <= self._floor

    def check_parity(self, msg_id: int) -> None:
        """Raise `SecurityError` if this identifier cannot be the peer's."""
        good = msg_id % 4 == 0 if self._sender is Role.CLIENT else msg_id % 2 == 1
        if not good:
            raise SecurityError("The identifier of the message is not one of this sender")

    def accept(self, msg_id: int) -> bool:
        """Remember it; False if it was received before or is older than everything remembered."""
        if msg_id in self._seen or msg_id <= self._floor:
            return False
        self._seen.add(msg_id)
        self.highest = max(self.highest, msg_id)
        heapq.heappush(self._heap, msg_id)
        if len(self._heap) > self._size:
            self._floor = heapq.heappop(self._heap)
            self._seen.discard(self._floor)
        return True


def is_timely(msg_id: int, server_now: float) -> bool:
    return -MAX_AGE <= time_of(msg_id) - server_now <= MAX_AHEAD


def state_of(window: ReplayWindow, msg_ids: Iterable[int]) -> bytes:
    """One byte each for `msgs_state_info`: 1 unknown, 2 not received, 3 not yet sent, 4 received."""
    states = bytearray()
    for msg_id in msg_ids:
        if msg_id in window:
            states.append(4)
        elif window.is_forgotten(msg_id):
            states.append(1)
        else:
            states.append(3 if msg_id > window.highest else 2)
    return bytes(states)
