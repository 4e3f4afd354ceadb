"""What connectors count for `/metrics`. All accounts of a channel share it; the labels are words of a
connector, never ids, numbers or names.
"""

from collections import Counter

import attrs


@attrs.frozen
class Counts:
    """`undecryptable`, `not_asked_for`: by channel and word, see `docs/metrics.md`."""

    channel: str = ""
    undecryptable: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    not_asked_for: Counter[tuple[str, str]] = attrs.field(factory=Counter)

    def add_undecryptable(self, reason: str) -> None:
        """A message, or a repeat of one, could not be decrypted."""
        self.undecryptable[self.channel, reason] += 1

    def add_not_asked_for(self, kind: str) -> None:
        """Something came of a kind that is told on request only (`ConnectionSpec.on_request`)."""
        self.not_asked_for[self.channel, kind] += 1
