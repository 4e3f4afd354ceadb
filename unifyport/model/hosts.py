"""What may stand for a host: a name, or an IPv4 address in any spelling that a resolver accepts.

Names in other letters are mapped by UTS 46 and encoded by IDNA 2008, as browsers and registries do:
`faß.example` is `xn--fa-hia.example`. Python's own codec (IDNA 2003) makes `fass.example` of it, which may
belong to someone else.
"""

import re
import socket

import idna

_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


_LONGEST = 253


def to_ascii(host: str) -> str:
    """A host in ASCII and lower case; a name in other letters is encoded. Raises `ValueError`."""
    if host.isascii():
        found = host.lower()
    else:
        if len(host) > _LONGEST:
            raise ValueError("the host is too long")
        try:
            found = idna.encode(host, uts46=True).decode()
        except UnicodeError:  # of which IDNAError is one; its text may hold the name
            raise ValueError("the host is not a name") from None
    if not is_host(found):
        raise ValueError("the host is not a name")
    return found


def is_host(text: str) -> bool:
    """Whether `text` is a name in ASCII or an IPv4 address."""
    return _NAME.fullmatch(text) is not None and not is_false_address(text)


def is_false_address(text: str) -> bool:
    """Whether a host ends in a number, as no name does (RFC 1123, 2.1), and is no IPv4 address."""
    host = text.rstrip(".")
    if ":" in host or _NUMBER.fullmatch(host.rpartition(".")[2]) is None:
        return False
    try:
        socket.inet_aton(host)
    except OSError:
        return True
    return False
