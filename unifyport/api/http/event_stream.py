"""The event log as server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).

    id: the cursor after the event        event: its type        data: its body, one line of JSON

`event: gap` comes first when retention has taken events that the reader had not seen. An id without data says where
the reader is: at the start, and every 15 s when nothing is new, which also shows intermediaries that somebody is there. A
reader that is slow is behind, and nothing is kept for it in memory: each page is read from the log when the page before
it has been sent. When the gateway stops, the stream ends.
"""

from collections.abc import AsyncIterator

import attrs
import msgspec

from unifyport.fleet.doorbells import EVENTS_TOPIC
from unifyport.gateway.gateway import Gateway

from . import cursors
from .errors import ApiError, ErrorSpec
from .messages import Headers, Response

MOST_STREAMS = 64
PAGE = 100
PURPOSE = "events"  # of the cursors
COMMENT_SECONDS = 15.0
POLL_SECONDS = 1.0
CONTENT_TYPE = "text/event-stream"
TOO_MANY = ErrorSpec(503, "too_many_streams")


@attrs.frozen
class Selection:
    """Which events: kinds by their bits, of one account or of all."""

    mask: int
    account_no: int | None = None


@attrs.define
class EventStream:
    """What a reader asked for; `response` begins to answer."""

    gateway: Gateway
    selection: Selection
    position: int

    def response(self) -> Response:
        """Raises `ApiError` when too many follow the log already."""
        if self.gateway.streams >= MOST_STREAMS:
            raise ApiError(
                503, TOO_MANY.code, f"{MOST_STREAMS} readers follow the log already", retry_after=5
            )
        headers = Headers((("content-type", CONTENT_TYPE), ("cache-control", "no-store")))
        headers.add("x-accel-buffering", "no")  # nginx
        return Response(200, headers, self._lines())

    async def _lines(self) -> AsyncIterator[bytes]:
        gateway, store, position = self.gateway, self.gateway.store, self.position
        gateway.streams += 1
        try:
            yield b"retry: 1000\n" + self._place(position)
            if await store.purged(position):
                position = await store.oldest_position()
                yield self._message(position, "gap", b'{"reason":"cursor_expired"}')
            bell, quiet = gateway.bus.count(EVENTS_TOPIC), 0.0
            while not gateway.closing:
                newest = await store.newest_position()
                events = await store.events(
                    position, PAGE, mask=self.selection.mask, account_no=self.selection.account_no
                )
                for event in events:
                    position = event.seq
                    yield self._message(position, event.type, event.body)
                    quiet = 0.0
                if len(events) == PAGE:
                    continue
                position = max(position, newest)  # what was passed over is not looked at again
                heard = await gateway.bus.wait(EVENTS_TOPIC, bell, POLL_SECONDS)
                quiet += POLL_SECONDS if heard == bell else 0.0
                bell = heard
                if quiet >= COMMENT_SECONDS:
                    quiet = 0.0
                    yield b": nothing new\n" + self._place(position)
        finally:
            gateway.streams -= 1

    def _place(self, position: int) -> bytes:
        """Where the reader is, without an event: from there it goes on when the connection is lost."""
        return b"id: %b\n\n" % cursors.write(self.gateway.ring, PURPOSE, position).encode()

    def _message(self, position: int, event_type: str, body: bytes) -> bytes:
        cursor = cursors.write(self.gateway.ring, PURPOSE, position)
        data = (
            body
            if b"\n" not in body and b"\r" not in body
            else msgspec.json.encode(msgspec.json.decode(body))
        )
        return b"id: %b\nevent: %b\ndata: %b\n\n" % (cursor.encode(), event_type.encode(), data)
