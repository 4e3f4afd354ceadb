"""How packets follow each other on a TCP stream, in the clear or obfuscated.

    framing         first bytes    a packet
    ------------    -----------    ---------------------------------------------------------------------------
    abridged        ef             length / 4 in one byte, or 7f and three bytes; the packet
    intermediate    eeeeeeee       length in four bytes (little-endian); the packet
    padded          dddddddd       length in four bytes; the packet and 0 to 15 random bytes

https://core.telegram.org/mtproto/mtproto-transports. Only the client writes the first bytes. In a client's
packet the highest bit of the length asks for a quick acknowledgement: the server's side removes it and gives
none, the client's side never asks. Four bytes that are a negative number, in place of a packet, are a
transport error. Sans-IO: bytes in, packets out. After an error the connection is of no use.
"""

import enum
import os
import secrets
from typing import Final

from unifyport.protocols.mtproto.encryption import Random, without_transport_padding
from unifyport.protocols.mtproto.errors import Malformed, TransportFailure
from unifyport.protocols.mtproto.obfuscation import HEADER_SIZE, Obfuscation, accept, initiate

MAX_PACKET: Final = 2 << 20  # bytes: a part of a file is 1 MiB at most
_MAX_PADDING: Final = 15


class Framing(enum.Enum):
    """The value is what names the framing in an obfuscated header."""

    ABRIDGED = b"\xef\xef\xef\xef"
    INTERMEDIATE = b"\xee\xee\xee\xee"
    PADDED = b"\xdd\xdd\xdd\xdd"

    @property
    def preamble(self) -> bytes:
        tag: bytes = self.value
        return tag[:1] if self is Framing.ABRIDGED else tag


def to_frame(packet: bytes, framing: Framing, *, random: Random = os.urandom) -> bytes:
    """`packet` with its length before it. Raises `ValueError` unless it is a multiple of 4 bytes."""
    if not packet or len(packet) % 4:
        raise ValueError("A packet is a multiple of 4 bytes")
    if framing is Framing.ABRIDGED:
        words = len(packet) // 4
        return (bytes((words,)) if words < 0x7F else b"\x7f" + words.to_bytes(3, "little")) + packet
    if framing is Framing.PADDED:
        packet = packet + random(secrets.randbelow(_MAX_PADDING + 1))
    return len(packet).to_bytes(4, "little") + packet


class FrameReader:
    """Cuts a stream into packets. Holds one unfinished packet of at most `limit` bytes."""

    def __init__(self, framing: Framing, *, from_server: bool, limit: int = MAX_PACKET) -> None:
        self._framing = framing
        self._from_server = from_server
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that `data` completes.

        Raises `Malformed`, and `TransportFailure` for a server's error; what came before it in `data` is
        lost, as the connection is.
        """
        self._buffer += data
        packets: list[bytes] = []
        at = 0
        while (head := self._head(at)) is not None:
            start, size = head
            if not 4 <= size <= self._limit:
                raise Malformed(f"A packet of {size} bytes; {self._limit} are allowed")
            if len(self._buffer) < start + size:
                break
            packets.append(self._packet(bytes(self._buffer[start : start + size])))
            at = start + size
        del self._buffer[:at]
        return packets

    def _head(self, at: int) -> tuple[int, int] | None:
        """Where the packet at `at` begins, and its size; None as long as its length is not complete."""
        left = len(self._buffer) - at
        if self._framing is not Framing.ABRIDGED:
            if left < 4:
                return None
            size = int.from_bytes(self._buffer[at : at + 4], "little")
            return at + 4, size if self._from_server else size & 0x7FFFFFFF
        if left < 1:
            return None
        first = self._buffer[at] if self._from_server else self._buffer[at] & 0x7F
        if first < 0x7F:
            return at + 1, first * 4
        if first > 0x7F:
            raise Malformed("A quick acknowledgement that was not asked for")
        if left < 4:
            return None
        return at + 4, int.from_bytes(self._buffer[at + 1 : at + 4], "little") * 4

    def _packet(self, packet: bytes) -> bytes:
        padding = _MAX_PADDING if self._framing is Framing.PADDED else 0
        if self._from_server and len(packet) <= 4 + padding:
            code = int.from_bytes(packet[:4], "little", signed=True)
            if code < 0:
                raise TransportFailure(-code)
        return without_transport_padding(packet) if padding else packet


class ClientTransport:
    """The client's side of one connection."""

    def __init__(
        self,
        framing: Framing = Framing.ABRIDGED,
        *,
        obfuscated: bool = False,
        secret: bytes = b"",
        dc: int = 0,
        limit: int = MAX_PACKET,
        random: Random = os.urandom,
    ) -> None:
        """`secret` (16 bytes) and `dc` are what an MTProxy server asks for; a secret implies `obfuscated`."""
        self._framing = framing
        self._reader = FrameReader(framing, from_server=True, limit=limit)
        self._ciphers: Obfuscation | None = None
        self._first = framing.preamble
        if obfuscated or secret:
            self._first, self._ciphers = initiate(framing.value, secret=secret, dc=dc, random=random)

    def send(self, packet: bytes) -> bytes:
        """What is to be written, in the order of the calls; the first one begins the connection."""
        data = to_frame(packet, self._framing)
        if self._ciphers is not None:
            data = self._ciphers.encrypt(data)
        first, self._first = self._first, b""
        return first + data

    def receive(self, data: bytes) -> list[bytes]:
        """The packets that `data` completes. Raises `Malformed`, `TransportFailure`."""
        return self._reader.feed(data if self._ciphers is None else self._ciphers.decrypt(data))


class ServerTransport:
    """The server's side: the client's first bytes decide the framing."""

    framing: Framing | None = None
    dc = 0  # the data centre that an obfuscated header names

    def __init__(self, *, secret: bytes = b"", limit: int = MAX_PACKET) -> None:
        """`secret`: accept obfuscated connections with this secret only, as an MTProxy server does."""
        self._secret = secret
        self._limit = limit
        self._begin = b""
        self._ciphers: Obfuscation | None = None
        self._reader: FrameReader | None = None

    def send(self, packet: bytes) -> bytes:
        """What is to be written. Raises `RuntimeError` before the framing is known."""
        if self.framing is None:
            raise RuntimeError("The client has not named its framing yet")
        data = to_frame(packet, self.framing)
        return data if self._ciphers is None else self._ciphers.encrypt(data)

    def fail(self, code: int) -> bytes:
        """A transport error in place of a packet."""
        return self.send((-code).to_bytes(4, "little", signed=True))

    def receive(self, data: bytes) -> list[bytes]:
        """The packets that `data` completes. Raises `Malformed`."""
        if self._reader is None:
            self._begin += data
            rest = self._detect()
            if rest is None or self.framing is None:
                return []
            self._reader = FrameReader(self.framing, from_server=False, limit=self._limit)
            self._begin = b""
            return self._reader.feed(rest)
        return self._reader.feed(data if self._ciphers is None else self._ciphers.decrypt(data))

    def _detect(self) -> bytes | None:
        """Take the first bytes; what follows them, or None as long as they are not complete."""
        begin = self._begin
        if not self._secret:
            for framing in Framing:
                if begin.startswith(framing.preamble):
                    self.framing = framing
                    return begin[len(framing.preamble) :]
        if len(begin) < HEADER_SIZE:
            return None
        tag, self.dc, self._ciphers = accept(begin[:HEADER_SIZE], secret=self._secret)
        try:
            self.framing = Framing(tag)
        except ValueError:
            raise Malformed("The first bytes name no framing") from None
        return self._ciphers.decrypt(begin[HEADER_SIZE:])
