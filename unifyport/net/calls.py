"""The HTTP client for calls to a platform: small requests and answers, many of them, on kept connections.

Uploads, downloads and proxies that speak TLS are httpx's (`clients.py`). As there, no environment variable is
used, no redirect followed, no cookie kept and no compression asked for. Of each call that fails it says
whether the platform may have received it (`ConnectionLost`) or has not (`NotConnected`).

A client belongs to one account, and its connections and TLS sessions are shared with no other: neither a
platform nor a proxy can connect two accounts by them.
"""

import ssl
from collections.abc import Mapping

import attrs
import trio

from supervisors.turnstile import Turnstile, turnstile
from unifyport.model.proxy import Proxy

from .answer import MAX_HEAD, Answer, Headers
from .clients import MAX_RESPONSE, ConnectionLost, NotConnected, Response
from .connection import LOST, TIMEOUT, UNSENT, Connection, dial
from .guard import NameNotResolved, Resolve, Target
from .pool import Pool
from .proxies import ThroughProxy, forwards
from .requests import NotARequest, Requests
from .shared import shared
from .sockets import Sockets
from .sweeper import Sweeper
from .urls import Location, NotAUrl, locate, read_address
from .wire import Backend, DialFailed, LocalTrouble, Wire

CONNECT_SECONDS = 10.0  # for a place among the connections, the look-up, and all dials of one call
MAX_PLACES = 64  # URLs that are remembered; then they are read anew
_SWITCHING_PROTOCOLS, _PROXY_AUTHENTICATION_REQUIRED = 101, 407

_Origin = tuple[str, str, int]


class _Queued:
    """A wire whose readers pass the turnstile, see `streams.py`."""

    __slots__ = ("_receive", "_turnstile", "close", "send", "stale")

    def __init__(self, wire: Wire, queue: Turnstile) -> None:
        self.send, self.stale, self.close = wire.send, wire.stale, wire.close
        self._receive = wire.receive
        self._turnstile = queue

    async def receive(self) -> bytes:
        data = await self._receive()
        await self._turnstile.enter()
        return data


@attrs.frozen
class _Place:
    """What a URL means to a client."""

    location: Location
    requests: Requests
    pool: Pool[Connection]


class CallClient:
    """One account's client, which its owner closes. At most `connections` are open, and calls made at a time.

    `proxy`: `http` or `socks5`; all connections go through it, never past it. `backend`, `resolve` and
    `sweeper` are arguments for tests.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        connections: int,
        proxy: Proxy | None = None,
        backend: Backend | None = None,
        resolve: Resolve | None = None,
        sweeper: Sweeper | None = None,
    ) -> None:
        sockets = Sockets(context, resume=False)
        self._backend = backend or (sockets if proxy is None else ThroughProxy(sockets, proxy))
        self._connections = connections
        self._proxy = proxy
        self._resolve = resolve
        self._sweeper = sweeper
        self._pools: dict[_Origin, Pool[Connection]] = {}
        self._places: dict[str, _Place] = {}
        self._in_progress = 0
        self._waiting = trio.lowlevel.ParkingLot()
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        connect_timeout: float = CONNECT_SECONDS,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        max_body: int = MAX_RESPONSE,
    ) -> Response:
        """Send one request and read its answer within `timeout` seconds, at most `max_body` bytes of body.

        `method`: any but HEAD and CONNECT. Raises `NotConnected` or `ConnectionLost`; their texts never hold
        the URL, which may contain a token. Cancelled: the connection is closed, and the request may or may
        not have been received.
        """
        now = trio.current_time()
        deadline = now + timeout
        connect_by = now + min(timeout, connect_timeout)
        place = self._places.get(url) or self._place(url)
        try:
            request = place.requests.write(method, content, headers or {})
        except NotARequest:
            raise NotConnected("local_protocol_error") from None
        if self._in_progress < self._connections:
            self._in_progress += 1
        else:
            await self._wait(connect_by)
        try:
            return await self._send(place, request, max_body, deadline=deadline, connect_by=connect_by)
        finally:
            if self._waiting:
                self._waiting.unpark()  # which takes over this place
            else:
                self._in_progress -= 1

    async def aclose(self) -> None:
        """Close the idle connections now, and those in use when their call has ended."""
        self._closed = True
        self._forget()
        await trio.lowlevel.cancel_shielded_checkpoint()

    def _forget(self) -> None:
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()
        self._places.clear()

    def _place(self, url: str) -> _Place:
        try:
            location = locate(url)
        except NotAUrl:
            raise NotConnected("unsupported_url") from None
        if len(self._places) >= MAX_PLACES:
            self._places.clear()
        origin = location.scheme, location.host, location.port
        if origin not in self._pools:
            if len(self._pools) >= self._connections:
                self._forget()
            self._pools[origin] = Pool(self._sweeper or shared().sweeper)
        forwarded = self._proxy is not None and forwards(self._proxy, location.scheme)
        requests = Requests(location, self._proxy if forwarded else None)
        self._places[url] = place = _Place(location, requests, self._pools[origin])
        return place

    async def _wait(self, until: float) -> None:
        with trio.move_on_at(until):
            await self._waiting.park()
            return
        raise NotConnected("pool_timeout")

    # -- one call --------------------------------------------------------------------------------------------

    async def _send(
        self, place: _Place, request: bytes, max_body: int, *, deadline: float, connect_by: float
    ) -> Response:
        if self._closed:
            raise NotConnected("closed")
        connection = place.pool.take(trio.current_time()) or await self._open(place, connect_by)
        while True:
            kept, answer = not connection.fresh, connection.answer
            answer.most, answer.keep = MAX_HEAD + max_body, max_body
            error = await connection.exchange(request, deadline)
            if answer.done:
                return self._response(answer, max_body)
            if error is None and answer.heard > answer.most:
                raise ConnectionLost("response_too_large")
            if error is not UNSENT:
                reason = _REASONS.get(error, "remote_protocol_error")
                raise ConnectionLost(
                    reason, f"{place.location.host}: {_CAUSES.get(error, 'its answer is not HTTP')}"
                )
            if not kept:
                raise self._not_connected("write_error", place.location, "the connection was closed")
            connection = await self._open(place, connect_by)  # the platform has nothing of the request

    def _response(self, answer: Answer, max_body: int) -> Response:
        status = answer.status
        if answer.size > max_body:
            raise ConnectionLost("response_too_large")
        if status == _SWITCHING_PROTOCOLS:  # the request asked for no other protocol
            raise ConnectionLost("remote_protocol_error")
        if self._proxy is not None and status == _PROXY_AUTHENTICATION_REQUIRED:
            raise NotConnected("proxy_error")  # the proxy answered a plain http request itself
        return Response(status, Headers(answer.head), answer.body)

    async def _open(self, place: _Place, connect_by: float) -> Connection:
        """A new connection. The longest idle ones of other origins make room for it."""
        idle = [pool for pool in self._pools.values() if pool.idle]
        while idle and self._in_progress + sum(pool.idle for pool in idle) > self._connections:
            idle[0].retire_oldest()
            idle = [pool for pool in idle if pool.idle]
        try:
            with trio.fail_at(connect_by):
                wire = await dial(self._backend, await self._target(place.location), connect_by)
        except (DialFailed, LocalTrouble, NameNotResolved) as error:
            why = "name_not_resolved" if isinstance(error, NameNotResolved) else str(error)
            reason = "connect_timeout" if why == "connect_timeout" else "connect_error"
            raise self._not_connected(reason, place.location, why) from None
        except trio.TooSlowError:
            raise self._not_connected("connect_timeout", place.location, "connect_timeout") from None
        connection = Connection(place.pool, _Queued(wire, turnstile()), Answer(0, 0))
        place.pool.add(connection)
        return connection

    async def _target(self, at: Location) -> Target:
        """The location with the addresses to dial: its own or, with a proxy, the proxy's."""
        host = at.host if self._proxy is None else self._proxy.host.strip("[]")
        literal = read_address(host)
        resolve = self._resolve or shared().resolver
        addresses = [literal] if literal is not None else await resolve(host)
        if not addresses:
            raise NameNotResolved(host)
        return Target(at.scheme, at.host, at.port, tuple(addresses), path="", private=False)

    def _not_connected(self, reason: str, at: Location, why: str) -> NotConnected:
        """`why`: the cause, for the operator. The name of a proxy is a secret."""
        where = at.host if self._proxy is None else "the proxy"
        return NotConnected(
            reason if self._proxy is None else "proxy_error", f"{where}: {why.replace('_', ' ')}"
        )


_REASONS: dict[str | None, str] = {LOST: "read_error", TIMEOUT: "timeout"}
_CAUSES: dict[str | None, str] = {
    LOST: "the connection was lost before the answer",
    TIMEOUT: "no answer in time",
}
