"""`multipart/form-data` as it comes (RFC 7578): bytes in, parts and their bytes out, by werkzeug's decoder.

Part (a part begins)   bytes (of the part that has begun)   NEED_DATA   END
"""

import enum

import attrs
from werkzeug.exceptions import HTTPException
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder


class FormError(ValueError):
    """The bytes are no form, or one beyond the limits."""


class Signal(enum.Enum):
    NEED_DATA = enum.auto()
    END = enum.auto()


NEED_DATA, END = Signal.NEED_DATA, Signal.END


@attrs.frozen
class Part:
    """`filename` is None for a field that is no file. `content_type` as it stands, empty if there is none."""

    filename: str | None
    content_type: str


class FormDecoder:
    """`receive` what has come, then take `next_event` until it is `NEED_DATA` or `END`.

    At most `max_buffer` bytes are held. Both methods raise `FormError`.
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
    """A header such as Content-Type: its value, and its parameters by name."""
    return parse_options_header(value)
