"""Whether what the server sends agrees with the clock, and how the clock is set by it.

The first packet of a session sets the clock: as the session's number was drawn at random, nothing older can
carry it. So does a complaint about the time of one of our messages. Other packets that are untimely are not
used (https://core.telegram.org/mtproto/security_guidelines#checking-msg-id).
"""

from typing import Final

from unifyport.protocols.mtproto import events, messages
from unifyport.protocols.mtproto.calls import Calls
from unifyport.protocols.mtproto.errors import SecurityError
from unifyport.protocols.mtproto.identifiers import MessageIds, is_timely, time_of
from unifyport.protocols.mtproto.unpacking import Item

MAX_IGNORED: Final = 10  # untimely packets in a row, then the clocks have to be compared anew
BAD_TIME: Final = (16, 17)


class Timeliness:
    """Of one session. `ids` has the clock's offset."""

    def __init__(self, ids: MessageIds, calls: Calls) -> None:
        self._ids = ids
        self._calls = calls
        self._ignored = 0

    def check(
        self, msg_id: int, items: list[Item], now: float, happened: list[events.Event], *, is_first: bool
    ) -> bool:
        """Whether the packet is to be used. Raises `SecurityError`."""
        if is_timely(msg_id, now + self._ids.offset):
            self._ignored = 0
            return True
        if is_first or any(self._is_complaint(item) for item in items):
            self.synchronise(msg_id, now, happened)
            return True
        self._ignored += 1
        if self._ignored >= MAX_IGNORED:
            raise SecurityError("Too many packets in a row do not agree with the clock")
        happened.append(events.Ignored("untimely"))
        return False

    def synchronise(self, msg_id: int, now: float, happened: list[events.Event]) -> None:
        """Take over the server's clock, which `msg_id` shows."""
        self._ids.synchronise(time_of(msg_id), now)
        self._ignored = 0
        happened.append(events.TimeChanged(self._ids.offset))

    def _is_complaint(self, item: Item) -> bool:
        bad = item.message
        return (
            isinstance(bad, messages.BadMessage)
            and bad.code in BAD_TIME
            and self._calls.is_ours(bad.bad_msg_id)
        )
