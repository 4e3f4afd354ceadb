"""XChat's structures without I/O: events and what is in them, in the binary encoding of Thrift, as base64.

Bytes from outside are bounded; whatever they are, a reader raises `thrift.Malformed` and nothing else. Fields
that are not declared are kept where a structure is written again, else skipped.
"""

from unifyport.protocols.xchat.encoding import MAX_EVENT, decode64, encode64
from unifyport.protocols.xchat.events import (
    ConversationDelete,
    Failure,
    KeyChange,
    MessageCreate,
    MessageDelete,
    MessageEvent,
    MessageEventDetail,
    MessageEventSignature,
    ParticipantKey,
    ReadMark,
    decode_event,
    encode_event,
)
from unifyport.protocols.xchat.frames import (
    KEEP_ALIVE,
    MAX_FRAME,
    EventBatch,
    Frame,
    Instruction,
    KeepAlive,
    PullMessages,
    decode_frame,
    encode_frame,
)

__all__ = [
    "KEEP_ALIVE",
    "MAX_EVENT",
    "MAX_FRAME",
    "ConversationDelete",
    "EventBatch",
    "Failure",
    "Frame",
    "Instruction",
    "KeepAlive",
    "KeyChange",
    "MessageCreate",
    "MessageDelete",
    "MessageEvent",
    "MessageEventDetail",
    "MessageEventSignature",
    "ParticipantKey",
    "PullMessages",
    "ReadMark",
    "decode64",
    "decode_event",
    "decode_frame",
    "encode64",
    "encode_event",
    "encode_frame",
]
