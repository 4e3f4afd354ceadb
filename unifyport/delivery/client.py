"""One attempt: POST a body to an endpoint. The seam behind which the delivery client can change.

What comes back is an observation, never an exception: an answer's status, or why there was none.
"""

import email.utils
import ssl
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import trio

from unifyport.net.guard import AddressGuard, NameNotResolved, UrlNotAllowed
from unifyport.net.http import ConnectionLost, NotConnected, new_client, request

from .verdict import URL_NOT_ALLOWED, Attempt

MAX_ANSWER = 64 * 1024  # read and thrown away, so that the connection can be used again


class DeliveryClient(Protocol):
    """One endpoint's client."""

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Attempt:
        """One attempt within `timeout` seconds. Cancelled: the receiver may have got it."""

    async def aclose(self) -> None: ...


NewClient = Callable[[], DeliveryClient]


class HttpxDeliveryClient:
    """On httpx, dialling the address that the guard has checked; the URL's host stays in SNI and Host."""

    def __init__(self, guard: AddressGuard, context: ssl.SSLContext, connections: int = 16) -> None:
        self._guard = guard
        self._client = new_client(context, connections=connections)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Attempt:
        began = trio.current_time()
        status, error, retry_after = None, None, None
        try:
            with trio.fail_after(timeout):
                target = await self._guard.target(url)
                literal = f"[{target.address}]" if target.address.version == 6 else str(target.address)
                response = await request(
                    self._client,
                    "POST",
                    f"{target.scheme}://{literal}:{target.port}{target.path}",
                    timeout=timeout,
                    content=body,
                    headers={"host": _host_header(target.host, target.port, target.scheme), **headers},
                    extensions={"sni_hostname": target.host},
                    max_body=MAX_ANSWER,
                )
            status = response.status
            retry_after = parse_retry_after(response.headers.get("retry-after"), time.time())
        except UrlNotAllowed:
            error = URL_NOT_ALLOWED
        except NameNotResolved:
            error = "name_not_resolved"
        except trio.TooSlowError:
            error = "timeout"
        except NotConnected as lost:
            error = str(lost)
        except ConnectionLost as lost:
            error = str(lost)
        return Attempt(status, error, retry_after, round((trio.current_time() - began) * 1000))

    async def aclose(self) -> None:
        await self._client.aclose()


def _host_header(host: str, port: int, scheme: str) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == {"http": 80, "https": 443}[scheme] else f"{name}:{port}"


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds from a `Retry-After` of seconds or an HTTP date; None when there is none that can be read."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError):
        return None
