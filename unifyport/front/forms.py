"""An incremental parser of `multipart/form-data` (RFC 7578) on werkzeug's decoder.

Bytes in, events out: `Part` (a part begins), bytes (of that part), `NEED_DATA`, `END`.
"""

import enum

import attrs
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder


class FormError(ValueError):
    """The bytes are not a form, or the form exceeds a limit."""


class Signal(enum.Enum):
    NEED_DATA = enum.auto()
    END = enum.auto()


NEED_DATA, END = Signal.NEED_DATA, Signal.END


@attrs.frozen
class Part:
    """The head of a part. `filename` is None for a field without a file; a missing type is empty."""

    filename: str | None
    content_type: str


class FormDecoder:
    """Call `receive` with bytes, then `next_event` until it returns `NEED_DATA` or `END`.

    At most `max_buffer` bytes are buffered. Both methods raise `FormError`.
    """

    def __init__(self, boundary: bytes, *, max_buffer: int, max_parts: int) -> None:
        self._decoder = MultipartDecoder(boundary, max_buffer, max_parts=max_parts)

    def receive(self, data: bytes, *, last: bool = False) -> None:
        try:
            self._decoder.receive_data(data)
            if last:
                self._decoder.receive_data(None)
        except (HTTPException, ValueError) as error:
            raise FormError(str(error)) from None

    def next_event(self) -> Part | bytes | Signal:
        try:
            event = self._decoder.next_event()
        except (HTTPException, ValueError) as error:
            raise FormError(str(error)) from None
        match event:
            case File(filename=filename):
                return Part(filename or "", event.headers.get("content-type", ""))
            case Field():
                return Part(None, event.headers.get("content-type", ""))
            case Data(data=data):
                return data or self.next_event()
            case Epilogue():
                return END
        return NEED_DATA


def parse_header(value: str) -> tuple[str, dict[str, str]]:
    """The value of a header such as Content-Type, and its parameters by name."""
    return parse_options_header(value)
