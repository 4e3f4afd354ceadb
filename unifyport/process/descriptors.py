"""File descriptors: the process raises its limit, and the front gets what the other parts leave."""

import contextlib
import resource

_OTHERS = 64  # the database, pipes, logs, files under way
_MOST_FOR_ENDPOINTS = 1024
_LEAST_FOR_FRONT = 64
_ENOUGH = 1_048_576  # where the limit is infinite


def limit() -> int:
    """The descriptors that this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft


def raise_limit() -> None:
    """Raise the limit in force to the highest one that this process may set."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else hard
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(limit(), wanted), hard))


def share_of_front(most: int, account_sockets: int) -> int:
    """How many connections the front may have, of `most` descriptors.

    `account_sockets`: how many all accounts together may have open.
    """
    reserved = _OTHERS + min(_MOST_FOR_ENDPOINTS, most // 4) + account_sockets
    return max(_LEAST_FOR_FRONT, most - min(reserved, most // 2))
