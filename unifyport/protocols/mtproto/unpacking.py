"""From one packet to its messages: containers opened, compressed objects unpacked, both within limits.

A container holds no container, a compressed object no compressed object, by whatever way one got there; what
all compressed objects of one packet unpack to is bounded together.
"""

import zlib
from typing import Final

import attrs

from unifyport.protocols.mtproto import messages, tl
from unifyport.protocols.mtproto.errors import Malformed
from unifyport.protocols.mtproto.messages import Container, Gzipped, Message, RpcResult, ServiceMessage
from unifyport.protocols.mtproto.rpc_errors import parse_rpc_error

MAX_UNPACKED: Final = 16 << 20  # bytes in all, for one packet
_GZIP: Final = 16 + zlib.MAX_WBITS


@attrs.frozen
class Item:
    """One message, neither container nor compressed; the result of an RPC is not compressed either."""

    msg_id: int
    seq_no: int
    message: ServiceMessage


class Unpacker:
    """Unpacks the messages of one packet."""

    def __init__(self, limit: int = MAX_UNPACKED) -> None:
        self._left = limit

    def unpack(self, message: Message) -> list[Item]:
        """The messages in `message`, one unless it is a container; errors of calls can be parsed.

        Raises `Malformed`.
        """
        parsed = self._parse(message.body)
        if not isinstance(parsed, Container):
            return [Item(message.msg_id, message.seq_no, parsed)]
        items = []
        for inner in parsed.messages:
            content = self._parse(inner.body)
            if isinstance(content, Container):
                raise Malformed("A container in a container")
            items.append(Item(inner.msg_id, inner.seq_no, content))
        return items

    def _parse(self, body: bytes) -> ServiceMessage:
        parsed = messages.parse(body)
        if isinstance(parsed, Gzipped):
            parsed = messages.parse(self._inflate(parsed.data))
            if isinstance(parsed, Gzipped):
                raise Malformed("A compressed object in a compressed object")
        if isinstance(parsed, RpcResult) and tl.constructor_of(parsed.result) == messages.GZIP_PACKED:
            compressed = messages.parse(parsed.result)
            assert isinstance(compressed, Gzipped)
            result = self._inflate(compressed.data)
            if tl.constructor_of(result) == messages.GZIP_PACKED:
                raise Malformed("A compressed object in a compressed object")
            parsed = RpcResult(parsed.req_msg_id, result)
        if isinstance(parsed, RpcResult):
            parse_rpc_error(parsed.result)
        return parsed

    def _inflate(self, data: bytes) -> bytes:
        stream = zlib.decompressobj(_GZIP)
        try:
            unpacked = stream.decompress(data, self._left + 1)
        except zlib.error as error:
            raise Malformed("A compressed object cannot be unpacked") from error
        if len(unpacked) > self._left:
            raise Malformed("The compressed objects of a packet are too large")
        if not stream.eof:
            raise Malformed("A compressed object ends early")
        self._left -= len(unpacked)
        return unpacked
