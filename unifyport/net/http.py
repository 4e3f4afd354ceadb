"""HTTP to platforms: one factory, the same limits for everybody.

A client trusts no environment variable (no proxy, no `.netrc`), follows no redirect, keeps at most four
connections (httpcore's pool is super-linear in their number) and shares one TLS context: a context of its
own would cost each account 0.9 MB and 20 ms.
"""

import functools
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import httpx
import trio

MAX_CONNECTIONS = 4
MAX_RESPONSE = 20 * 1024 * 1024


class NotConnected(Exception):
    """The request never left: no connection, no TLS, no slot in the pool."""


class ConnectionLost(Exception):
    """The request may have been received: reset, time-out or nonsense after it began to leave."""


@attrs.frozen
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes


@functools.lru_cache
def ssl_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """The shared context: the system's trust anchors, and the operator's beside them."""
    context = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


def new_client(context: ssl.SSLContext, *, connections: int = MAX_CONNECTIONS) -> httpx.AsyncClient:
    """A client for one account or one endpoint. Its owner closes it."""
    return httpx.AsyncClient(
        verify=context,
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # noqa: S113  every request has a deadline of its own in `request`
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        headers={"user-agent": "UnifyPort", "accept-encoding": "identity"},
    )


async def request(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    timeout: float,
    connect_timeout: float = 10.0,
    content: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    extensions: dict[str, Any] | None = None,
    max_body: int = MAX_RESPONSE,
) -> Response:
    """One request within `timeout` seconds in all, reading at most `max_body` bytes of the answer.

    Raises `NotConnected` or `ConnectionLost`; neither holds the URL, which may hold a token. Cancelled: the
    connection is closed, and the request may or may not have been received.
    """
    request_ = client.build_request(
        method,
        url,
        content=content,
        headers=headers,
        extensions=extensions,
        timeout=httpx.Timeout(None, connect=connect_timeout, pool=connect_timeout),
    )
    with trio.move_on_after(timeout):
        try:
            response = await client.send(request_, stream=True)
            try:
                body = bytearray()
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > max_body:
                        raise ConnectionLost("response_too_large")
                return Response(response.status_code, response.headers, bytes(body))
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise NotConnected(_slug(error)) from None
        except (httpx.TransportError, httpx.StreamError) as error:
            raise ConnectionLost(_slug(error)) from None
    raise ConnectionLost("timeout")


def _slug(error: Exception) -> str:
    """`ReadTimeout` -> `read_timeout`."""
    name = type(error).__name__
    return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).strip("_")
