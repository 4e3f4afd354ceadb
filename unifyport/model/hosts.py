"""What may stand for a host: a name, or an IPv4 address in any spelling that a resolver accepts."""

import re
import socket

_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


def is_host(text: str) -> bool:
    """Whether `text` is a name or an IPv4 address."""
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
