"""Apache Thrift without I/O: structures that are attrs classes, the binary and the compact encoding,
messages.

How structures are declared is told in `types`. Integers are exact to 64 bits. Bytes from outside are bounded
by `Limits`; whatever they are, a reader raises `Malformed` (or its subclass `TooLarge`) and nothing else.
"""

from unifyport.protocols.thrift.codec import Encoding, decode, encode, read
from unifyport.protocols.thrift.errors import Malformed, NotEncodable, ThriftError, TooLarge
from unifyport.protocols.thrift.messages import (
    ApplicationException,
    CallFailed,
    Head,
    MessageKind,
    decode_answer,
    encode_message,
    encoding_of,
    open_message,
)
from unifyport.protocols.thrift.types import EMPTY, I8, I16, I32, I64, LIMITS, Limits, Raw, Type, Unknown

__all__ = [
    "EMPTY",
    "I8",
    "I16",
    "I32",
    "I64",
    "LIMITS",
    "ApplicationException",
    "CallFailed",
    "Encoding",
    "Head",
    "Limits",
    "Malformed",
    "MessageKind",
    "NotEncodable",
    "Raw",
    "ThriftError",
    "TooLarge",
    "Type",
    "Unknown",
    "decode",
    "decode_answer",
    "encode",
    "encode_message",
    "encoding_of",
    "open_message",
    "read",
]
