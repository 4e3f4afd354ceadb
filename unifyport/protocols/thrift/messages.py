"""Calls and answers: a head with the method's name, then one structure.

An answer's structure has the result in field 0 and declared exceptions in fields from 1 on; a method without
a result answers with an empty structure. A server that cannot serve a call at all sends a message of the kind
EXCEPTION with an `ApplicationException`.
"""

from enum import IntEnum
from typing import Annotated, TypeVar

from attrs import frozen

from unifyport.protocols.thrift import binary, compact
from unifyport.protocols.thrift.binary import BinaryReader, BinaryWriter
from unifyport.protocols.thrift.codec import Encoding, Reader, read, reader_of, write, writer_of
from unifyport.protocols.thrift.errors import Malformed
from unifyport.protocols.thrift.types import I32, LIMITS, Limits

_Body = TypeVar("_Body")


class MessageKind(IntEnum):
    """Kinds of messages with their numbers on the wire."""

    CALL = 1
    REPLY = 2
    EXCEPTION = 3
    ONEWAY = 4


@frozen
class Head:
    """What precedes the structure of a message. `sequence`: a signed 32-bit number that answers repeat."""

    kind: MessageKind
    name: str
    sequence: int = 0


@frozen
class ApplicationException:
    """The structure of an EXCEPTION: the method is unknown, or its arguments cannot be read
    (TApplicationException).
    """

    message: Annotated[str | None, 1] = None
    type: Annotated[I32, 2] = 0


class CallFailed(Malformed):
    """An EXCEPTION came where an answer was expected."""

    def __init__(self, exception: ApplicationException) -> None:
        super().__init__(f"application exception {exception.type}: {exception.message}")
        self.exception = exception


def encode_message(head: Head, body: object, encoding: Encoding) -> bytes:
    """The bytes of a message. Raises `NotEncodable`."""
    writer = writer_of(encoding)
    if isinstance(writer, BinaryWriter):
        binary.write_head(writer, head.kind, head.name, head.sequence)
    else:
        compact.write_head(writer, head.kind, head.name, head.sequence)
    write(writer, body)
    return bytes(writer.out)


def open_message(data: bytes, encoding: Encoding, *, limits: Limits = LIMITS) -> tuple[Head, Reader]:
    """The head of a message, and a reader at its structure. Raises `Malformed`, `TooLarge`."""
    reader = reader_of(encoding, data, limits)
    if isinstance(reader, BinaryReader):
        kind, name, sequence = binary.read_head(reader)
    else:
        kind, name, sequence = compact.read_head(reader)
    try:
        return Head(MessageKind(kind), name, sequence), reader
    except ValueError:
        raise Malformed(f"no kind of message: {kind}") from None


def decode_answer(body: type[_Body], data: bytes, encoding: Encoding, *, limits: Limits = LIMITS) -> _Body:
    """The structure of an answer. Raises `CallFailed` for an EXCEPTION, `Malformed`, `TooLarge`."""
    head, reader = open_message(data, encoding, limits=limits)
    if head.kind is MessageKind.EXCEPTION:
        raise CallFailed(read(reader, ApplicationException))
    if head.kind is not MessageKind.REPLY:
        raise Malformed(f"{head.kind.name} instead of an answer")
    return read(reader, body)


def encoding_of(data: bytes) -> Encoding:
    """The encoding of a message, by its first byte. Raises `Malformed` for an empty one."""
    if not data:
        raise Malformed("an empty message")
    return Encoding.COMPACT if data[0] == 0x82 else Encoding.BINARY
