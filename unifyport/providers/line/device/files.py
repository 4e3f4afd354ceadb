"""What is needed to fetch a file of a message from LINE's object store."""

from typing import Self

import msgspec


class FileHandle(msgspec.Struct, array_like=True, kw_only=True):
    """A plain file is found by its message's id (`r/talk/m/<id>`), a sealed one by its space (`emi`, `emv`,
    `ema`, `emf`) and object id. `key_material`: empty for a plain file.
    """

    message_id: str
    space: str = ""
    oid: str = ""
    key_material: bytes = b""

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @classmethod
    def load(cls, handle: bytes) -> Self:
        """Raises `msgspec.DecodeError`."""
        return msgspec.msgpack.decode(handle, type=cls)

    @property
    def path(self) -> str:
        """The path at the object store. Raises `ValueError` for ids that are no ids."""
        parts = (self.space, self.oid) if self.key_material else ("m", self.message_id)
        if self.key_material and self.space not in SPACES:
            raise ValueError("no space of sealed files")
        if not all(_safe(part) for part in parts):
            raise ValueError("no id of a file")
        return f"/r/talk/{parts[0]}/{parts[1]}"


SPACES = frozenset({"emi", "emv", "ema", "emf"})


def _safe(part: str) -> bool:
    return 0 < len(part) <= 256 and part.isascii() and all(one.isalnum() or one in "-_" for one in part)
