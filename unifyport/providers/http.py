"""What every connector over HTTP needs: errors of the transport as failure classes, JSON answers, downloads,
forms, and lists that come in pages.

`HttpApi` is the HTTP client of one connector. What only the platform can say stays in its connector: how an
answer refuses a request (`errors.py` beside it), and what an answer contains.
"""

import contextlib
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import Any, Protocol, TypeVar

import msgspec
import trio

from unifyport.model.json_text import UNREADABLE, decode_text
from unifyport.model.message import OutboundMedia, OutboundMessage
from unifyport.net.bodies import FileBody, FormFile, Multipart
from unifyport.net.clients import ConnectionLost, NotConnected, Response, TooLarge
from unifyport.net.platform import PlatformClient
from unifyport.net.urls import NotAUrl, locate

from .contract.base import OTHER_CALLS, ConnectorContext
from .contract.capabilities import Sink
from .contract.errors import ChannelError, Rejected, Transient

CALL_SECONDS = 20.0
UPLOAD_SECONDS = 120.0  # the command's own deadline is shorter
DOWNLOAD_SECONDS = 120.0
MAX_PAGES = 100
LONG = 256 * 1024  # bytes of an answer that is decoded beside the event loop

T = TypeVar("T")
# The failure class of an answer that refuses the request; None for an answer that grants it.
Refusal = Callable[[Response], ChannelError | None]


class Tokens(Protocol):
    """Access tokens that are renewed, such as `oauth.OAuthTokens`."""

    async def current(self) -> str:
        """A token that has not expired. Raises a failure class without `maybe_applied`."""

    async def renew(self, refused: str) -> str:
        """Another token than `refused`, to which the platform has answered 401. Otherwise as `current`."""


class HttpApi:
    """The HTTP client of one connector, which closes it.

    It has `parallel_sends` + `OTHER_CALLS` connections, all through the account's proxy if there is one.
    `headers` go with every request. With `tokens` a request carries a bearer token (RFC 6750); after a 401,
    which says that nothing was applied, it is repeated once with another token. A request with
    `authorized=False` has neither: for a URL that the platform gave and that leads outside the configured
    origins (`origin_of`).
    """

    def __init__(
        self, context: ConnectorContext, *, parallel_sends: int, headers: Mapping[str, str] | None = None
    ) -> None:
        self.tokens: Tokens | None = None
        self.secrets = context.secrets
        self._headers = dict(headers or {})
        self._client = PlatformClient(
            context.ssl_context, connections=parallel_sends + OTHER_CALLS, proxy=context.proxy
        )

    async def aclose(self) -> None:
        self.tokens = None  # breaks the cycle of client and tokens: no garbage collection
        await self._client.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        body: bytes | FileBody | Multipart | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = CALL_SECONDS,
        authorized: bool = True,
    ) -> Response:
        """Send one request and return its answer, whatever its status.

        `json` is encoded; `body` is sent as it is, with its own headers if it is a file or a form. Raises
        `Transient`, with `maybe_applied` if the request may have been received. Cancelled: as then.
        """
        sent = {**(self._headers if authorized else {}), **(headers or {})}
        if json is not None:
            body, sent["content-type"] = msgspec.json.encode(json), "application/json"
        elif isinstance(body, FileBody | Multipart):
            sent |= body.headers

        async def send(more: Mapping[str, str]) -> Response:
            try:
                return await self._client.request(
                    method, url, content=body, headers={**sent, **more}, timeout=timeout
                )
            except NotConnected as error:
                raise Transient(str(error), cause=error.cause) from None
            except ConnectionLost as error:
                raise Transient(str(error), maybe_applied=True, cause=error.cause) from None

        return await self._send(send, lambda answer: answer.status, authorized)

    async def call(
        self, method: str, url: str, shape: Any, *, refused: Refusal | None = None, **options: Any
    ) -> Any:
        """The answer of `request`, decoded as `shape`. Raises what `refused` makes of it (otherwise
        `refuse_status`).
        """
        answer = await self.request(method, url, **options)
        if (failure := (refused or refuse_status)(answer)) is not None:
            raise failure
        return decode(answer.body, shape)

    async def download(
        self,
        url: str,
        sink: Sink,
        *,
        limit: int,
        size: int = 0,
        sha256: str = "",
        headers: Mapping[str, str] | None = None,
        gone: Collection[int] = (404, 410),
        authorized: bool = True,
    ) -> int:
        """Stream a file of at most `limit` bytes into `sink`; returns its length.

        `size` in bytes and `sha256` in hex are what the platform says of the file; 0 and "": nothing. Raises
        `Rejected` (`too_large`, or `media_not_found` for a status in `gone`) or `Transient` (`media_damaged`
        if size or digest differ, after all bytes went into `sink`). What `sink` raises passes through.
        """
        if size > limit:
            raise Rejected("too_large")
        digest = hashlib.sha256()

        async def hashing(chunk: bytes) -> None:
            digest.update(chunk)
            await sink(chunk)

        async def fetch(more: Mapping[str, str]) -> tuple[int, int]:
            sent = {**(self._headers if authorized else {}), **(headers or {}), **more}
            try:
                return await self._client.download(
                    url,
                    hashing if sha256 else sink,
                    limit=limit,
                    timeout=DOWNLOAD_SECONDS,
                    headers=sent,
                )
            except (NotConnected, ConnectionLost) as error:
                raise Transient(str(error), cause=error.cause) from None

        try:
            status, length = await self._send(fetch, lambda answer: answer[0], authorized)
        except TooLarge:
            raise Rejected("too_large") from None
        if status in gone:
            raise Rejected("media_not_found")
        if status != 200:
            raise Transient(f"media_http_{status}")
        if (size and length != size) or (
            sha256 and not hmac.compare_digest(sha256.lower().encode(), digest.hexdigest().encode())
        ):
            raise Transient("media_damaged")
        return length

    async def _send(
        self, send: Callable[[Mapping[str, str]], Awaitable[T]], status: Callable[[T], int], authorized: bool
    ) -> T:
        """What `send` returns with the headers of a token; after a 401 once more, with another token."""
        if self.tokens is None or not authorized:
            return await send({})
        token = await self.tokens.current()
        answer = await send({"authorization": f"Bearer {token}"})
        if status(answer) != 401:
            return answer
        token = await self.tokens.renew(token)
        return await send({"authorization": f"Bearer {token}"})


def refuse_status(answer: Response) -> ChannelError | None:
    """The plainest `Refusal`: 2xx grants; 5xx may have been applied, any other status was not."""
    if 200 <= answer.status < 300:
        return None
    return Transient(f"http_{answer.status}", maybe_applied=answer.status >= 500)


async def decode_answer(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """`decode_text`, of a long answer beside the event loop. Raises `UNREADABLE`."""
    if len(body) <= LONG:
        return decode_text(body, decoder)
    return await trio.to_thread.run_sync(decode_text, body, decoder)


async def decode_long(body: bytes | msgspec.Raw, shape: Any) -> Any:
    """`decode`, of a long body beside the event loop."""
    if len(body) <= LONG:
        return decode(body, shape)
    return await trio.to_thread.run_sync(decode, body, shape)


def decode(body: bytes | msgspec.Raw, shape: Any) -> Any:
    """JSON as `shape`. An answer that cannot be read does not say whether the request was applied: raises
    `Transient` with `maybe_applied`.
    """
    try:
        return decode_text(body, msgspec.json.Decoder(shape))
    except UNREADABLE:
        raise Transient("malformed_answer", maybe_applied=True) from None


def new_form(message: OutboundMedia, fields: Mapping[str, str], name: str) -> Multipart:
    """A form with the file of a message in the field `name`."""
    filename = message.name or message.type
    return Multipart(fields, FormFile(name, message.path, filename, message.mime_type, message.size))


def form_with_files(message: OutboundMessage, fields: Mapping[str, str]) -> Multipart:
    """A form with all `files` of a message."""
    files = message.files.items()
    return Multipart(
        fields, *(FormFile(part, f.path, f.name or part, f.mime_type, f.size) for part, f in files)
    )


@contextlib.contextmanager
def nothing_applied() -> Iterator[None]:
    """For look-ups, uploads and whatever else changes nothing that a caller would see: a `Transient` leaves
    without `maybe_applied`.
    """
    try:
        yield
    except Transient as error:
        if not error.maybe_applied:
            raise
        raise Transient(error.reason, cause=error.cause) from None


async def collect_pages(
    fetch: Callable[[str | None], Awaitable[tuple[list[T], str | None]]], *, pages: int = MAX_PAGES
) -> list[T]:
    """All items of a list that the platform gives in pages.

    `fetch(after)` returns the items of a page and the cursor of the next one; None or "": there is no next
    one. Raises `Transient`: `endless_list` above `pages` pages or if a cursor repeats, as a part of a list
    must not be taken for the whole.
    """
    items: list[T] = []
    after: str | None = None
    used: set[str] = set()
    while True:
        page, following = await fetch(after)
        items += page
        if not following:
            return items
        if following in used or len(used) + 1 >= pages:
            raise Transient("endless_list")
        used.add(following)
        after = following


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port, to compare: credentials go only to origins that are configured."""
    try:
        location = locate(url)
    except NotAUrl:
        return "", None, None
    return location.scheme, location.host, location.port
