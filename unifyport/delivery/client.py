"""The delivery client of one endpoint: HTTP/1.1 over kept connections, with one `Attempt` for each request.

It does not use an HTTP library for two reasons. Those for trio are slow: httpx costs a hundred times as much
per delivery. And a receiver is not trusted: the address guard checks the URL before each dial and only the
addresses that it checked are dialled, redirects are not followed, and every read has a limit. An attempt has
its connection to itself.

The result is a value, never an exception: the status of the answer, or the reason why there was none.
"""

import email.utils
import time
from collections.abc import Callable
from typing import Protocol

import trio

from unifyport import __version__
from unifyport.net.answer import Excerpt
from unifyport.net.connection import LOST, UNSENT, Connection, dial
from unifyport.net.guard import AddressGuard, NameNotResolved, Network, Target, UrlNotAllowed
from unifyport.net.pool import Pool
from unifyport.net.sweeper import Sweeper
from unifyport.net.wire import Backend, DialFailed, LocalTrouble, Wire

from .verdict import LOCAL_TROUBLE, URL_NOT_ALLOWED, Attempt

READ_ON = 2.0  # seconds for the rest of an answer whose status is known


class DeliveryClient(Protocol):
    """One endpoint's client."""

    async def post(self, url: str, fields: bytes, body: bytes, timeout: float) -> Attempt:
        """Make one attempt within `timeout` seconds; `fields` are the header lines of this attempt.

        Cancelled: the receiver may have received it.
        """

    def close(self) -> None:
        """Close idle connections."""


NewClient = Callable[[], DeliveryClient]


class _Connection(Connection[Excerpt]):
    """`head`: the beginning of each request. `private`: nothing of the answers may be shown."""

    __slots__ = ("head", "private")

    def __init__(self, pool: "_Pool", wire: Wire, target: Target) -> None:
        super().__init__(pool, wire, Excerpt(), READ_ON)
        self.head = _head(target)
        self.private = target.private


class _Pool(Pool[_Connection]):
    """Connections for one URL, dialled while `allow` were the permitted networks."""

    __slots__ = ("allow", "url")

    def __init__(self, sweeper: Sweeper, url: str, allow: tuple[Network, ...]) -> None:
        super().__init__(sweeper)
        self.url = url
        self.allow = allow


class HttpDeliveryClient:
    """See `DeliveryClient`. `sweeper` and `backend` are shared by all clients of a process."""

    def __init__(self, guard: AddressGuard, backend: Backend, sweeper: Sweeper) -> None:
        self._guard = guard
        self._backend = backend
        self._sweeper = sweeper
        self._pool = _Pool(sweeper, "", ())

    async def post(self, url: str, fields: bytes, body: bytes, timeout: float) -> Attempt:
        began = trio.current_time()
        deadline = began + timeout
        pool = self._pool
        if url != pool.url or pool.allow is not self._guard.allow:
            pool = self._begin_pool(url)
        connection = pool.take(began)
        if connection is not None:
            attempt = await self._exchange(connection, fields, body, deadline)
            if attempt is not None:
                attempt.ms = round((connection.ended - began) * 1000)
                return attempt
        attempt = await self._post_anew(pool, fields, body, deadline)
        attempt.ms = round((trio.current_time() - began) * 1000)
        return attempt

    def close(self) -> None:
        self._begin_pool("")

    def _begin_pool(self, url: str) -> _Pool:
        """A pool in place of the old one, whose connections are closed: the idle ones now, the others after
        their request.
        """
        self._pool.close()
        self._pool = _Pool(self._sweeper, url, self._guard.allow)
        return self._pool

    async def _post_anew(self, pool: _Pool, fields: bytes, body: bytes, deadline: float) -> Attempt:
        """Make the attempt on a new connection."""
        try:
            with trio.fail_at(deadline):
                connection = await self._dial(pool, deadline)
        except UrlNotAllowed:
            error = URL_NOT_ALLOWED
        except NameNotResolved:
            error = "name_not_resolved"
        except LocalTrouble:
            error = LOCAL_TROUBLE
        except DialFailed as failed:
            error = str(failed)
        except trio.TooSlowError:
            error = "connect_timeout"
        else:
            attempt = await self._exchange(connection, fields, body, deadline)
            assert attempt is not None
            return attempt
        await trio.lowlevel.checkpoint()  # some of these errors occur without one
        return Attempt(error=error)

    async def _dial(self, pool: _Pool, deadline: float) -> _Connection:
        """A new connection. Raises the errors of the guard and of the backend."""
        target = await self._guard.target(pool.url)
        connection = _Connection(pool, await dial(self._backend, target, deadline), target)
        pool.add(connection)
        return connection

    async def _exchange(
        self, connection: _Connection, fields: bytes, body: bytes, deadline: float
    ) -> Attempt | None:
        """Send the request and read its answer.

        None: a kept connection was closed before any byte of an answer. The caller then sends the request
        again, so the receiver may get the event twice.
        """
        fresh = connection.fresh
        request = b"%b%bcontent-length: %d\r\n\r\n%b" % (connection.head, fields, len(body), body)
        error = await connection.exchange(request, deadline)
        if connection.answer.status:
            return _make_attempt(connection)
        if error in (LOST, UNSENT):
            return Attempt(error=LOST) if fresh or connection.answer.heard else None
        return Attempt(error=error)


def _make_attempt(connection: _Connection) -> Attempt:
    """The attempt for a complete head of an answer.

    From a private address only status and size are kept: deliveries must not be a way to read the operator's
    internal network.
    """
    answer = connection.answer
    retry_after = None
    if answer.retry_after is not None:
        retry_after = parse_retry_after(answer.retry_after, time.time())
    return Attempt(
        status=answer.status,
        retry_after=retry_after,
        response=None if connection.private else answer.excerpt,
        response_size=answer.size,
    )


def _head(target: Target) -> bytes:
    """The request line and headers that are the same in every request to a target."""
    return (
        f"POST {target.path} HTTP/1.1\r\nhost: {target.authority}\r\nuser-agent: UnifyPort/{__version__}\r\n"
        "content-type: application/json\r\naccept-encoding: identity\r\n"
    ).encode()


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds of a `Retry-After`, which holds seconds or an HTTP date; None if missing or unreadable."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
