"""The calls of a client that are not answered yet, and the identifiers under which they were sent.

A call is sent again under the same identifier as long as the server's session stands: the server executes an
identifier once. Under a new identifier it is sent again only if the server has not accepted the former one,
or if the caller said that repeating it does no harm (`repeatable`).
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

from unifyport.protocols.mtproto.errors import TooManyCalls

MAX_CALLS: Final = 1024
MAX_RENEWALS: Final = 5
_MAX_SENT: Final = 1024  # sent containers that are remembered


@attrs.define(eq=False)
class Call:
    number: int
    body: bytes = attrs.field(repr=False)
    repeatable: bool
    msg_id: int = 0  # 0: to be given when it is sent
    seq_no: int = 0
    former: list[int] = attrs.field(factory=list)
    transmissions: int = 0  # under the present identifier
    renewals: int = 0
    is_acked: bool = False


class Calls:
    """All unanswered calls, found by number and by any identifier they ever had."""

    def __init__(self) -> None:
        self._calls: dict[int, Call] = {}
        self._by_id: dict[int, Call] = {}
        self._queue: deque[Call] = deque()
        self._sent: OrderedDict[int, tuple[int, ...]] = OrderedDict()
        self._last = 0

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls.values()))

    @property
    def has_queued(self) -> bool:
        return bool(self._queue)

    def add(self, body: bytes, *, repeatable: bool) -> int:
        """Queue a call; its number. Raises `TooManyCalls`, `ValueError` for a body that is no TL object."""
        if len(body) < 4 or len(body) % 4:
            raise ValueError("The body of a call is a TL object")
        if len(self._calls) >= MAX_CALLS:
            raise TooManyCalls(f"{MAX_CALLS} calls are unanswered")
        self._last += 1
        call = self._calls[self._last] = Call(self._last, body, repeatable)
        self._queue.append(call)
        return call.number

    def take_queued(self) -> list[Call]:
        """The calls that are to be sent now, in the order in which they were queued."""
        queued = [call for call in self._queue if call.number in self._calls]
        self._queue.clear()
        return queued

    def identify(self, call: Call, msg_id: int, seq_no: int) -> None:
        call.msg_id, call.seq_no, call.transmissions, call.is_acked = msg_id, seq_no, 0, False
        self._by_id[msg_id] = call

    def note_sent(self, outer: int, calls: Iterable[Call]) -> None:
        """Remember what the message `outer`, a container or the call itself, held."""
        ids = []
        for call in calls:
            call.transmissions += 1
            ids.append(call.msg_id)
        self._sent[outer] = tuple(ids)
        if len(self._sent) > _MAX_SENT:
            self._sent.popitem(last=False)

    def is_ours(self, msg_id: int) -> bool:
        return msg_id in self._sent or msg_id in self._by_id

    def sent_as(self, msg_id: int) -> list[Call]:
        """The unanswered calls whose present identifier is `msg_id`, or that were sent in this container."""
        found = [self._by_id.get(each) for each in (*self._sent.get(msg_id, ()), msg_id)]
        unique = {call.number: call for call in found if call is not None}
        inner = {msg_id, *self._sent.get(msg_id, ())}
        return [call for call in unique.values() if call.msg_id in inner]

    def pop(self, msg_id: int) -> Call | None:
        """End the call that was ever sent as `msg_id`."""
        call = self._by_id.get(msg_id)
        if call is not None:
            self.remove(call)
        return call

    def remove_number(self, number: int) -> None:
        if (call := self._calls.get(number)) is not None:
            self.remove(call)

    def remove(self, call: Call) -> None:
        del self._calls[call.number]
        for msg_id in (*call.former, call.msg_id):
            self._by_id.pop(msg_id, None)

    def queue_again(self, call: Call) -> None:
        """Send it once more under its present identifier."""
        if call not in self._queue:
            self._queue.append(call)

    def renew(self, call: Call, *, keep: bool = False) -> bool:
        """Send it once more, under a new identifier unless `keep`; False if that was done too often."""
        if call.renewals >= MAX_RENEWALS:
            return False
        call.renewals += 1
        if keep:
            self.queue_again(call)
            return True
        if call.msg_id:
            call.former.append(call.msg_id)
        call.msg_id, call.transmissions = 0, 0
        self.queue_again(call)
        return True
