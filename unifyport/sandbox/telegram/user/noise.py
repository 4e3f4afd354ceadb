"""What goes wrong on command: packets, updates, and waits that Telegram imposes.

flood        a method answers FLOOD_WAIT until the time has passed; a call before that is noted (`early`)
errors       a method answers this error, so many times
lost         so many packets are not written
gaps         so many updates are recorded, but not pushed
doubled      so many updates are pushed twice
mute         methods that are executed, but not answered
silent       nothing is written to any connection
"""

import time
from collections import Counter, deque
from typing import Any

import attrs

from .errors import Refused


@attrs.define
class Flood:
    """`peer`: only for this chat (its identifier)."""

    method: str
    seconds: float
    count: float
    peer: int | None
    name: str = "FLOOD_WAIT"
    until: float = 0.0


@attrs.define
class Early:
    """A call that came `by` seconds before the end of a wait."""

    method: str
    by: float


@attrs.define
class Noise:
    floods: list[Flood] = attrs.field(factory=list)
    early: deque[Early] = attrs.field(factory=lambda: deque(maxlen=1000))
    errors: dict[str, deque[tuple[int, str]]] = attrs.field(factory=dict)
    lost: int = 0
    gaps: int = 0
    doubled: int = 0
    mute: Counter[str] = attrs.field(factory=Counter)
    silent: bool = False
    pushed: Counter[int] = attrs.field(factory=Counter)  # how often updates were pushed -> how many

    def clear(self) -> None:
        self.floods.clear()
        self.errors.clear()
        self.mute.clear()
        self.lost = self.gaps = self.doubled = 0
        self.silent = False

    def meet(self, method: str, query: Any) -> None:
        """Raises `Refused` if an error or a wait was ordered for this call."""
        waiting = self.errors.get(method)
        if waiting:
            raise Refused(*waiting.popleft())
        for flood in self.floods:
            if flood.method != method or (flood.peer is not None and flood.peer != _peer_of(query)):
                continue
            now = time.time()
            if now < flood.until:
                self.early.append(Early(method, flood.until - now))
            elif flood.count > 0:
                flood.count -= 1
                flood.until = now + flood.seconds
            else:
                continue
            seconds = max(1, -int(-(flood.until - now) // 1))
            raise Refused(420, f"{flood.name}_{seconds}")

    def lose(self, packets: list[bytes]) -> list[bytes]:
        """The packets that are written."""
        lost = min(self.lost, len(packets))
        self.lost -= lost
        return packets[lost:]

    def pushes(self) -> int:
        """How often the next update is pushed."""
        times = 1
        if self.gaps:
            self.gaps -= 1
            times = 0
        elif self.doubled:
            self.doubled -= 1
            times = 2
        self.pushed[times] += 1
        return times

    def is_muted(self, method: str) -> bool:
        if self.mute[method] <= 0:
            return False
        self.mute[method] -= 1
        return True


def _peer_of(query: Any) -> int | None:
    peer = getattr(query, "peer", None)
    for name in ("user_id", "chat_id", "channel_id"):
        if (found := getattr(peer, name, None)) is not None:
            return int(found)
    return None
