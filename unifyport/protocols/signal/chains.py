"""A chain: the symmetric half of the ratchet. Sessions and sender keys use the same one.

Each message has a counter. Its key follows from the chain key at that counter, and the chain key at one
counter gives the next one but never the one before. What arrives early leaves the keys of the messages it
overtook behind, as `skipped`, until those arrive.

    counter of the message              what happens
    --------------------------------    ----------------------------------------------------------------
    at or after `index`                 keys between are skipped and kept; `TooFarAhead` beyond `MAX_AHEAD`
    before `index`, key was skipped     its key is taken out of `skipped`
    before `index`, at or after `kept`  `Duplicate`: the key was used
    before `kept`                       `KeyGone`: skipped keys of that age are dropped
"""

from typing import Annotated

import msgspec

from unifyport.protocols.signal.ciphers import message_seed, next_chain_key
from unifyport.protocols.signal.errors import Duplicate, KeyGone, TooFarAhead

MAX_AHEAD = 2000  # steps that one message may ask for
MAX_SKIPPED = 2000  # keys kept for one chain
MAX_RECORD_SKIPPED = 4000  # keys kept in one record: at most 160 kB of it

Key = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Counter = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """Base of what a record consists of. Its `repr` shows no key."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Chain(Kept, frozen=True, array_like=True):
    """`key`: chain key of the next message, the one of counter `index`. `skipped`: (counter, seed)."""

    key: Key
    index: Counter = 0
    skipped: tuple[tuple[Counter, Key], ...] = ()
    kept: Counter = 0

    def step(self) -> tuple[bytes, "Chain"]:
        """The seed of the next message, and the chain after it."""
        return message_seed(self.key), Chain(
            next_chain_key(self.key), self.index + 1, self.skipped, self.kept
        )

    def take(self, counter: int) -> tuple[bytes, "Chain"]:
        """The seed of message `counter`, and the chain without it."""
        if counter < self.index:
            return self._take_skipped(counter)
        if counter - self.index > MAX_AHEAD:
            raise TooFarAhead(counter - self.index)
        key, passed = self.key, []
        for number in range(self.index, counter):
            passed.append((number, message_seed(key)))
            key = next_chain_key(key)
        chain = Chain(next_chain_key(key), counter + 1, (*self.skipped, *passed), self.kept)
        return message_seed(key), chain.keep(MAX_SKIPPED)

    def _take_skipped(self, counter: int) -> tuple[bytes, "Chain"]:
        for place, (number, seed) in enumerate(self.skipped):
            if number == counter:
                rest = self.skipped[:place] + self.skipped[place + 1 :]
                return seed, Chain(self.key, self.index, rest, self.kept)
        raise KeyGone(counter) if counter < self.kept else Duplicate(counter)

    def keep(self, count: int) -> "Chain":
        """The chain with the newest `count` of its skipped keys."""
        surplus = len(self.skipped) - count
        if surplus <= 0:
            return self
        return Chain(self.key, self.index, self.skipped[surplus:], self.skipped[surplus - 1][0] + 1)
