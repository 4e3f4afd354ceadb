"""A chain of keys: each step yields one key and the next state; no state leads back.

The state is 32 bytes and the number of the next key. It is a toy: what matters is that a step, once made, is
gone, as in a Double Ratchet (https://signal.org/docs/specifications/doubleratchet/).
"""

import hashlib

import attrs

MAX_SKIP = 1000  # keys that a receiver lets the other side skip


@attrs.frozen
class Chain:
    seed: bytes
    number: int = 0

    @classmethod
    def begin(cls, name: str) -> "Chain":
        """The chain that both sides know from the start."""
        return cls(hashlib.sha256(name.encode()).digest())

    @classmethod
    def load(cls, stored: bytes | None, name: str) -> "Chain":
        """From a session record; the beginning where there is none."""
        if stored is None:
            return cls.begin(name)
        return cls(stored[8:], int.from_bytes(stored[:8]))

    def dump(self) -> bytes:
        return self.number.to_bytes(8) + self.seed

    def step(self) -> tuple[bytes, "Chain"]:
        """The next key, and the chain after it."""
        key = hashlib.sha256(b"key" + self.seed).digest()
        return key, Chain(hashlib.sha256(b"chain" + self.seed).digest(), self.number + 1)

    def skip_to(self, number: int) -> "Chain":
        """The chain whose next key is `number`. Raises `ValueError` if it is gone or too far ahead."""
        if not self.number <= number <= self.number + MAX_SKIP:
            raise ValueError(f"key {number} cannot be had after {self.number - 1}")
        chain = self
        while chain.number < number:
            _, chain = chain.step()
        return chain


def crypt(key: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt, and nothing else: no integrity."""
    stream = hashlib.shake_256(key).digest(len(data))
    return bytes(a ^ b for a, b in zip(data, stream, strict=True))
