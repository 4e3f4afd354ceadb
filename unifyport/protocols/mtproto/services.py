"""What a client says beside its calls: acknowledgements, pings, and what is said of messages.

The server takes nothing of a packet that it refuses for its salt or its time: then all of it is said again.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import attrs

from unifyport.protocols.mtproto import messages
from unifyport.protocols.mtproto.calls import MAX_RENEWALS
from unifyport.protocols.mtproto.packing import pages

_MAX_SENT: Final = 64  # packets that are remembered


@attrs.define(eq=False)
class Service:
    """`is_content`: it is acknowledged. `is_ping`: it means the same in another session."""

    body: bytes
    is_content: bool = False
    is_ping: bool = False
    renewals: int = 0


class Services:
    """Of one session."""

    def __init__(self, queued: Iterable[Service] = ()) -> None:
        self.acks: dict[int, None] = {}
        self.queue = list(queued)
        self._sent: OrderedDict[int, list[Service]] = OrderedDict()

    @property
    def is_empty(self) -> bool:
        return not (self.acks or self.queue)

    def put(self, message: messages.StateInfo | messages.Pong) -> None:
        self.queue.append(Service(message.to_bytes()))

    def ask(self, message: messages.Ping | messages.ResendRequest) -> None:
        self.queue.append(Service(message.to_bytes(), True, isinstance(message, messages.Ping)))

    def take(self) -> list[Service]:
        """What is to be sent now."""
        acks = [Service(messages.Acks(msg_ids).to_bytes()) for msg_ids in pages(list(self.acks))]
        taken, self.acks, self.queue = [*acks, *self.queue], {}, []
        return taken

    def note_sent(self, outer: int, sent: list[Service]) -> None:
        """Remember what the packet `outer` held."""
        if sent:
            self._sent[outer] = sent
        if len(self._sent) > _MAX_SENT:
            self._sent.popitem(last=False)

    def refused(self, outer: int) -> list[Service]:
        """What the packet `outer` held, as far as it was not said too often."""
        found = [each for each in self._sent.pop(outer, ()) if each.renewals < MAX_RENEWALS]
        for each in found:
            each.renewals += 1
        return found
