"""Which messages share a packet: as many as a container may hold, up to 1 MiB; a larger one goes alone."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import attrs

from unifyport.protocols.mtproto.calls import Call
from unifyport.protocols.mtproto.messages import MAX_CONTAINER, MAX_IDS, Container, Message

MAX_BYTES: Final = 1 << 20
_OVERHEAD: Final = 16


@attrs.define
class Group:
    """The messages of one packet."""

    messages: list[Message] = attrs.field(factory=list)
    calls: list[Call] = attrs.field(factory=list)

    def wrap(self, number: Callable[[bytes], Message]) -> Message:
        """The one message, or a container of all, to which `number` gives its identifier."""
        return (
            self.messages[0]
            if len(self.messages) == 1
            else number(Container(tuple(self.messages)).to_bytes())
        )


def pack(waiting: Iterable[tuple[Message, Call | None]]) -> Iterator[Group]:
    """Groups of messages, in their order. A call is named beside its message."""
    group, size = Group(), 0
    for message, call in waiting:
        added = len(message.body) + _OVERHEAD
        if group.messages and (size + added > MAX_BYTES or len(group.messages) >= MAX_CONTAINER):
            yield group
            group, size = Group(), 0
        group.messages.append(message)
        size += added
        if call is not None:
            group.calls.append(call)
    if group.messages:
        yield group


def pages(msg_ids: list[int], size: int = MAX_IDS) -> list[tuple[int, ...]]:
    """`msg_ids` in groups of at most `size`, as one acknowledgement may name."""
    return [tuple(msg_ids[at : at + size]) for at in range(0, len(msg_ids), size)]
