"""The address guard: which addresses a URL of a caller may lead to.

Refused unless the operator permits it: private, loopback, link-local, carrier-grade, multicast, reserved and
metadata addresses, in every spelling (decimal, octal, hex, IPv4 inside IPv6: mapped, compatible, translated,
NAT64, 6to4, Teredo). Of IPv6 only global unicast is accepted (RFC 4291, section 2.4). The guard resolves the
name, and the addresses that it checked are those that are dialled: a name that changes between check and
connect changes nothing.

A permitted network covers loopback only if it lies within loopback, and a metadata service only if it is that
single address. Plain http is accepted only to permitted addresses.
"""

import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import attrs
import trio

from .urls import Location, NotAUrl, authority, locate

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str], Awaitable[Sequence[Address]]]

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
# Networks with an IPv4 address in the last 32 bits: NAT64 (RFC 6052), compatible (RFC 4291), translated
# (RFC 2765).
_WITH_IPV4 = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96"))
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# Reserved networks that not every version of Python knows: protocols (RFC 6890), documentation (RFC 9637).
_RESERVED = (ipaddress.IPv4Network("192.0.0.0/24"), ipaddress.IPv6Network("3fff::/20"))
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        *("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16"),
        *("fd00:ec2::254", "fd20:ce::254"),
    )
)
_PLAIN_HTTP = "plain http is only for permitted addresses, use https"


class UrlNotAllowed(Exception):
    """The guard refuses this URL; the text gives the reason and no part of the URL that may be secret."""


class NameNotResolved(Exception):
    """The name of the host has no address now."""


@attrs.frozen
class Target:
    """A URL that may be dialled, with the addresses that were checked, the preferred one first."""

    scheme: str
    host: str  # for SNI and the Host header
    port: int
    addresses: tuple[Address, ...]
    path: str  # path and query
    private: bool  # an address is not public: only the operator's permission allows it

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        return authority(self.scheme, self.host, self.port)


@attrs.define
class AddressGuard:
    """`allow`: the networks that the operator permits; a reload may replace them.

    `option`: the option of `[security]` that lists them, for the texts of refusals.
    """

    resolve: Resolve
    allow: tuple[Network, ...] = ()
    option: str = ""

    async def vet(self, url: str) -> bool:
        """Check a URL before it is stored; a name that does not resolve now is accepted if it is https.

        Returns whether it resolves. Raises `UrlNotAllowed`.
        """
        try:
            await self.target(url)
            return True
        except NameNotResolved:
            if urlsplit(url).scheme == "http":
                raise self._refused(
                    "plain http is only for permitted addresses, and the name is unknown"
                ) from None
            return False

    def check_unresolved(self, url: str) -> None:
        """Check as much of a URL as needs no look-up. Raises `UrlNotAllowed`."""
        location = _locate(url)
        literal = parse_address(location.host)
        if literal is not None:
            self._check(literal, location.scheme)
        elif location.scheme == "http" and not self.allow:
            raise self._refused(_PLAIN_HTTP)

    def check_literal(self, host: str) -> None:
        """Check a host without a URL (a proxy); a name is accepted. Raises `UrlNotAllowed`."""
        literal = parse_address(_bare(host))
        if literal is not None:
            self._check(literal, "https")

    async def target(self, url: str) -> Target:
        """Check a URL, and all addresses of its name. Raises `UrlNotAllowed`, `NameNotResolved`."""
        at = _locate(url)
        literal = parse_address(at.host)
        addresses = [literal] if literal is not None else await self.resolve(at.host)
        if not addresses:
            raise NameNotResolved(at.host)
        for address in addresses:
            self._check(address, at.scheme)
        private = not all(_is_public(embedded(address)) for address in addresses)
        return Target(at.scheme, at.host, at.port, tuple(addresses), at.path, private)

    async def address(self, host: str) -> Address:
        """Check a host without a URL (a proxy) and choose the address to dial.

        Raises `UrlNotAllowed`, `NameNotResolved`.
        """
        literal = parse_address(_bare(host))
        addresses = [literal] if literal is not None else await self.resolve(host)
        if not addresses:
            raise NameNotResolved(host)
        for address in addresses:
            self._check(address, "https")
        return addresses[0]

    def _check(self, address: Address, scheme: str) -> None:
        effective = embedded(address)
        if self.permitted(effective):
            return
        if not _is_public(effective):
            raise self._refused("the address is private, local or reserved")
        if scheme != "https":
            raise self._refused(_PLAIN_HTTP)

    def _refused(self, text: str) -> UrlNotAllowed:
        """An error that names the option which permits more addresses."""
        return UrlNotAllowed(f"{text}; [security] {self.option} can permit it" if self.option else text)

    def permitted(self, address: Address) -> bool:
        for network in self.allow:
            if address.version != network.version or address not in network:
                continue
            if address in _METADATA and network.num_addresses != 1:
                continue
            if address.is_loopback and not any(
                network.version == loopback.version and network.subnet_of(loopback)  # type: ignore[arg-type]
                for loopback in _LOOPBACK
            ):
                continue
            return True
        return False


def _bare(host: str) -> str:
    """The host without brackets and without the dot that ends a full name."""
    return host.strip("[]").rstrip(".")


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    if address in _METADATA or any(address in network for network in _RESERVED):
        return False
    return address.is_global and not address.is_multicast


def _locate(url: str) -> Location:
    try:
        location = locate(url)
    except NotAUrl as error:
        raise UrlNotAllowed(str(error)) from None
    if location.userinfo is not None:
        raise UrlNotAllowed("a URL must not hold a user name or password")
    return location


def parse_address(host: str) -> Address | None:
    """The address that a host spells, in any form that a resolver would accept; None for a name."""
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))  # 127.1, 0x7f000001, 2130706433, 0177.0.0.1
    except OSError:
        pass
    if host == "localhost" or host.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    return None


def is_loopback(host: str) -> bool:
    """Whether a host is, by its spelling, this machine."""
    address = parse_address(host)
    return address is not None and address.is_loopback


def embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv6 address; the address itself if there is none."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if int(address) > 1 and any(address in network for network in _WITH_IPV4):  # :: and ::1 are themselves
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


_MOST_GIVEN_UP = 64  # threads


class Resolver:
    """Looks up names in its own threads: 8 at a time, one for each name.

    A look-up has `timeout` seconds; its result is cached for `ttl` seconds. A thread whose name server does
    not answer goes on after that, and cannot be stopped: it keeps no place, and its name is not asked for
    again before it ends.
    """

    def __init__(self, ttl: float = 30.0, timeout: float = 5.0) -> None:
        self._places = trio.CapacityLimiter(8)
        self._ttl = ttl
        self._timeout = timeout
        self._known: dict[str, tuple[float, list[Address]]] = {}
        self._asking: dict[str, trio.Event] = {}
        self._given_up: dict[str, threading.Event] = {}  # look-ups that go on; set when they end

    async def __call__(self, host: str) -> list[Address]:
        """All addresses, IPv4 first. Raises `NameNotResolved`."""
        while (asking := self._asking.get(host)) is not None:
            await asking.wait()
        known = self._known.get(host)
        if known is not None and known[0] > trio.current_time():
            return known[1]
        self._asking[host] = trio.Event()
        try:
            addresses = await self._look_up(host)
        finally:
            self._asking.pop(host).set()
        if len(self._known) > 4096:
            self._known.clear()
        self._known[host] = (trio.current_time() + self._ttl, addresses)
        return addresses

    async def _look_up(self, host: str) -> list[Address]:
        ended = threading.Event()

        def look_up() -> list[Any]:
            try:
                return socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            finally:
                ended.set()

        async with self._places:
            self._given_up = {name: each for name, each in self._given_up.items() if not each.is_set()}
            if host in self._given_up or len(self._given_up) >= _MOST_GIVEN_UP:
                raise NameNotResolved(host)
            await trio.lowlevel.checkpoint_if_cancelled()  # from here on there is a thread that ends
            try:
                with trio.move_on_after(self._timeout):
                    found = await trio.to_thread.run_sync(
                        look_up, limiter=trio.CapacityLimiter(1), abandon_on_cancel=True
                    )
                    return _sorted_addresses(found)
            except (OSError, UnicodeError):  # UnicodeError: not a valid name
                raise NameNotResolved(host) from None
            finally:
                if not ended.is_set():
                    self._given_up[host] = ended
        raise NameNotResolved(host)


def _sorted_addresses(found: list[Any]) -> list[Address]:
    """Of `getaddrinfo`."""
    unique = {ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found}
    return sorted(unique, key=lambda address: (address.version, int(address)))
