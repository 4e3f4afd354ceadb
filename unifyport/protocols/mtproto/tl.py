"""TL serialisation, as far as the protocol itself needs it (https://core.telegram.org/mtproto/serialize).

The objects of the API are not parsed here; a session hands their bytes on. Everything read is bounded by the
bytes that are there: a count never makes a list longer than its items.
"""

from collections.abc import Iterable

from unifyport.protocols.mtproto.errors import Malformed

VECTOR = 0x1CB5C415


def constructor(number: int) -> bytes:
    return number.to_bytes(4, "little")


def constructor_of(body: bytes) -> int:
    """The constructor number with which `body` begins. Raises `Malformed`."""
    if len(body) < 4:
        raise Malformed("An object has at least 4 bytes")
    return int.from_bytes(body[:4], "little")


def int32(value: int) -> bytes:
    return value.to_bytes(4, "little", signed=True)


def int64(value: int) -> bytes:
    """`value` as a signed or unsigned 64-bit number."""
    return (value & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")


def string(data: bytes) -> bytes:
    """A string of bytes with its length, padded to 4 bytes. Raises `ValueError` for 16 MiB and more."""
    if len(data) >= 1 << 24:
        raise ValueError("A string has less than 16 MiB")
    head = bytes((len(data),)) if len(data) < 254 else b"\xfe" + len(data).to_bytes(3, "little")
    return head + data + bytes(-(len(head) + len(data)) % 4)


def longs(values: Iterable[int]) -> bytes:
    """A boxed vector of 64-bit numbers."""
    items = [int64(value) for value in values]
    return constructor(VECTOR) + int32(len(items)) + b"".join(items)


class Reader:
    """Reads one object from its first byte to its last. Every method raises `Malformed` beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size < 0 or size > self.left:
            raise Malformed(f"{size} bytes are wanted, {self.left} are left")
        self._at += size
        return self._data[self._at - size : self._at]

    def rest(self) -> bytes:
        return self.take(self.left)

    def int32(self) -> int:
        return int.from_bytes(self.take(4), "little", signed=True)

    def int64(self) -> int:
        """A 64-bit number, unsigned; identifiers and salts are only compared and written back."""
        return int.from_bytes(self.take(8), "little")

    def constructor(self, expected: int) -> None:
        found = int.from_bytes(self.take(4), "little")
        if found != expected:
            raise Malformed(f"Constructor {found:#010x} where {expected:#010x} is expected")

    def string(self) -> bytes:
        size, head = self.take(1)[0], 1
        if size == 254:
            size, head = int.from_bytes(self.take(3), "little"), 4
        elif size == 255:
            raise Malformed("A string of unknown length")
        data = self.take(size)
        self.take(-(head + size) % 4)
        return data

    def count(self, item_size: int, limit: int) -> int:
        """A number of items to follow, `item_size` bytes each at least."""
        count = self.int32()
        if not 0 <= count <= limit or count * item_size > self.left:
            raise Malformed(f"{count} items in {self.left} bytes; {limit} are allowed")
        return count

    def longs(self, limit: int) -> tuple[int, ...]:
        self.constructor(VECTOR)
        return tuple(self.int64() for _ in range(self.count(8, limit)))

    def finish(self) -> None:
        if self.left:
            raise Malformed(f"{self.left} bytes follow an object")
