"""Plain TCP for protocols that encrypt by themselves: it dials as the HTTP clients do, through the account's
proxy if there is one.
"""

import ssl

import trio

from unifyport.model.proxy import Proxy

from .connection import dial
from .guard import NameNotResolved, Target
from .proxies import ThroughProxy
from .shared import shared
from .sockets import Sockets
from .urls import read_address
from .wire import Backend, DialFailed, LocalTrouble, Wire

CONNECT_SECONDS = 20.0


class NotOpened(Exception):
    """There is no connection. The text is a machine-readable reason."""


async def open_tcp(
    host: str,
    port: int,
    context: ssl.SSLContext,
    *,
    proxy: Proxy | None = None,
    timeout: float = CONNECT_SECONDS,
) -> Wire:
    """Connect within `timeout` s; `context` is not used for TLS. Raises `NotOpened`. Cancelled: closed."""
    if proxy is not None and proxy.type == "https":
        raise NotOpened("proxy_not_supported")
    deadline = trio.current_time() + timeout
    try:
        with trio.fail_at(deadline):
            return await connect(("tcp", host, port), context, proxy=proxy, deadline=deadline)
    except DialFailed as error:
        raise NotOpened(str(error)) from None
    except (LocalTrouble, NameNotResolved):
        raise NotOpened("not_connected") from None
    except trio.TooSlowError:
        raise NotOpened("connect_timeout") from None


async def connect(
    to: tuple[str, str, int], context: ssl.SSLContext, *, proxy: Proxy | None, deadline: float
) -> Wire:
    """Dial (scheme, host, port) until `deadline`; https is secured with `context`.

    Raises `DialFailed`, `LocalTrouble`, `NameNotResolved`. Cancelled: closed.
    """
    sockets = Sockets(context, resume=False)
    backend: Backend = sockets if proxy is None else ThroughProxy(sockets, proxy)
    return await dial(backend, await _locate(*to, proxy), deadline)


async def _locate(scheme: str, host: str, port: int, proxy: Proxy | None) -> Target:
    """What to dial: the host's addresses, or those of the proxy, which resolves the host by itself.

    Raises `NameNotResolved`.
    """
    dialled = host if proxy is None else proxy.host.strip("[]")
    literal = read_address(dialled)
    addresses = [literal] if literal is not None else await shared().resolver(dialled)
    if not addresses:
        raise NameNotResolved(dialled)
    return Target(scheme, host, port, tuple(addresses), path="", private=False)
