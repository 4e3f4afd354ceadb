"""The event log as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    id: the cursor after the event        event: its type        data: its body, one line of JSON

`event: gap` comes first if retention has taken events that the reader had not seen. An id without data says
where the reader is: at the start, and every 15 s while nothing is new, which also keeps intermediaries from
closing the connection. When the gateway stops, the stream ends, and that of a reader that takes nothing for
`STALLED_SECONDS`.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import cast

import attrs
import msgspec

from unifyport.gateway.events import EventUseCases, Followed, LogStep, Selection

from .cursors import Cursors
from .messages import Headers, Response

PURPOSE = "events"  # of the cursors
CONTENT_TYPE = "text/event-stream"
STALLED_SECONDS = 5.0  # in which a reader must take what it is sent
_GAP = b'{"reason":"cursor_expired"}'


@attrs.define
class EventStream:
    """What a reader asked for; `response` begins to answer."""

    events: EventUseCases
    cursors: Cursors
    selection: Selection
    position: int

    async def response(self, *, to_head: bool = False) -> Response:
        """From now on this reader counts, until the body of the response is closed. `to_head`: the body has
        no lines.

        Raises `UseCaseError` if too many readers follow the log already.
        """
        following = cast(AsyncGenerator[Followed, None], self.events.follow(self.selection, self.position))
        begin = await anext(following)
        if to_head:
            await following.aclose()
        headers = Headers((("content-type", CONTENT_TYPE), ("cache-control", "no-store")))
        headers.add("x-accel-buffering", "no")  # nginx
        lines = _Lines(None if to_head else begin, following, self._shown)
        return Response(200, headers, lines, write_seconds=STALLED_SECONDS)

    def _shown(self, followed: Followed) -> bytes:
        if (shared := followed.event) is not None:
            if not shared.line:
                cursor = self.cursors.write(PURPOSE, followed.position).encode()
                shared.line = _message(cursor, shared.event.type.encode(), shared.event.body)
            return shared.line
        cursor = self.cursors.write(PURPOSE, followed.position).encode()
        match followed.step:
            case LogStep.BEGIN:
                return b"retry: 1000\nid: %b\n\n" % cursor
            case LogStep.QUIET:
                return b": nothing new\nid: %b\n\n" % cursor
            case LogStep.GAP:
                return _message(cursor, b"gap", _GAP)
            case LogStep.EVENT:
                raise AssertionError("an event was not given")


class _Lines(AsyncIterator[bytes]):
    """The lines of a stream that has begun. No generator: one that is closed before its first step does not
    close what it holds.
    """

    def __init__(
        self,
        begin: Followed | None,
        following: AsyncGenerator[Followed, None],
        shown: Callable[[Followed], bytes],
    ) -> None:
        self._begin = begin
        self._following = following
        self._shown = shown

    async def __anext__(self) -> bytes:
        followed, self._begin = self._begin, None
        return self._shown(followed if followed is not None else await anext(self._following))

    async def aclose(self) -> None:
        await self._following.aclose()


def _message(cursor: bytes, event_type: bytes, body: bytes) -> bytes:
    if b"\n" in body or b"\r" in body:
        body = msgspec.json.encode(msgspec.json.decode(body))
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor, event_type, body)
