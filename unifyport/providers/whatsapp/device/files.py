"""What is needed to fetch a file of a message: it is encrypted, and its key is in the message.

https://github.com/tulir/whatsmeow (`download.go`)
"""

from typing import Any, Self

import msgspec

LONGEST_PATH = 2048


class FileHandle(msgspec.Struct, array_like=True, kw_only=True):
    """`media`: the kind of file, from which its keys are derived. `path`: at any host of files. Without
    `encrypted_sha256` the file is not encrypted. The rest names the message, whose file the account's phone
    can be asked to upload again.
    """

    media: str
    path: str
    key: bytes
    encrypted_sha256: bytes = b""
    sha256: bytes = b""
    size: int = 0
    mime_type: str = ""
    message_id: str = ""
    chat: str = ""
    sender: str = ""
    from_me: bool = False

    @classmethod
    def of(cls, media: str, message: Any) -> Self | None:
        """Of a message with a file. None if it names none."""
        path = message.directPath
        if not (path.startswith("/") and len(path) <= LONGEST_PATH and path.isascii()):
            return None
        return cls(
            media=media,
            path=path,
            key=message.mediaKey[:32],
            encrypted_sha256=message.fileEncSHA256[:32],
            sha256=message.fileSHA256[:32],
            size=min(message.fileLength, 2**53),
            mime_type=message.mimetype[:128],
        )

    def dump(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @classmethod
    def load(cls, handle: bytes) -> Self:
        """Raises `msgspec.DecodeError`."""
        return msgspec.msgpack.decode(handle, type=cls)
