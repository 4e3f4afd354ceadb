"""Quart under the dispatcher: the one file of the API that knows this framework.

Quart reads the body of a request, cancels the request's tasks when the caller goes away, and sends the
response. Its own router is not used: a hook before it answers every request, so that there is one router for
every server.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

import trio
from quart import Request as QuartRequest
from quart import Response as QuartResponse
from quart import request as current_request
from quart_trio import QuartTrio
from werkzeug.datastructures import Headers as QuartHeaders
from werkzeug.exceptions import RequestEntityTooLarge

from unifyport.front.exchange import AsgiApp, Exchange
from unifyport.model.ids import new_id

from .answers import answer_error
from .doors import Door
from .errors import internal_error
from .messages import BodyTooLong, BodyTooSlow, Dispatch, FilePart, Headers, Request, Response

log = logging.getLogger("unifyport.api")

Answer = Callable[[Door, Exchange], Awaitable[None]]
_DOOR = "unifyport.door"  # in the ASGI scope: the listener by which a request came


def quart_app(dispatch: Dispatch, *, max_body: int) -> Answer:
    """The application for requests that came by a door. `max_body`: the longest body of any route (bytes)."""
    app = QuartTrio(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = (
        max_body  # Quart holds no more of a body, whether it is asked for or not
    )
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.before_request
    async def answer() -> QuartResponse:
        # Quart's router finds no route. Its exception has a traceback, and so is in a cycle with the request.
        current_request.routing_exception = None
        return _to_quart(await dispatch(_from_quart(current_request)))

    @app.errorhandler(Exception)
    async def fail(error: Exception) -> QuartResponse:
        """Answer an error outside the dispatcher, which answers its own."""
        request_id = new_id("req")
        log.exception("request %s crashed", request_id, exc_info=error)
        return _to_quart(answer_error(internal_error("internal_error"), request_id, None))

    async def answer_by_quart(door: Door, exchange: Exchange) -> None:
        await exchange.run_asgi(cast(AsgiApp, app), {_DOOR: door})

    return answer_by_quart


def _from_quart(request: QuartRequest) -> Request:
    scope: Any = request.scope
    client = scope.get("client")
    return Request(
        request.method,
        scope["raw_path"].decode("latin-1"),
        scope[_DOOR],
        headers=Headers.from_wire(scope["headers"]),
        query=scope["query_string"],
        body=_Body(request),
        peer=client[0] if client else None,
    )


class _Body:
    def __init__(self, request: QuartRequest) -> None:
        self._request = request

    async def read(self, limit: int, seconds: float) -> bytes:
        length = self._request.content_length
        if length is not None and length > limit:
            raise BodyTooLong(limit)
        with trio.move_on_after(seconds):
            try:
                data: bytes = await self._request.body
            except RequestEntityTooLarge:
                raise BodyTooLong(limit) from None
            if len(data) > limit:
                raise BodyTooLong(limit)
            self._request.body.clear()
            return data
        raise BodyTooSlow


def _to_quart(response: Response) -> QuartResponse:
    body = response.body.chunks() if isinstance(response.body, FilePart) else response.body
    made = QuartResponse(body, response.status, QuartHeaders(list(response.headers)))
    if "content-type" not in response.headers:
        del made.headers["content-type"]  # Quart's own
    if not isinstance(body, bytes):
        made.timeout = None
    return made
