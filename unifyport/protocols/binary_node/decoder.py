"""Bytes to nodes. Every length is checked against what is there, and size, depth and number of items are
bounded.
"""

import zlib
from typing import Final

from unifyport.protocols.binary_node import tokens
from unifyport.protocols.binary_node.jid import DOMAINS, INTEROP, MESSENGER, PHONE, Jid
from unifyport.protocols.binary_node.node import MalformedNode, Node

MAX_SIZE: Final = 1 << 24  # bytes of a stanza, after decompression
MAX_DEPTH: Final = 64  # nodes inside nodes
MAX_ITEMS: Final = 200_000  # nodes and attributes of a stanza: 1,024 users with ten devices need about 40,000

_SERVERS: Final = {domain: server for server, domain in DOMAINS.items()}
_TO_NIBBLES: Final = str.maketrans("ab", "-.")


def decode(data: bytes) -> Node:
    """The node of a stanza. Raises `MalformedNode` for what is truncated, unknown, or beyond the limits.

    Text that is not UTF-8 is replaced, not refused: a customer's odd name does not cost the message.
    """
    if not data:
        raise MalformedNode("An empty stanza")
    body = _inflate(data[1:]) if data[0] & tokens.COMPRESSED else data[1:]
    if len(body) > MAX_SIZE:
        raise MalformedNode(f"A stanza of more than {MAX_SIZE} bytes")
    reader = _Reader(body)
    node = reader.node(MAX_DEPTH)
    if reader.at != len(body):
        raise MalformedNode(f"{len(body) - reader.at} bytes after the stanza")
    return node


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        body = inflater.decompress(data, MAX_SIZE + 1)
    except zlib.error as error:
        raise MalformedNode(f"A compressed stanza is damaged: {error}") from error
    if len(body) > MAX_SIZE:
        raise MalformedNode(f"A stanza of more than {MAX_SIZE} bytes after decompression")
    if not inflater.eof:
        raise MalformedNode("A compressed stanza is truncated")
    return body


class _Reader:
    """A position in the bytes of one stanza."""

    __slots__ = ("at", "data", "items_left")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0
        self.items_left = MAX_ITEMS

    def node(self, depth: int) -> Node:
        if depth == 0:
            raise MalformedNode(f"Nodes are nested deeper than {MAX_DEPTH}")
        size = self.list_size(self.byte())
        attributes, has_content = (size - 1) >> 1, size % 2 == 0
        self.items_left -= 1 + attributes
        if size == 0 or self.items_left < 0:
            raise MalformedNode(
                "A node without a tag" if size == 0 else f"More than {MAX_ITEMS} nodes and attributes"
            )
        tag = self.text()
        if not tag:
            raise MalformedNode("A node without a tag")
        attrs = {self.text(): self.text() for _ in range(attributes)}
        return Node(tag, attrs, self.content(depth) if has_content else None)

    def content(self, depth: int) -> bytes | tuple[Node, ...] | None:
        code = self.byte()
        if code == tokens.LIST_EMPTY:
            return ()
        if code in (tokens.LIST_8, tokens.LIST_16):
            return tuple([self.node(depth - 1) for _ in range(self.list_size(code))])
        if tokens.BINARY_8 <= code <= tokens.BINARY_32:
            return self.take(self.binary_size(code))
        return self.text(code).encode("utf-8", "replace")

    def list_size(self, code: int) -> int:
        if code == tokens.LIST_8:
            return self.byte()
        if code == tokens.LIST_16:
            return self.number(2)
        if code == tokens.LIST_EMPTY:
            return 0
        raise MalformedNode(f"Code {code} is not a list")

    def binary_size(self, code: int) -> int:
        if code == tokens.BINARY_8:
            return self.byte()
        return self.number(3) & 0xFFFFF if code == tokens.BINARY_20 else self.number(4)

    def text(self, code: int | None = None) -> str:
        if code is None:
            code = self.byte()
        if code < tokens.DICTIONARY_0:
            return tokens.SINGLE[code]
        if code <= tokens.DICTIONARY_3:
            return tokens.DOUBLE[code - tokens.DICTIONARY_0][self.byte()]
        if tokens.BINARY_8 <= code <= tokens.BINARY_32:
            return self.take(self.binary_size(code)).decode("utf-8", "replace")
        if code in (tokens.NIBBLE_8, tokens.HEX_8):
            return self.packed(code)
        return str(self.jid(code))

    def packed(self, code: int) -> str:
        header = self.byte()
        digits = self.take(header & 0x7F).hex()
        if header & 0x80:
            digits = digits[:-1]
        text = digits.upper() if code == tokens.HEX_8 else digits.translate(_TO_NIBBLES)
        if code == tokens.NIBBLE_8 and not {"c", "d", "e", "f"}.isdisjoint(text):
            raise MalformedNode("A packed number has an unknown digit")
        return text

    def jid(self, code: int) -> Jid:
        if code == tokens.AD_JID:
            domain, device = self.byte(), self.byte()
            server = _SERVERS.get(domain)
            return Jid(self.text(), server or PHONE, device, 0 if server else domain)
        if code == tokens.JID_PAIR:
            return Jid(self.text(), self.text())
        if code == tokens.FB_JID:
            jid = Jid(self.text(), MESSENGER, self.number(2))
        elif code == tokens.INTEROP_JID:
            jid = Jid(self.text(), INTEROP, self.number(2), self.number(2))
        else:
            raise MalformedNode(f"Code {code} is unknown")
        if self.text() != jid.server:
            raise MalformedNode(f"An address of {jid.server} on another server")
        return jid

    def byte(self) -> int:
        try:
            value = self.data[self.at]
        except IndexError:
            raise MalformedNode("A stanza is truncated") from None
        self.at += 1
        return value

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise MalformedNode("A stanza is truncated")
        taken = self.data[self.at : end]
        self.at = end
        return taken
