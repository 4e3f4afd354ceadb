"""The way to a host through a proxy: HTTP `CONNECT` (RFC 9110, section 9.3.6) or SOCKS 5 (RFC 1928, 1929).

The proxy resolves the host's name. Whatever goes wrong before the host is reached is `proxy_error`.
"""

import re

from unifyport.model.proxy import Proxy

from .guard import Address, Target
from .requests import authorization
from .sockets import Sockets
from .urls import read_address
from .wire import DialFailed, LocalTrouble, Wire

MAX_HEAD = 16 * 1024  # bytes of a proxy's answer to CONNECT
_CONNECTED = re.compile(rb"HTTP/1\.[01] 2[0-9][0-9][ \r]")
_NO_LOGIN, _PASSWORD = 0, 2  # methods of SOCKS 5


class ThroughProxy:
    """See `wire.Backend`; the addresses that are dialled are the proxy's. `proxy.type`: `http` or `socks5`.

    A request for an `http` URL goes to an HTTP proxy itself, without a tunnel (`forwards`).
    """

    def __init__(self, sockets: Sockets, proxy: Proxy) -> None:
        self._sockets = sockets
        self._proxy = proxy

    async def connect(self, target: Target, address: Address) -> Wire:
        try:
            plain = await self._sockets.open(address, self._proxy.port)
        except (DialFailed, LocalTrouble):
            raise _FAILED from None
        try:
            if not forwards(self._proxy, target.scheme):
                await self._tunnel(_Peer(plain), target)
            return await self._sockets.secure(plain, target) if target.scheme == "https" else plain
        except BaseException as error:
            plain.close()
            if isinstance(error, OSError):
                raise _FAILED from None
            raise

    async def _tunnel(self, peer: "_Peer", target: Target) -> None:
        if self._proxy.type == "http":
            await _connect(peer, target, self._proxy)
        else:
            await _log_in(peer, self._proxy)
            await _connect_by_socks(peer, target)
        if peer.rest:  # the host does not speak first
            raise _FAILED


def forwards(proxy: Proxy, scheme: str) -> bool:
    """Whether the proxy gets the requests themselves, with absolute URLs."""
    return proxy.type == "http" and scheme == "http"


_FAILED = DialFailed("proxy_error")


class _Peer:
    """Reads what is needed from a wire, and keeps the rest."""

    def __init__(self, wire: Wire) -> None:
        self.send = wire.send
        self._receive = wire.receive
        self.rest = b""

    async def exactly(self, count: int) -> bytes:
        while len(self.rest) < count:
            await self._more()
        found, self.rest = self.rest[:count], self.rest[count:]
        return found

    async def head(self) -> bytes:
        while b"\r\n\r\n" not in self.rest:
            if len(self.rest) > MAX_HEAD:
                raise _FAILED
            await self._more()
        found, _, self.rest = self.rest.partition(b"\r\n\r\n")
        return found

    async def _more(self) -> None:
        if not (data := await self._receive()):
            raise _FAILED
        self.rest += data


async def _connect(peer: _Peer, target: Target, proxy: Proxy) -> None:
    # Spelled as other clients do: there are proxies that know no other spelling.
    name = f"[{target.host}]" if ":" in target.host else target.host
    lines = [f"CONNECT {name}:{target.port} HTTP/1.1", f"Host: {name}:{target.port}"]
    if proxy.username or proxy.password:
        lines.append(f"Proxy-Authorization: {authorization(proxy.username, proxy.password)}")
    await peer.send("\r\n".join([*lines, "", ""]).encode())
    if not _CONNECTED.match(await peer.head() + b"\r"):
        raise _FAILED


async def _log_in(peer: _Peer, proxy: Proxy) -> None:
    method = _PASSWORD if proxy.username or proxy.password else _NO_LOGIN
    await peer.send(bytes([5, 1, method]))
    if await peer.exactly(2) != bytes([5, method]):
        raise _FAILED
    if method == _PASSWORD:
        await peer.send(b"\x01" + _counted(proxy.username) + _counted(proxy.password))
        if (await peer.exactly(2))[1] != 0:
            raise _FAILED


async def _connect_by_socks(peer: _Peer, target: Target) -> None:
    address = read_address(target.host)
    if address is None:
        where = b"\x03" + _counted(target.host)
    else:
        where = (b"\x01" if address.version == 4 else b"\x04") + address.packed
    await peer.send(b"\x05\x01\x00" + where + target.port.to_bytes(2))
    version, code, _, kind = await peer.exactly(4)
    if version != 5 or code != 0:
        raise _FAILED
    length = {1: 4, 4: 16}.get(kind)
    if length is None:
        [length] = await peer.exactly(1)
    await peer.exactly(length + 2)  # the address and port from which the proxy connects


def _counted(text: str) -> bytes:
    data = text.encode()
    if len(data) > 255:
        raise _FAILED
    return bytes([len(data)]) + data
