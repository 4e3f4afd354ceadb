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

from unifyport.net.answer import Answer, Headers
from unifyport.net.connection import LOST, UNSENT, Connection, dial
from unifyport.net.guard import AddressGuard, NameNotResolved, Network, Target, UrlNotAllowed
from unifyport.net.pool import Pool
from unifyport.net.sweeper import Sweeper
from unifyport.net.wire import Backend, DialFailed, LocalTrouble, Wire
from unifyport.version import VERSION

from .verdict import LOCAL_TROUBLE, NAME_NOT_RESOLVED, URL_NOT_ALLOWED, Attempt

MAX_ANSWER = 96 * 1024  # bytes of an answer; after a longer one the connection is closed
EXCERPT = 1024  # bytes of the body that the history keeps
READ_ON = 2.0  # seconds for the rest of an answer whose status is known


class DeliveryClient(Protocol):
    """One endpoint's client.

    `shows_private`: whether what a receiver at a private address answers may be shown.
    """

    shows_private: bool

    async def post(self, url: str, fields: bytes, body: bytes, timeout: float) -> Attempt:
        """Make one attempt within `timeout` seconds; `fields` are the header lines of this attempt.

        Cancelled: the receiver may have received it.
        """

    def close(self) -> None:
        """Close idle connections."""


NewClient = Callable[[], DeliveryClient]


class _Connection(Connection):
    """`head`: the beginning of each request. `private`: nothing of the answers may be shown."""

    __slots__ = ("head", "private")

    def __init__(self, pool: "_Pool", wire: Wire, target: Target) -> None:
        super().__init__(pool, wire, Answer(MAX_ANSWER, EXCERPT), READ_ON)
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
        self.shows_private = False
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
            error = await connection.exchange(_request(connection, fields, body), deadline)
            answer = connection.answer
            if answer.status or answer.heard or error not in _UNHEARD:
                return self._make_attempt(connection, error, began)
        # There was no connection to reuse, or the receiver closed it before it sent any byte of an answer.
        # Then it may get the event twice.
        return await self._post_anew(pool, fields, body, began=began, deadline=deadline)

    def close(self) -> None:
        self._begin_pool("")

    def _begin_pool(self, url: str) -> _Pool:
        """A pool in place of the old one, whose connections are closed: the idle ones now, the others after
        their request.
        """
        self._pool.close()
        self._pool = _Pool(self._sweeper, url, self._guard.allow)
        return self._pool

    async def _post_anew(
        self, pool: _Pool, fields: bytes, body: bytes, *, began: float, deadline: float
    ) -> Attempt:
        """Make the attempt on a new connection."""
        try:
            with trio.fail_at(deadline):
                connection = await self._dial(pool, deadline)
        except UrlNotAllowed:
            error = URL_NOT_ALLOWED
        except NameNotResolved:
            error = NAME_NOT_RESOLVED
        except LocalTrouble:
            error = LOCAL_TROUBLE
        except DialFailed as failed:
            error = str(failed)
        except trio.TooSlowError:
            error = "connect_timeout"
        else:
            lost = await connection.exchange(_request(connection, fields, body), deadline)
            return self._make_attempt(connection, lost, began)
        await trio.lowlevel.checkpoint()  # some of these errors occur without one
        return Attempt(error=error, ms=round((trio.current_time() - began) * 1000))

    def _make_attempt(self, connection: _Connection, error: str | None, began: float) -> Attempt:
        """The attempt that an exchange was: a status, if the head of the answer was complete, or the error.

        From a private address only status and size are kept, unless the operator has declared the endpoint:
        deliveries must not be a way to read the operator's internal network.
        """
        answer, retry_after = connection.answer, None
        ms = round((connection.ended - began) * 1000)
        if not answer.status:
            return Attempt(error=LOST if error == UNSENT else error, ms=ms)
        if not 200 <= answer.status < 300:
            retry_after = parse_retry_after(Headers(answer.head).get("retry-after"), time.time())
        return Attempt(
            status=answer.status,
            retry_after=retry_after,
            ms=ms,
            response=None if connection.private and not self.shows_private else answer.body,
            response_size=answer.size,
        )

    async def _dial(self, pool: _Pool, deadline: float) -> _Connection:
        """A new connection. Raises the errors of the guard and of the backend."""
        target = await self._guard.target(pool.url)
        connection = _Connection(pool, await dial(self._backend, target, deadline), target)
        pool.add(connection)
        return connection


_UNHEARD = (LOST, UNSENT)


def _request(connection: _Connection, fields: bytes, body: bytes) -> bytes:
    return b"%b%bcontent-length: %d\r\n\r\n%b" % (connection.head, fields, len(body), body)


def _head(target: Target) -> bytes:
    """The request line and headers that are the same in every request to a target."""
    return (
        f"POST {target.path} HTTP/1.1\r\nhost: {target.authority}\r\nuser-agent: UnifyPort/{VERSION}\r\n"
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
