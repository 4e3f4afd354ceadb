"""Checks of addresses: where listeners are bound, networks, URLs, and what an address guard would refuse.

A check looks up no name. So it refuses literal addresses; `vet` in `config/declared.py` refuses names, when
the file is put in force.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from unifyport.model.hosts import is_host
from unifyport.net.guard import Address, AddressGuard, NameNotResolved, Network, UrlNotAllowed, parse_address
from unifyport.net.urls import NotAUrl, locate

from .lines import KeyPath
from .mistakes import Mistakes
from .values import DeclaredEndpoint, Security

MAX_PORT = 65535


class Permitted:
    """The networks of `[security]` as address guards that look up no name."""

    def __init__(self, security: Security, mistakes: Mistakes) -> None:
        self._mistakes = mistakes
        self._webhooks = _new_guard(security, "webhook_allow", mistakes)
        self._proxies = _new_guard(security, "proxy_allow", mistakes)

    def check_endpoint(self, endpoint: DeclaredEndpoint, path: KeyPath) -> None:
        """Report a URL that is none, or that leads to an address which is not permitted."""
        if not is_http_url(endpoint.url):
            self._mistakes.tell(path, "must be an absolute http or https URL")
        elif self._webhooks is not None:
            try:
                self._webhooks.check_unresolved(endpoint.url)
            except UrlNotAllowed as error:
                self._mistakes.tell(path, str(error))

    def check_proxy(self, host: Any, path: KeyPath) -> None:
        """Report an address that is not permitted, and show it: unlike any other host it is no secret."""
        if self._proxies is None or not isinstance(host, str):
            return
        try:
            self._proxies.check_literal(host)
        except UrlNotAllowed as error:
            self._mistakes.tell(path, f"{error}, got {parse_address(host.strip('[]').rstrip('.'))}")


def _new_guard(security: Security, option: str, mistakes: Mistakes) -> AddressGuard | None:
    """None if the list of networks has mistakes of its own."""
    path: KeyPath = ("security", option)
    try:
        networks: tuple[Network, ...] = tuple(map(ipaddress.ip_network, getattr(security, option)))
    except ValueError:
        return None
    return None if mistakes.holds_unreadable(path) else AddressGuard(_look_up_nothing, networks, option)


async def _look_up_nothing(host: str) -> Sequence[Address]:
    raise NameNotResolved(host)


def check_networks(path: KeyPath, networks: Iterable[str], mistakes: Mistakes) -> None:
    for place, text in enumerate(networks):
        try:
            ipaddress.ip_network(text)
        except ValueError:
            mistakes.tell((*path, place), _explain_network(text))


def _explain_network(text: str) -> str:
    """Why `text` is not a network."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "must be an address or a network such as 10.0.0.0/8"
    return f"has bits set beyond its prefix, write {network}"


def is_http_url(text: str, *, bare: bool = False) -> bool:
    """`bare`: the URL must have neither query nor fragment."""
    try:
        locate(text)
    except NotAUrl:
        return False
    parts = urlsplit(text)
    return not (bare and (parts.query or parts.fragment))


def split_bind(bind: str) -> tuple[str, int]:
    """`host:port` or `[v6]:port`. Raises `ValueError`."""
    host, _, port = bind.rpartition(":")
    if not host or not port:
        raise ValueError("must be HOST:PORT")
    if not (port.isascii() and port.isdigit()):
        raise ValueError("must be HOST:PORT, and its port is not a number")
    number = port.lstrip("0") or "0"
    if len(number) > len(str(MAX_PORT)) or int(number) > MAX_PORT:
        raise ValueError(f"the port {port} is out of range, it must be from 0 to {MAX_PORT}")
    return _read_host(host), int(number)


def _read_host(host: str) -> str:
    """The host of a listener, without brackets. Raises `ValueError`."""
    bare = host.removeprefix("[").removesuffix("]")
    if ":" in bare:
        try:
            address = ipaddress.IPv6Address(bare)
        except ValueError:
            raise ValueError("must be HOST:PORT, and its host is not an IP address or a name") from None
        if host != f"[{bare}]":
            raise ValueError(f"an IPv6 address must be in brackets, write [{address}]:PORT")
    elif bare != host:
        raise ValueError("only an IPv6 address may be in brackets")
    elif not is_host(host):
        raise ValueError("must be HOST:PORT, and its host is not an IP address or a name")
    return bare
