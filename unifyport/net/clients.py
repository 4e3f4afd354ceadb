"""HTTP clients for platforms: one factory, with the same limits for all of them.

A client uses no environment variable (no proxy, no `.netrc`), follows no redirect and keeps at most four
connections, as httpcore's pool takes more than linear time in their number. All clients share one TLS
context: a separate one would cost each account 0.9 MB and 20 ms.
"""

import contextlib
import functools
import ssl
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio

from unifyport.model.proxy import Proxy

from .streams import new_transport

MAX_CONNECTIONS = 4
_PROXY_AUTHENTICATION_REQUIRED = 407
_NOTHING = httpx.ByteStream(b"")
MAX_RESPONSE = 20 * 1024 * 1024


class HttpFailure(Exception):
    """There is no answer. The text is a word; `cause` says more to the operator: `host: why`, or nothing."""

    def __init__(self, reason: str, cause: str = "") -> None:
        super().__init__(reason)
        self.cause = cause


class NotConnected(HttpFailure):
    """The request was not sent: no connection, no TLS, or no slot in the pool."""


class ConnectionLost(HttpFailure):
    """The request may have been received: a reset, time-out or invalid answer after sending began."""


class TooLarge(Exception):
    """An answer is longer than the caller's limit."""


@attrs.frozen
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def set_cookies(self) -> list[str]:
        """The values of `set-cookie`, one for each cookie."""
        if isinstance(self.headers, httpx.Headers):
            return self.headers.get_list("set-cookie")
        return self.headers["set-cookie"].split("\n") if "set-cookie" in self.headers else []


@functools.lru_cache
def ssl_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """The shared TLS context: the system's trust anchors, and those of the operator's `ca_file`.

    A certificate names its hosts in subjectAltName; the common name says nothing (RFC 9525, section 2).
    """
    context = httpx.create_ssl_context(trust_env=False)
    context.hostname_checks_common_name = False
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


class Client(httpx.AsyncClient):
    """A client for one account or one endpoint. Its owner closes it."""

    proxied = False


def new_client(
    context: ssl.SSLContext, *, connections: int = MAX_CONNECTIONS, proxy: Proxy | None = None
) -> Client:
    """A client; its owner closes it. With `proxy` all connections go through the proxy, never past it."""
    client = Client(
        trust_env=False,
        follow_redirects=False,
        timeout=None,
        headers={"user-agent": "UnifyPort", "accept-encoding": "identity"},
        transport=new_transport(
            verify=context,
            trust_env=False,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            proxy=None if proxy is None else _proxy(proxy, context),
        ),
    )
    client.proxied = proxy is not None
    return client


def _proxy(proxy: Proxy, context: ssl.SSLContext) -> httpx.Proxy:
    host = f"[{proxy.host}]" if ":" in proxy.host else proxy.host
    auth = (proxy.username, proxy.password) if proxy.username or proxy.password else None
    tls = context if proxy.type == "https" else None
    return httpx.Proxy(f"{proxy.type}://{host}:{proxy.port}", auth=auth, ssl_context=tls)


async def request(
    client: Client,
    method: str,
    url: str,
    *,
    timeout: float,
    connect_timeout: float = 10.0,
    content: bytes | AsyncIterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    extensions: dict[str, Any] | None = None,
    max_body: int = MAX_RESPONSE,
) -> Response:
    """Send one request and read its answer within `timeout` seconds, at most `max_body` bytes of body.

    Raises `NotConnected` or `ConnectionLost`; their texts never hold the URL, which may contain a token.
    Cancelled: the connection is closed, and the request may or may not have been received.
    """
    sending = client.build_request(
        method,
        url,
        content=content,
        headers=headers,
        extensions=extensions,
        timeout=httpx.Timeout(None, connect=connect_timeout, pool=connect_timeout),
    )
    with trio.move_on_after(timeout):
        async with streamed(client, sending) as response:
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > max_body:
                    raise ConnectionLost("response_too_large")
            return Response(response.status_code, response.headers, bytes(body))
    raise ConnectionLost("timeout")


async def download(
    client: Client,
    url: str,
    sink: Callable[[bytes], Awaitable[None]],
    *,
    limit: int,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    connect_timeout: float = 10.0,
) -> tuple[int, int]:
    """GET a file into `sink`, chunk by chunk. Returns status and length; only the body of a 200 is passed on.

    Raises `TooLarge` above `limit` bytes, `NotConnected`, `ConnectionLost`.
    """
    sending = client.build_request(
        "GET",
        url,
        headers=headers,
        timeout=httpx.Timeout(None, connect=connect_timeout, pool=connect_timeout),
    )
    with trio.move_on_after(timeout):
        async with streamed(client, sending) as response:
            if response.status_code != 200:
                return response.status_code, 0
            length = 0
            async for chunk in response.aiter_raw():
                length += len(chunk)
                if length > limit:
                    raise TooLarge
                await sink(chunk)
            return response.status_code, length
    raise ConnectionLost("timeout")


@contextlib.asynccontextmanager
async def streamed(client: Client, sending: httpx.Request) -> AsyncIterator[httpx.Response]:
    """The streamed answer to a request. Maps errors of httpx to `NotConnected` and `ConnectionLost`."""
    try:
        response = await client.send(sending, stream=True)
        try:
            if client.proxied and response.status_code == _PROXY_AUTHENTICATION_REQUIRED:
                raise NotConnected("proxy_error")  # the proxy answered a plain http request itself
            yield response
        finally:
            await response.aclose()
            response.stream = _NOTHING  # breaks the cycle of response and stream: no garbage collection
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
        reason = "proxy_error" if client.proxied else _slug(error)
        raise NotConnected(reason, _cause(client, sending, error)) from None
    except (httpx.TransportError, httpx.StreamError) as error:
        raise ConnectionLost(_slug(error), _cause(client, sending, error)) from None


def _cause(client: Client, sending: httpx.Request, error: Exception) -> str:
    """Where it failed, without the URL: that may hold a token, and the name of a proxy is a secret."""
    where = "the proxy" if client.proxied else sending.url.host
    return f"{where}: {_slug(error).replace('_', ' ')}"


def _slug(error: Exception) -> str:
    """`ReadTimeout` -> `read_timeout`."""
    name = type(error).__name__
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).strip("_")
