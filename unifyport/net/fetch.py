"""Fetches what a caller's URL names: a file to send, or a session to import.

No URL is trusted. The address guard checks it, and each redirect, before it is dialled; the addresses that
were checked are those that are dialled, and TLS verifies the name. The request carries no cookie and no
credential, and uses no environment variable.
"""

import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urljoin

import attrs
import httpx
import trio

from .clients import ConnectionLost, NotConnected, TooLarge, new_client, streamed
from .disposition import read_filename
from .guard import Address, AddressGuard, Target

REDIRECTS = 3
CONNECT_SECONDS = 5.0  # for one address
ADDRESSES = 4
_MOVED = frozenset({301, 302, 303, 307, 308})


class FetchRefused(Exception):
    """The answer is not the file; the text is a machine-readable reason."""


@attrs.frozen
class Fetched:
    """`filename`: as the server wrote it."""

    content_type: str
    length: int
    filename: str = ""


async def fetch(
    guard: AddressGuard,
    context: ssl.SSLContext,
    url: str,
    sink: Callable[[bytes], Awaitable[None]],
    *,
    limit: int,
    timeout: float,
    redirects: int = REDIRECTS,
) -> Fetched:
    """GET `url` into `sink` chunk by chunk, at most `limit` bytes in `timeout` seconds, redirects included.

    Raises `UrlNotAllowed`, `NameNotResolved`, `TooLarge`, `FetchRefused` (the status, or too many redirects),
    `NotConnected`, `ConnectionLost`. Their texts never hold the URL. Cancelled: the connection is closed.
    """
    with trio.move_on_after(timeout):
        for _ in range(redirects + 1):
            target = await guard.target(url)
            answer = await _get(target, context, sink, limit)
            if isinstance(answer, Fetched):
                return answer
            try:
                url = urljoin(url, answer)
            except ValueError:
                raise FetchRefused("bad_redirect") from None
        raise FetchRefused("too_many_redirects")
    raise ConnectionLost("timeout")


async def _get(
    target: Target, context: ssl.SSLContext, sink: Callable[[bytes], Awaitable[None]], limit: int
) -> Fetched | str:
    """The file, or the URL of a redirect, from the first address that answers."""
    addresses = target.addresses[:ADDRESSES]
    for place, address in enumerate(addresses, 1):
        try:
            return await _get_from(target, address, context, sink=sink, limit=limit)
        except NotConnected:
            if place == len(addresses):
                raise
    raise AssertionError("a target has an address")


async def _get_from(
    target: Target,
    address: Address,
    context: ssl.SSLContext,
    *,
    sink: Callable[[bytes], Awaitable[None]],
    limit: int,
) -> Fetched | str:
    literal = f"[{address}]" if address.version == 6 else str(address)
    async with new_client(context, connections=1) as client:
        request = client.build_request(
            "GET",
            f"{target.scheme}://{literal}:{target.port}{target.path}",
            headers={"host": target.authority},
            extensions={"sni_hostname": target.host},
            timeout=httpx.Timeout(None, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
        )
        async with streamed(client, request) as response:
            if response.status_code in _MOVED and "location" in response.headers:
                return str(response.headers["location"])
            if response.status_code != 200:
                raise FetchRefused(f"http_{response.status_code}")
            if response.headers.get("content-encoding", "identity") != "identity":
                raise FetchRefused("content_encoding")  # the request allowed none: this is not the file
            length = 0
            async for chunk in response.aiter_raw():
                length += len(chunk)
                if length > limit:
                    raise TooLarge
                await sink(chunk)
            named = response.headers.get("content-disposition", "")
            return Fetched(response.headers.get("content-type", ""), length, read_filename(named))
