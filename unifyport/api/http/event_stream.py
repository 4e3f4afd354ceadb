"""The event log as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    id: the cursor after the event        event: its type        data: its body, one line of JSON

`event: gap` comes first if retention has taken events that the reader had not seen. An id without data says
where the reader is: at the start, and every 15 s while nothing is new, which also keeps intermediaries from
closing the connection. When the gateway stops, the stream ends.
"""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import cast

import attrs
import msgspec

from unifyport.gateway.events import EventUseCases, Followed, LogStep, Selection

from .cursors import Cursors
from .messages import Headers, Response

PURPOSE = "events"  # of the cursors
CONTENT_TYPE = "text/event-stream"
_GAP = b'{"reason":"cursor_expired"}'


@attrs.define
class EventStream:
    """What a reader asked for; `response` begins to answer."""

    events: EventUseCases
    cursors: Cursors
    selection: Selection
    position: int

    def response(self) -> Response:
        """Raises `UseCaseError` if too many readers follow the log already."""
        self.events.require_room()
        headers = Headers((("content-type", CONTENT_TYPE), ("cache-control", "no-store")))
        headers.add("x-accel-buffering", "no")  # nginx
        return Response(200, headers, self._lines())

    async def _lines(self) -> AsyncIterator[bytes]:
        following = cast(AsyncGenerator[Followed, None], self.events.follow(self.selection, self.position))
        async with contextlib.aclosing(following) as steps:
            async for followed in steps:
                yield self._shown(followed)

    def _shown(self, followed: Followed) -> bytes:
        cursor = self.cursors.write(PURPOSE, followed.position).encode()
        match followed.step:
            case LogStep.BEGIN:
                return b"retry: 1000\nid: %b\n\n" % cursor
            case LogStep.QUIET:
                return b": nothing new\nid: %b\n\n" % cursor
            case LogStep.GAP:
                return _message(cursor, b"gap", _GAP)
            case LogStep.EVENT:
                assert followed.event is not None
                return _message(cursor, followed.event.type.encode(), followed.event.body)


def _message(cursor: bytes, event_type: bytes, body: bytes) -> bytes:
    if b"\n" in body or b"\r" in body:
        body = msgspec.json.encode(msgspec.json.decode(body))
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor, event_type, body)
