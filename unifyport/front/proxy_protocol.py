"""The PROXY protocol, versions 1 and 2: what a proxy says of the client, before anything else
(https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt).
"""

import ipaddress
import struct
from collections.abc import Awaitable, Callable

Receive = Callable[[int], Awaitable[bytes]]  # at most so many bytes; empty at the end

_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_LONGEST_LINE = 107
_LONGEST_ADDRESSES = 1024  # bytes with the extensions (TLVs)
_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21


class ProxyHeaderError(ValueError):
    """The connection does not begin with a valid header."""


async def read_client(receive: Receive) -> str | None:
    """The client's address, or None if the proxy speaks for itself. It reads nothing after the header.

    Raises `ProxyHeaderError`.
    """
    begin = await _exactly(receive, len(_SIGNATURE))
    if begin == _SIGNATURE:
        return await _read_binary(receive)
    if begin.startswith(b"PROXY "):
        return await _read_text(begin, receive)
    raise ProxyHeaderError("no PROXY header")


async def _read_text(begin: bytes, receive: Receive) -> str | None:
    line = begin
    while not line.endswith(b"\r\n"):
        if len(line) >= _LONGEST_LINE:
            raise ProxyHeaderError("the PROXY line is too long")
        line += await _exactly(receive, 1)
    match line[:-2].decode("latin-1").split(" "):
        case ["PROXY", "UNKNOWN", *_]:
            return None
        case ["PROXY", "TCP4" | "TCP6" as family, source, destination, *ports]:
            client = _read_addresses(source, destination, version=4 if family == "TCP4" else 6)
            if client is not None and len(ports) == 2 and all(map(_is_port, ports)):
                return client
    raise ProxyHeaderError("the PROXY line is not valid")


def _read_addresses(source: str, destination: str, *, version: int) -> str | None:
    """The source, if both are addresses of that version."""
    try:
        addresses = [ipaddress.ip_address(text) for text in (source, destination)]
    except ValueError:
        return None
    valid = all(address.version == version for address in addresses) and "%" not in source + destination
    return str(addresses[0]) if valid else None


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535


async def _read_binary(receive: Receive) -> str | None:
    command, family, length = struct.unpack("!BBH", await _exactly(receive, 4))
    if length > _LONGEST_ADDRESSES:
        raise ProxyHeaderError("the PROXY header is too long")
    addresses = await _exactly(receive, length)
    if command == _LOCAL:
        return None
    size = {_TCP4: 4, _TCP6: 16}.get(family)
    if command != _PROXY or size is None or length < 2 * size + 4:
        raise ProxyHeaderError("the PROXY header is not of a TCP connection")
    return str(ipaddress.ip_address(addresses[:size]))


async def _exactly(receive: Receive, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = await receive(count - len(data))
        if not piece:
            raise ProxyHeaderError("the connection ended in the PROXY header")
        data += piece
    return data
