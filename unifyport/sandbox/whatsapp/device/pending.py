"""Stanzas that a device has not acknowledged yet: sent again, in order, after its next login."""

from collections.abc import Iterator

import attrs

from unifyport.protocols.binary_node import Node


class Pending:
    """What a device still has to acknowledge, oldest first.

    `held_back`: what came while the device was away and has not been sent on its present connection.
    """

    def __init__(self) -> None:
        self._nodes: dict[int, Node] = {}  # by number, in the order of arrival
        self._numbers: dict[tuple[str, str], list[int]] = {}  # by tag and id
        self._next = 0
        self.held_back: list[Node] = []

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def add(self, node: Node) -> None:
        self._nodes[self._next] = node
        self._numbers.setdefault((node.tag, node.get("id")), []).append(self._next)
        self._next += 1

    def acknowledge(self, tag: str, ack: Node) -> Node | None:
        """Forget the stanza that `ack` (an `<ack>`, or the receipt of a message) is about, and return it.

        Receipts of one message come from several devices and in several types: the closest match goes.
        """
        key = tag, ack.get("id")
        numbers = self._numbers.get(key)
        if numbers is None:
            return None
        number = max(numbers, key=lambda each: _likeness(self._nodes[each], ack))
        numbers.remove(number)
        if not numbers:
            del self._numbers[key]
        return self._nodes.pop(number)

    def hold_back(self) -> list[Node]:
        """Mark everything as not sent yet, for a device that has just logged in; returns it, numbered."""
        self.held_back = [
            attrs.evolve(node, attrs={**node.attrs, "offline": str(number)})
            for number, node in enumerate(self._nodes.values())
        ]
        return self.held_back

    def next_batch(self, count: int) -> list[Node]:
        """The next `count` of what was held back."""
        batch, self.held_back = self.held_back[:count], self.held_back[count:]
        return batch


def _likeness(node: Node, ack: Node) -> tuple[bool, bool, bool]:
    return (
        node.get("from") == ack.get("to"),
        node.get("type") == ack.get("type"),
        node.get("participant") == ack.get("participant"),
    )
