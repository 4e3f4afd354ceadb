"""Reads absolute http and https URLs as requests need them. No look-up, and no opinion on where they lead."""

import ipaddress
from urllib.parse import quote, unquote, urlsplit

import attrs

_PORTS = {"http": 80, "https": 443}
_IN_PATH = "/%:@!$&'()*+,;=~-._"  # characters that a request line may hold unescaped (RFC 3986)
_IN_QUERY = _IN_PATH + "?"


class NotAUrl(Exception):
    """The text says what is wrong and holds no part of the URL, which may be secret."""


@attrs.frozen
class Location:
    """`host`: without brackets and without the dot that ends a full name; a name is in ASCII."""

    scheme: str
    host: str
    port: int
    path: str = attrs.field(repr=False)  # path and query, as the request line holds them
    userinfo: tuple[str, str] | None = attrs.field(default=None, repr=False)  # user name and password

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        return authority(self.scheme, self.host, self.port)


def authority(scheme: str, host: str, port: int) -> str:
    """The value of the Host header. A port is left out if it is the scheme's own."""
    name = f"[{host}]" if ":" in host else host
    return name if port == _PORTS[scheme] else f"{name}:{port}"


def locate(url: str) -> Location:
    """Read a URL. Raises `NotAUrl`."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise NotAUrl("not a URL") from None
    if not host.isascii():
        try:
            host = host.encode("idna").decode()
        except UnicodeError:
            raise NotAUrl("the host is not a name") from None
    host = host.rstrip(".")
    unwritable = any(letter.isspace() or not letter.isprintable() for letter in url)
    if parts.scheme not in _PORTS or not host or unwritable:
        raise NotAUrl("an absolute http or https URL is required")
    userinfo = None
    if parts.username is not None or parts.password is not None:
        userinfo = unquote(parts.username or ""), unquote(parts.password or "")
    path = quote(parts.path or "/", safe=_IN_PATH)
    query = quote(parts.query, safe=_IN_QUERY)
    return Location(
        parts.scheme,
        host,
        port if port is not None else _PORTS[parts.scheme],
        f"{path}?{query}" if query else path,
        userinfo,
    )


def read_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is, in its usual form; None for whatever else a resolver may know."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
