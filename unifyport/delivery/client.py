"""The delivery client of one endpoint: HTTP/1.1 over kept connections, with one `Attempt` for each request.

It does not use an HTTP library for two reasons. Those for trio are slow: httpx costs a hundred times as much
per delivery. And a receiver is not trusted: the address guard checks the URL before each dial and only the
addresses that it checked are dialled, redirects are not followed, and every read has a limit. An attempt has
its connection to itself.

The result is a value, never an exception: the status of the answer, or the reason why there was none.
"""

import email.utils
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

import trio

from unifyport import __version__
from unifyport.net.answer import Answer, InvalidAnswer
from unifyport.net.guard import AddressGuard, NameNotResolved, Network, Target, UrlNotAllowed
from unifyport.net.sweeper import Sweeper
from unifyport.net.wire import Backend, DialFailed, LocalTrouble, Wire

from .verdict import LOCAL_TROUBLE, URL_NOT_ALLOWED, Attempt

CONNECT_SECONDS = 5.0  # at most for one address, if there are others
ADDRESSES = 4  # how many addresses of a name are tried
MAX_AGE = 300.0  # seconds that a connection is kept, because names get other addresses
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


class Connection:
    """A wire, the parser of its answers, and its times for the sweeper."""

    __slots__ = (
        *("_client", "_wire", "allow", "answer", "born", "deadline", "head", "idle_since", "private"),
        *("receive", "send", "stale", "swept", "url"),
    )

    def __init__(
        self,
        client: "HttpDeliveryClient",
        wire: Wire,
        *,
        url: str,
        target: Target,
        allow: tuple[Network, ...],
        now: float,
    ) -> None:
        self._client = client
        self._wire = wire
        self.send, self.receive, self.stale = wire.send, wire.receive, wire.stale
        self.answer = Answer()
        self.url = url
        self.head = _head(target)
        self.private = target.private
        self.allow = allow  # the permitted networks when it was dialled
        self.born = now
        self.idle_since = self.deadline = math.inf
        self.swept = False

    def sweep(self) -> None:
        self.swept = True
        self._wire.close()

    def retire(self) -> None:
        self._client.retire(self)

    def close(self) -> None:
        self._wire.close()


class HttpDeliveryClient:
    """See `DeliveryClient`. `sweeper` and `backend` are shared by all clients of a process."""

    def __init__(self, guard: AddressGuard, backend: Backend, sweeper: Sweeper) -> None:
        self._guard = guard
        self._backend = backend
        self._sweeper = sweeper
        self._idle: deque[Connection] = deque()  # by the start of idleness, oldest first

    async def post(self, url: str, fields: bytes, body: bytes, timeout: float) -> Attempt:
        began = trio.current_time()
        deadline = began + timeout
        attempt = None
        connection = self._reuse(url, began)
        if connection is not None:
            attempt = await self._exchange(connection, fields, body, deadline)
        if attempt is None:  # no connection to reuse, or the receiver had just closed it
            attempt = await self._post_anew(url, fields, body, deadline)
        attempt.ms = round((trio.current_time() - began) * 1000)
        return attempt

    async def _post_anew(self, url: str, fields: bytes, body: bytes, deadline: float) -> Attempt:
        """Make the attempt on a new connection."""
        try:
            with trio.fail_at(deadline):
                connection = await self._dial(url, deadline)
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
            attempt = await self._exchange(connection, fields, body, deadline, fresh=True)
            assert attempt is not None
            return attempt
        await trio.lowlevel.checkpoint()  # some of these errors occur without one
        return Attempt(error=error)

    def close(self) -> None:
        while self._idle:
            self._drop(self._idle.pop())

    def retire(self, connection: Connection) -> None:
        """Close an idle connection; the sweeper calls this."""
        self._idle.remove(connection)
        self._drop(connection)

    # -- connections -----------------------------------------------------------------------------------------

    def _reuse(self, url: str, now: float) -> Connection | None:
        """The last used idle connection that is still valid; those that are not are closed.

        It is not valid if the endpoint's URL or the permitted networks have changed.
        """
        while self._idle:
            connection = self._idle.pop()
            good = connection.url == url and connection.allow is self._guard.allow
            if good and now - connection.born < MAX_AGE and not connection.stale():
                return connection
            self._drop(connection)
        return None

    async def _dial(self, url: str, deadline: float) -> Connection:
        """Connect to the first address that answers. Each address gets a share of the time that is left.

        Raises the errors of the guard and of the backend; if no address answers, that of the preferred one.
        """
        allow = self._guard.allow
        target = await self._guard.target(url)
        addresses = target.addresses[:ADDRESSES]
        failed: DialFailed | None = None
        for place, address in enumerate(addresses):
            now, left = trio.current_time(), len(addresses) - place
            share = (deadline - now) / left
            try:
                with trio.fail_at(now + (share if left == 1 else min(share, CONNECT_SECONDS))):
                    wire = await self._backend.connect(target, address)
            except DialFailed as error:
                failed = failed or error
            except trio.TooSlowError:
                failed = failed or DialFailed("connect_timeout")
            else:
                now = trio.current_time()
                connection = Connection(self, wire, url=url, target=target, allow=allow, now=now)
                self._sweeper.add(connection)
                return connection
        assert failed is not None
        raise failed

    def _drop(self, connection: Connection) -> None:
        self._sweeper.remove(connection)
        connection.close()

    # -- one request -----------------------------------------------------------------------------------------

    async def _exchange(
        self, connection: Connection, fields: bytes, body: bytes, deadline: float, *, fresh: bool = False
    ) -> Attempt | None:
        """Send the request and read its answer.

        None: a kept connection was closed before any byte of an answer. The caller then sends the request
        again, so the receiver may get the event twice.
        """
        answer, receive, error = connection.answer, connection.receive, None
        answer.begin()
        connection.idle_since, connection.deadline = math.inf, deadline
        reusable = False
        try:
            try:
                await connection.send(
                    b"%b%bcontent-length: %d\r\n\r\n%b" % (connection.head, fields, len(body), body)
                )
            except OSError:
                error = _LOST  # the receiver may have answered before it closed: read on
            while not answer.enough:
                data = await receive()
                if not data:
                    error = _LOST
                    break
                known = answer.status
                answer.feed(data)
                if answer.status and not known and not answer.done:
                    connection.deadline = min(connection.deadline, trio.current_time() + READ_ON)
            reusable = error is None and answer.reusable
        except InvalidAnswer as invalid:
            error = str(invalid)
        except (OSError, trio.ClosedResourceError):
            error = _LOST
        finally:
            connection.deadline = math.inf
            if reusable:
                connection.idle_since = trio.current_time()
                self._idle.append(connection)
            else:
                self._drop(connection)
        if answer.status:
            return _make_attempt(connection)
        if connection.swept:
            return Attempt(error="timeout")
        if error == _LOST and not fresh and not answer.heard:
            return None
        return Attempt(error=error)


_LOST = "connection_lost"


def _make_attempt(connection: Connection) -> Attempt:
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
