"""Reads absolute http and https URLs as requests need them. No look-up, and no opinion on where they lead."""

import ipaddress
from urllib.parse import quote, unquote, urlsplit

import attrs

from unifyport.model.hosts import to_ascii

_PORTS = {"http": 80, "https": 443}
_IN_PATH = "/%:@!$&'()*+,;=~-._"  # characters that a request line may hold unescaped (RFC 3986)
_IN_QUERY = _IN_PATH + "?"

_JOINERS = "\u200c\u200d"  # of words and of emoji


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
    except ValueError:
        raise NotAUrl("not a URL") from None
    host = host_of(parts.netloc)
    unwritable = any(letter.isspace() or not (letter.isprintable() or letter in _JOINERS) for letter in url)
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


def host_of(netloc: str) -> str:
    """The host in the authority of a URL, as `Location` has it; empty if there is none. Raises `NotAUrl`.

    `SplitResult.hostname` is not used: its lower case is that of a text (Σ becomes ς at the end of a word).
    """
    host = netloc.rpartition("@")[2]
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    host = host.partition(":")[0]
    if not host.strip(".。．｡"):  # the dots of IDNA (RFC 3490, section 3.1)
        return ""
    try:
        return to_ascii(host).rstrip(".")
    except ValueError as error:
        raise NotAUrl(str(error)) from None


def is_url(text: str, longest: int) -> bool:
    """Whether it is an http or https URL of at most `longest` characters."""
    try:
        return len(text) <= longest and locate(text) is not None
    except NotAUrl:
        return False


def in_ascii(url: str) -> str:
    """The URL with its host in ASCII; the rest stays. Raises `NotAUrl`."""
    if url.isascii():
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        raise NotAUrl("not a URL") from None
    if parts.netloc.isascii():
        return url
    userinfo, at, place = parts.netloc.rpartition("@")
    host, colon, port = place.partition(":")
    return parts._replace(netloc=f"{userinfo}{at}{host_of(host)}{colon}{port}").geturl()


def read_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is, in its usual form; None for a name and for any other spelling."""
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
