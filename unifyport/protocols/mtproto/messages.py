"""The messages of the protocol itself, which are not of the API.

https://core.telegram.org/mtproto/service_messages and .../service_messages_about_messages. `parse` gives one
of the classes below, or `Unknown` for everything else: an update, a query, a result. Lists are bounded as the
specification bounds them. `Container`, `Gzipped` and the body of `RpcResult` are unpacked in `unpacking`.
"""

from collections.abc import Callable
from typing import ClassVar, Final

import attrs

from unifyport.protocols.mtproto import tl
from unifyport.protocols.mtproto.errors import Malformed
from unifyport.protocols.mtproto.salts import FutureSalts, GetFutureSalts

MAX_CONTAINER: Final = 1020  # messages
MAX_IDS: Final = 8192
RPC_RESULT: Final = 0xF35C6D01
CONTAINER: Final = 0x73F1F8DC
GZIP_PACKED: Final = 0x3072CFA1


@attrs.frozen
class Message:
    """One message in a container."""

    msg_id: int
    seq_no: int
    body: bytes


@attrs.frozen
class Container:
    messages: tuple[Message, ...]

    def to_bytes(self) -> bytes:
        parts = [tl.constructor(CONTAINER), tl.int32(len(self.messages))]
        for message in self.messages:
            parts += (
                tl.int64(message.msg_id),
                tl.int32(message.seq_no),
                tl.int32(len(message.body)),
                message.body,
            )
        return b"".join(parts)


@attrs.frozen
class Gzipped:
    data: bytes


@attrs.frozen
class RpcResult:
    """`result` is one object, which may be `gzip_packed`, or `rpc_error`."""

    req_msg_id: int
    result: bytes

    def to_bytes(self) -> bytes:
        return tl.constructor(RPC_RESULT) + tl.int64(self.req_msg_id) + self.result


@attrs.frozen
class Acks:
    CONSTRUCTOR: ClassVar[int] = 0x62D6B459
    msg_ids: tuple[int, ...]

    def to_bytes(self) -> bytes:
        return tl.constructor(self.CONSTRUCTOR) + tl.longs(self.msg_ids)


@attrs.frozen
class BadMessage:
    """A message was not accepted; `new_salt` is there with code 48 (`bad_server_salt`) only."""

    CONSTRUCTOR: ClassVar[int] = 0xA7EFF811
    SALT_CONSTRUCTOR: ClassVar[int] = 0xEDAB447B
    bad_msg_id: int
    bad_seq_no: int
    code: int
    new_salt: int | None = None

    def to_bytes(self) -> bytes:
        number = self.CONSTRUCTOR if self.new_salt is None else self.SALT_CONSTRUCTOR
        body = tl.int64(self.bad_msg_id) + tl.int32(self.bad_seq_no) + tl.int32(self.code)
        return tl.constructor(number) + body + (b"" if self.new_salt is None else tl.int64(self.new_salt))


@attrs.frozen
class NewSessionCreated:
    CONSTRUCTOR: ClassVar[int] = 0x9EC20908
    first_msg_id: int
    unique_id: int
    salt: int

    def to_bytes(self) -> bytes:
        body = tl.int64(self.first_msg_id) + tl.int64(self.unique_id) + tl.int64(self.salt)
        return tl.constructor(self.CONSTRUCTOR) + body


@attrs.frozen
class Ping:
    """`disconnect_delay`: the server closes the connection that many seconds later unless pinged again."""

    CONSTRUCTOR: ClassVar[int] = 0x7ABE77EC
    DELAY_CONSTRUCTOR: ClassVar[int] = 0xF3427B8C
    ping_id: int
    disconnect_delay: int | None = None

    def to_bytes(self) -> bytes:
        if self.disconnect_delay is None:
            return tl.constructor(self.CONSTRUCTOR) + tl.int64(self.ping_id)
        body = tl.int64(self.ping_id) + tl.int32(self.disconnect_delay)
        return tl.constructor(self.DELAY_CONSTRUCTOR) + body


@attrs.frozen
class Pong:
    CONSTRUCTOR: ClassVar[int] = 0x347773C5
    msg_id: int
    ping_id: int

    def to_bytes(self) -> bytes:
        return tl.constructor(self.CONSTRUCTOR) + tl.int64(self.msg_id) + tl.int64(self.ping_id)


@attrs.frozen
class StateRequest:
    CONSTRUCTOR: ClassVar[int] = 0xDA69FB52
    msg_ids: tuple[int, ...]

    def to_bytes(self) -> bytes:
        return tl.constructor(self.CONSTRUCTOR) + tl.longs(self.msg_ids)


@attrs.frozen
class StateInfo:
    CONSTRUCTOR: ClassVar[int] = 0x04DEB57D
    req_msg_id: int
    info: bytes

    def to_bytes(self) -> bytes:
        return tl.constructor(self.CONSTRUCTOR) + tl.int64(self.req_msg_id) + tl.string(self.info)


@attrs.frozen
class ResendRequest:
    CONSTRUCTOR: ClassVar[int] = 0x7D861A08
    msg_ids: tuple[int, ...]

    def to_bytes(self) -> bytes:
        return tl.constructor(self.CONSTRUCTOR) + tl.longs(self.msg_ids)


@attrs.frozen
class DetailedInfo:
    """There is an answer to `msg_id` (0: of the server's own accord) that was sent before."""

    CONSTRUCTOR: ClassVar[int] = 0x276D3EC6
    NEW_CONSTRUCTOR: ClassVar[int] = 0x809DB6DF
    msg_id: int
    answer_msg_id: int
    size: int
    status: int = 0

    def to_bytes(self) -> bytes:
        body = tl.int64(self.answer_msg_id) + tl.int32(self.size) + tl.int32(self.status)
        if not self.msg_id:
            return tl.constructor(self.NEW_CONSTRUCTOR) + body
        return tl.constructor(self.CONSTRUCTOR) + tl.int64(self.msg_id) + body


@attrs.frozen
class Unknown:
    """An object that is not of the protocol itself."""

    body: bytes


ServiceMessage = (
    Container | Gzipped | RpcResult | Acks | BadMessage | NewSessionCreated | Ping | Pong | StateRequest
    | StateInfo | ResendRequest | DetailedInfo | FutureSalts | GetFutureSalts | Unknown
)  # fmt: skip


def parse(body: bytes) -> ServiceMessage:
    """The message whose object is `body`. Raises `Malformed` for a known constructor with wrong content."""
    read = _READERS.get(tl.constructor_of(body))
    if read is None:
        return Unknown(body)
    reader = tl.Reader(body[4:])
    message = read(reader)
    reader.finish()
    return message


def _container(reader: tl.Reader) -> Container:
    messages = []
    for _ in range(reader.count(20, MAX_CONTAINER)):
        msg_id, seq_no, size = reader.int64(), reader.int32(), reader.int32()
        if size < 4 or size % 4:
            raise Malformed("A message in a container has a wrong length")
        messages.append(Message(msg_id, seq_no, reader.take(size)))
    return Container(tuple(messages))


_READERS: Final[dict[int, Callable[[tl.Reader], ServiceMessage]]] = {
    CONTAINER: _container,
    GZIP_PACKED: lambda reader: Gzipped(reader.string()),
    RPC_RESULT: lambda reader: RpcResult(reader.int64(), reader.rest()),
    Acks.CONSTRUCTOR: lambda reader: Acks(reader.longs(MAX_IDS)),
    BadMessage.CONSTRUCTOR: lambda reader: BadMessage(reader.int64(), reader.int32(), reader.int32()),
    BadMessage.SALT_CONSTRUCTOR: lambda reader: BadMessage(
        reader.int64(), reader.int32(), reader.int32(), reader.int64()
    ),
    NewSessionCreated.CONSTRUCTOR: lambda reader: NewSessionCreated(
        reader.int64(), reader.int64(), reader.int64()
    ),
    Ping.CONSTRUCTOR: lambda reader: Ping(reader.int64()),
    Ping.DELAY_CONSTRUCTOR: lambda reader: Ping(reader.int64(), reader.int32()),
    Pong.CONSTRUCTOR: lambda reader: Pong(reader.int64(), reader.int64()),
    StateRequest.CONSTRUCTOR: lambda reader: StateRequest(reader.longs(MAX_IDS)),
    StateInfo.CONSTRUCTOR: lambda reader: StateInfo(reader.int64(), reader.string()),
    ResendRequest.CONSTRUCTOR: lambda reader: ResendRequest(reader.longs(MAX_IDS)),
    DetailedInfo.CONSTRUCTOR: lambda reader: DetailedInfo(
        reader.int64(), reader.int64(), reader.int32(), reader.int32()
    ),
    DetailedInfo.NEW_CONSTRUCTOR: lambda reader: DetailedInfo(
        0, reader.int64(), reader.int32(), reader.int32()
    ),
    FutureSalts.CONSTRUCTOR: FutureSalts.read,
    GetFutureSalts.CONSTRUCTOR: lambda reader: GetFutureSalts(reader.int32()),
}
