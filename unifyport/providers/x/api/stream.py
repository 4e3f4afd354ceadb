"""One connection to the activity stream: `GET /2/activity/stream` with the app's bearer token.

https://docs.x.com/x-api/activity/activity-stream. Silence of 20 s is the loss of the connection. After a gap
of at most five minutes `backfill_minutes` has X send again what it had for us; that belongs to some plans
only, and an app without it is refused: it then connects without.
"""

import contextlib
import math
from collections.abc import AsyncGenerator, AsyncIterator

import attrs
import httpx
import trio

from unifyport.net.clients import Client, ConnectionLost, NotConnected, Response, new_client, streamed
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError, Transient

from .errors import failure

PATH = "/2/activity/stream"
SILENCE_SECONDS = 20.0
OPEN_SECONDS = 20.0
BACKFILL_MINUTES = 5
_MAX_PROBLEM = 64 * 1024


class NotOpened(Exception):
    """The stream could not be opened, or broke. `network`: X did not refuse it."""

    def __init__(self, error: ChannelError, *, network: bool) -> None:
        super().__init__(error.reason)
        self.error = error
        self.network = network


@attrs.frozen
class Opening:
    """How to open the stream: by whose client, where, and with which token."""

    context: ConnectorContext
    backfill: bool

    def client(self) -> Client:
        return new_client(self.context.ssl_context, connections=1, proxy=self.context.proxy)

    def request(self, client: Client, minutes: int) -> httpx.Request:
        url = self.context.endpoints.api_url.rstrip("/") + PATH
        token = self.context.credentials["bearer_token"]
        return client.build_request(
            "GET",
            url + (f"?backfill_minutes={minutes}" if minutes else ""),
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(None, connect=OPEN_SECONDS, pool=OPEN_SECONDS),
        )


class Pieces:
    """What the stream sends, piece by piece."""

    def __init__(self, response: httpx.Response) -> None:
        self._pieces = response.aiter_raw()

    async def next(self) -> bytes:
        """Raises `NotOpened` when the connection is lost or silent."""
        with trio.move_on_after(SILENCE_SECONDS):
            piece = await anext(self._pieces, None)
            if piece is None:
                raise NotOpened(Transient("stream_ended"), network=True)
            return piece
        raise NotOpened(Transient("stream_silent"), network=True)

    async def aclose(self) -> None:
        if isinstance(self._pieces, AsyncGenerator):
            await self._pieces.aclose()


@contextlib.asynccontextmanager
async def opened(opening: Opening, minutes: int) -> AsyncIterator[Pieces]:
    """The stream, once X has accepted the request. `minutes` of backfill; 0: none.

    Raises `NotOpened`. Cancelled: the connection is closed.
    """
    client = opening.client()
    try:
        with trio.CancelScope(deadline=trio.current_time() + OPEN_SECONDS) as waiting:
            async with streamed(client, opening.request(client, minutes)) as response:
                if response.status_code != 200:
                    raise await _refusal(response)
                waiting.deadline = math.inf
                pieces = Pieces(response)
                try:
                    yield pieces
                finally:
                    with trio.CancelScope(shield=True):
                        await pieces.aclose()
                return
        raise NotOpened(Transient("stream_open_timeout"), network=True)
    except (NotConnected, ConnectionLost) as error:
        raise NotOpened(Transient(f"stream_{error}"), network=True) from None
    finally:
        with trio.CancelScope(shield=True):
            await client.aclose()


async def _refusal(response: httpx.Response) -> NotOpened:
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > _MAX_PROBLEM:
            break
    answer = Response(response.status_code, response.headers, bytes(body))
    error = failure(answer, app=True) or Transient("stream_not_opened")
    return NotOpened(error, network=False)
