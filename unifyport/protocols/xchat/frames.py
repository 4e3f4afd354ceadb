"""What the chat socket carries: binary messages, each one Thrift structure `Frame`.

Field ids as in https://github.com/mautrix/twitter (`data/payload/thrift.go`), a client of the web
application.
"""

from typing import Annotated

from attrs import frozen

from unifyport.protocols import thrift
from unifyport.protocols.thrift import EMPTY, Unknown
from unifyport.protocols.xchat.encoding import MAX_EVENT
from unifyport.protocols.xchat.events import MessageEvent

MAX_FRAME = 4 * 1024 * 1024  # bytes
_LIMITS = thrift.Limits(bytes=MAX_FRAME, string=MAX_EVENT, depth=24, items=200_000)


@frozen
class KeepAlive:
    """Sent by a client every 30 seconds."""

    unknown: Unknown = EMPTY


@frozen
class PullMessages:
    """The server asks the client to fetch what is after `sequence_start`."""

    sequence_start: Annotated[str | None, 1] = None
    unknown: Unknown = EMPTY


@frozen
class Instruction:
    """A union: one of its fields, or one that is not known here."""

    pull_messages: Annotated[PullMessages | None, 1] = None
    keep_alive: Annotated[KeepAlive | None, 2] = None
    unknown: Unknown = EMPTY


@frozen
class EventBatch:
    message_events: Annotated[tuple[MessageEvent, ...] | None, 1] = None


@frozen
class Frame:
    """A union: one event, an instruction, or several events."""

    message_event: Annotated[MessageEvent | None, 1] = None
    instruction: Annotated[Instruction | None, 2] = None
    batch: Annotated[EventBatch | None, 3] = None
    unknown: Unknown = EMPTY

    @property
    def events(self) -> tuple[MessageEvent, ...]:
        """The events in it, in their order."""
        single = () if self.message_event is None else (self.message_event,)
        several = () if self.batch is None else self.batch.message_events or ()
        return single + several


KEEP_ALIVE = Frame(instruction=Instruction(keep_alive=KeepAlive()))


def decode_frame(data: bytes) -> Frame:
    """Raises `thrift.Malformed`, `thrift.TooLarge`."""
    return thrift.decode(Frame, data, thrift.Encoding.BINARY, limits=_LIMITS)


def encode_frame(frame: Frame) -> bytes:
    """Raises `thrift.NotEncodable`."""
    return thrift.encode(frame, thrift.Encoding.BINARY)
