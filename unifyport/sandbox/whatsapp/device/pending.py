"""Stanzas that a device has not acknowledged yet: sent again, in order, after its next login."""

from collections.abc import Iterator

import attrs

from unifyport.protocols.binary_node import Node


class Pending:
    """What a device still has to acknowledge, oldest first.

    `held_back`: what came while the device was away and has not been sent on its present connection.
    """

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self.held_back: list[Node] = []

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes)

    def add(self, node: Node) -> None:
        self._nodes.append(node)

    def acknowledge(self, tag: str, ack: Node) -> Node | None:
        """Forget the stanza that `ack` (an `<ack>`, or the receipt of a message) is about, and return it.

        Receipts of one message come from several devices and in several types: the closest match goes.
        """
        named = [node for node in self._nodes if node.tag == tag and node.get("id") == ack.get("id")]
        if not named:
            return None
        node = max(named, key=lambda each: _likeness(each, ack))
        self._nodes.remove(node)
        return node

    def hold_back(self) -> list[Node]:
        """Mark everything as not sent yet, for a device that has just logged in; returns it, numbered."""
        self.held_back = [
            attrs.evolve(node, attrs={**node.attrs, "offline": str(number)})
            for number, node in enumerate(self._nodes)
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
