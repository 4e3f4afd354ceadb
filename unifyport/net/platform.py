"""The HTTP of one account: calls by our own client, files by httpx.

httpx's client is made when it is needed first: most accounts never send or receive a file. A proxy that
speaks TLS is httpx's matter too.
"""

import ssl
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping

from unifyport.model.proxy import Proxy

from .calls import CallClient
from .clients import Client, NotConnected, Response, download, new_client, request
from .urls import NotAUrl, in_ascii


class PlatformClient:
    """At most `connections` are open for calls, and as many for files. Its owner closes it."""

    def __init__(self, context: ssl.SSLContext, *, connections: int, proxy: Proxy | None = None) -> None:
        self._context = context
        self._connections = connections
        self._proxy = proxy
        self._files: Client | None = None
        self._closed = False
        self._calls: CallClient | None = None
        if proxy is None or proxy.type != "https":
            self._calls = CallClient(context, connections=connections, proxy=proxy)

    async def aclose(self) -> None:
        self._closed = True
        if self._calls is not None:
            await self._calls.aclose()
        if self._files is not None:
            await self._files.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        timeout: float,
        content: bytes | AsyncIterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """See `clients.request`."""
        if self._calls is not None and (content is None or isinstance(content, bytes)) and method != "HEAD":
            return await self._calls.request(method, url, content=content, headers=headers, timeout=timeout)
        client = self._for_files()
        return await request(
            client, method, _in_ascii(url), content=content, headers=headers, timeout=timeout
        )

    async def download(
        self,
        url: str,
        sink: Callable[[bytes], Awaitable[None]],
        *,
        limit: int,
        timeout: float,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, int]:
        """See `clients.download`."""
        client = self._for_files()
        return await download(client, _in_ascii(url), sink, limit=limit, timeout=timeout, headers=headers)

    def _for_files(self) -> Client:
        if self._closed:
            raise NotConnected("closed")
        if self._files is None:
            self._files = new_client(self._context, connections=self._connections, proxy=self._proxy)
        return self._files


def _in_ascii(url: str) -> str:
    """httpx encodes a host, too, but does not map it before."""
    try:
        return in_ascii(url)
    except NotAUrl:
        raise NotConnected("unsupported_url") from None
