"""Files of conversations: encrypted and decrypted as they stream (https://docs.x.com/xchat/media).

A file that ends early, or was changed, raises at its end: what came before is then not the file.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

import msgspec
from chat_xdk import Chat, encrypted_stream_size

from unifyport.model.json_text import UNREADABLE
from unifyport.model.message import OutboundMedia
from unifyport.process import disk
from unifyport.providers.contract.capabilities import Sink
from unifyport.providers.contract.errors import Rejected

from .contents import AUDIO, FILE, GIF, IMAGE, VIDEO, FileHandle
from .threads import CryptoError, compute
from .transport import ChatTransport

PIECE = 512 * 1024  # bytes at a time; the library holds the interpreter's lock for about 3 ms for it
_KINDS = {"image": IMAGE, "video": VIDEO, "audio": AUDIO, "document": FILE}


def kind_of(message: OutboundMedia) -> int:
    """The kind of an attachment for X."""
    if message.mime_type.partition(";")[0].strip().lower() == "image/gif":
        return GIF
    return _KINDS.get(message.type, FILE)


def read_handle(handle: bytes) -> FileHandle | None:
    """None: it is no handle of a file of XChat."""
    try:
        return msgspec.msgpack.decode(handle, type=FileHandle)
    except UNREADABLE:
        return None


async def upload(transport: ChatTransport, conversation: str, key: bytes, message: OutboundMedia) -> str:
    """Encrypt and upload the file of a message. Returns its `media_hash_key`. Raises failure classes."""
    file: BinaryIO = await disk.run(Path(message.path).open, "rb")
    try:
        size = encrypted_stream_size(message.size)
        return await transport.upload(conversation, _encrypted(file, key), size)
    finally:
        file.close()


async def _encrypted(file: BinaryIO, key: bytes) -> AsyncIterator[bytes]:
    encryptor = Chat().stream_encryptor(key)
    while piece := await disk.run(file.read, PIECE):
        yield await compute(encryptor.push, piece)
    yield await compute(encryptor.finish)


async def download(transport: ChatTransport, file: FileHandle, key: bytes, sink: Sink, limit: int) -> None:
    """Decrypt a file into `sink`, at most `limit` bytes of it. Raises failure classes, and
    `Rejected("media_damaged")` for a file that is not whole.
    """
    decryptor = Chat().stream_decryptor(key)
    given = 0

    async def give(piece: bytes) -> None:
        nonlocal given
        given += len(piece)
        if given > limit:
            raise Rejected("too_large")
        if piece:
            await sink(piece)

    async def take(piece: bytes) -> None:
        for start in range(0, len(piece), PIECE):
            await give(await compute(decryptor.push, piece[start : start + PIECE]))

    try:
        await transport.download(file.conversation, file.media_hash, take, encrypted_stream_size(limit))
        await give(await compute(decryptor.finish))
    except CryptoError:
        raise Rejected("media_damaged", "the file is not what its sender has encrypted") from None
