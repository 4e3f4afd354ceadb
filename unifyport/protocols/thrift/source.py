"""A position in bytes, with the limits that both encodings share."""

from unifyport.protocols.thrift.errors import Malformed, TooLarge
from unifyport.protocols.thrift.types import Limits


class Source:
    """Hands out the bytes of `data` in order and counts depth and items. A failed call leaves it unusable."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        if len(data) > limits.bytes:
            raise TooLarge(f"{len(data)} bytes, more than {limits.bytes}")
        self._data = data
        self._limits = limits
        self._depth = 0
        self._items = 0
        self.position = 0

    @property
    def left(self) -> int:
        """Number of bytes that were not read."""
        return len(self._data) - self.position

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        end = self.position + size
        if end > len(self._data):
            raise Malformed("the bytes end too early")
        part = self._data[self.position : end]
        self.position = end
        return part

    def byte(self) -> int:
        """The next byte, as a number."""
        if self.position >= len(self._data):
            raise Malformed("the bytes end too early")
        value = self._data[self.position]
        self.position += 1
        return value

    def text_of(self, size: int) -> bytes:
        """The next `size` bytes as a string or binary value."""
        if size < 0:
            raise Malformed(f"a string of {size} bytes")
        if size > self._limits.string:
            raise TooLarge(f"a string of {size} bytes, more than {self._limits.string}")
        return self.take(size)

    def enter(self) -> None:
        """A structure or container begins."""
        self._depth += 1
        if self._depth > self._limits.depth:
            raise TooLarge(f"nested more than {self._limits.depth} deep")

    def leave(self) -> None:
        """The structure or container that was entered last ends."""
        self._depth -= 1

    def count(self, items: int, *, at_least: int = 1) -> None:
        """Take note of `items` fields or elements, each of which takes `at_least` so many bytes."""
        if items < 0:
            raise Malformed(f"{items} items")
        if items * at_least > self.left:
            raise Malformed(f"{items} items in {self.left} bytes")
        self._items += items
        if self._items > self._limits.items:
            raise TooLarge(f"more than {self._limits.items} items")
