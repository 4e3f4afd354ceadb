"""Tests stay on this machine: one in which anything in the process opens another address fails.

Every way out of Python passes `socket.socket`: trio's sockets and `ssl`'s are built on it. An attempt is
refused before a packet leaves (`ENETUNREACH`), noted, and reported at the end of the test that it happened
in, also where the code under test has taken the error for an outage. Names may be looked up.
"""

import errno
import ipaddress
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

_METHODS = {"connect": 0, "connect_ex": 0, "sendto": -1, "sendmsg": 3}  # and which argument is the address
_INTERNET = (socket.AF_INET, socket.AF_INET6)
_attempts: list[str] = []
_turn = threading.Lock()


def is_local(host: str) -> bool:
    """Whether an address, or a name that was not resolved, is of this machine."""
    if host in ("", "localhost"):  # "" is any address of this machine
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_loopback or mapped.is_unspecified)


def _guarded(name: str, place: int) -> Callable[..., Any]:
    plain = getattr(socket.socket, name)

    def call(self: socket.socket, *arguments: Any) -> Any:
        given = arguments[place] if -len(arguments) <= place < len(arguments) else None
        if self.family in _INTERNET and isinstance(given, tuple) and not is_local(str(given[0])):
            with _turn:
                _attempts.append(f"{name} {given[0]}:{given[1]}")
            if name == "connect_ex":
                return errno.ENETUNREACH
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        return plain(self, *arguments)

    return call


def install() -> None:
    """Guard the sockets of this process, once and for its life."""
    if not hasattr(socket.socket, "_loopback_only"):
        for name, place in _METHODS.items():
            setattr(socket.socket, name, _guarded(name, place))
        socket.socket._loopback_only = True  # type: ignore[attr-defined]


def take_attempts() -> list[str]:
    """What was attempted since the last call."""
    with _turn:
        found = list(_attempts)
        _attempts.clear()
    return found


@pytest.fixture(autouse=True)
def only_loopback() -> Iterator[None]:
    """Fails the test if anything in the process opened an address that is not of this machine."""
    install()
    yield
    if attempts := take_attempts():
        pytest.fail(f"not of this machine: {', '.join(attempts)}", pytrace=False)
