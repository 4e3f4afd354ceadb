"""LINE's object store: files by their space and object id."""

import secrets

import attrs


@attrs.define
class Stored:
    """`processing`: how many requests are answered 202, as the store is still working on it."""

    content: bytes
    processing: int = 0


class ObjectStore:
    """Files in memory."""

    def __init__(self) -> None:
        self.files: dict[tuple[str, str], Stored] = {}

    def put(self, space: str, name: str, content: bytes) -> str:
        """Store a file; `reqid-…` gets a new object id, any other name is that of the object."""
        oid = secrets.token_hex(16) if name.startswith("reqid-") else name
        self.files[space, oid] = Stored(content)
        return oid.removesuffix("__ud-preview")

    def get(self, space: str, oid: str) -> tuple[int, bytes]:
        """The status and the body of a request."""
        found = self.files.get((space, oid))
        if found is None:
            return 404, b""
        if found.processing > 0:
            found.processing -= 1
            return 202, b""
        return 200, found.content
