"""`POST /v1/media`: a file that will be sent, named by its `file_key` from then on.

It stands beside the API, as ingress does: a file is written to the disk as it comes, and the next piece is
read when this one is there. The body is `multipart/form-data` with one file, in a field of any name.
"""

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import attrs
import trio

from unifyport.files.outgoing import Sink, Upload
from unifyport.front.exchange import BodyTooSlow, Disconnected, Exchange
from unifyport.front.forms import END, FormDecoder, Part, parse_header
from unifyport.gateway import errors as codes
from unifyport.gateway.callers import Callers
from unifyport.gateway.errors import invalid
from unifyport.gateway.files import UploadUseCases
from unifyport.model.ids import new_id
from unifyport.model.times import rfc3339

from . import schemas
from .http import envelope
from .http.callers import admit
from .http.errors import (
    TOO_LARGE,
    TOO_SLOW,
    WRONG_MEDIA_TYPE,
    bad_request,
    error,
    fault,
    from_exception,
    internal_error,
)
from .http.messages import Headers, declared_length
from .http.routing import JSON, Call, Route

log = logging.getLogger("unifyport.uploads")

PATH = "/v1/media"
OPERATION = "uploadMedia"
FAILURE = "upload_media_failed"
FORM = "multipart/form-data"
UPLOAD_SECONDS = 1800.0
SILENCE_SECONDS = 30.0  # between two pieces of a body
MAX_PARTS = 16
AROUND_THE_FILE = 1024 * 1024  # bytes of a form that are not the file's
_QUOTA = error(codes.UPLOAD_QUOTA_EXCEEDED)
_GONE = 499  # the status of a request whose caller has gone, for the metrics


class UploadFront:
    def __init__(self, files: UploadUseCases, callers: Callers) -> None:
        self._files = files
        self._callers = callers

    async def answer(self, exchange: Exchange, *, owner: bool) -> int:
        """Answer one request; the status of the answer, or `_GONE`."""
        request_id, headers = new_id("req"), Headers.from_wire(exchange.fields)
        fields = {"content-type": JSON, "x-request-id": request_id}
        try:
            if not owner:
                await admit(self._callers, headers.get("x-api-key"))
            upload = await self._take(headers, exchange)
            status, content = 201, {"data": _shown(upload)}
        except Disconnected:
            return _GONE
        except Exception as failed:
            known = from_exception(failed, FAILURE)
            if known is None:
                log.exception("request %s crashed", request_id)
                known = internal_error(FAILURE)
            status, content = known.status, envelope.of_error(known)
            if (after := envelope.retry_after(known)) is not None:
                fields["retry-after"] = after
            fields["connection"] = "close"  # what is left of the body is not read
        client_id = envelope.client_request_id(headers.get("x-request-id"))
        body = envelope.encode(content, request_id, client_id)
        sent = [(name.encode(), value.encode()) for name, value in fields.items()]
        await exchange.respond(status, sent, body)
        return status

    async def _take(self, headers: Headers, exchange: Exchange) -> Upload:
        kind, options = parse_header(headers.get("content-type"))
        if kind.lower() != FORM or not options.get("boundary"):
            raise fault(WRONG_MEDIA_TYPE, f"send the file as Content-Type: {FORM}")
        limit = self._files.max_file
        if declared_length(headers.get("content-length")) > limit + AROUND_THE_FILE:
            raise fault(TOO_LARGE, f"a file may have at most {limit} bytes")
        form = _Form(options["boundary"], exchange, limit + AROUND_THE_FILE)
        try:
            with trio.move_on_after(UPLOAD_SECONDS):
                name, mime_type = await form.file()
                return await self._files.keep(name, mime_type, form.into)
            raise fault(TOO_SLOW, "the body did not come in time")
        except ValueError:
            raise bad_request(f"the body is not valid {FORM}") from None


class _Form:
    """A form as it comes: the first file's name and type, then its bytes. All other parts are skipped."""

    def __init__(self, boundary: str, exchange: Exchange, limit: int) -> None:
        self._decoder = FormDecoder(boundary.encode(), max_buffer=AROUND_THE_FILE, max_parts=MAX_PARTS)
        self._left = limit
        self._events = self._read(exchange)

    async def file(self) -> tuple[str, str]:
        """(name, media type). Raises `UseCaseError` if there is no file, `ValueError` for what is no form."""
        async for event in self._events:
            if isinstance(event, Part) and event.filename is not None:
                return event.filename, event.content_type
        raise invalid("file", "is required, as a part with a filename")

    async def into(self, sink: Sink) -> None:
        """The rest, to its end. Raises `UseCaseError` if there is a second file."""
        first = True
        async for event in self._events:
            if isinstance(event, bytes):
                if first:
                    await sink(event)
            elif event.filename is not None:
                raise invalid("file", "one at a time")
            else:
                first = False

    async def _read(self, exchange: Exchange) -> AsyncIterator[Part | bytes]:
        while (event := self._decoder.next_event()) is not END:
            if isinstance(event, Part | bytes):
                yield event
                continue
            piece = await _next_piece(exchange)
            self._left -= len(piece)
            if self._left < 0:
                raise fault(TOO_LARGE, "the body is too long")
            self._decoder.receive(piece, last=not piece)


async def _next_piece(exchange: Exchange) -> bytes:
    with trio.move_on_after(SILENCE_SECONDS), contextlib.suppress(BodyTooSlow):
        return await exchange.read()
    raise fault(TOO_SLOW, "the body did not come in time")


def _shown(upload: Upload) -> dict[str, Any]:
    shown = schemas.UploadedMedia(
        upload.key, upload.name, upload.mime_type, upload.size, rfc3339(upload.expires_at)
    )
    return attrs.asdict(shown)


async def _elsewhere(call: Call) -> None:
    """The route is in the table for the document only; `UploadFront` answers it."""
    raise AssertionError("uploads are not dispatched as JSON calls")


ROUTES = [
    Route(
        OPERATION,
        "POST",
        PATH,
        _elsewhere,
        "Messages",
        "Upload a file to be sent; its file_key goes into a message",
        FAILURE,
        schemas.UploadedMedia,
        dict,
        success=201,
        errors=(_QUOTA, TOO_SLOW),
        extension=True,
        consumes=FORM,
    ),
]
