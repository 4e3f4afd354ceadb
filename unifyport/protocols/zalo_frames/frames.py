"""Frames: one binary message of the WebSocket each.

    byte 0       version, 1
    bytes 1, 2   command, little-endian
    byte 3       sub-command
    from byte 4  JSON in UTF-8, or nothing

The server's first frame, 1/1/1, has the key of the connection's payloads. The client's frames are not
encrypted. A client keeps the connection alive by `PING`; the frames by which it asks for what it missed
(`OLD_…`) have a `req_id`.
"""

import binascii
import enum
import struct
from typing import Any, Final

import attrs
import msgspec

from .errors import ZaloProtocolError

VERSION: Final = 1
MAX_FRAME: Final = 8 * 1024 * 1024  # bytes
_HEADER: Final = struct.Struct("<BHB")


class Command(enum.IntEnum):
    KEY = 1  # sub-command 1: `{"key": ...}`
    PING = 2  # sub-command 1: `{"eventId": unix ms}`
    USER_MESSAGES = 501
    USER_RECEIPTS = 502
    OLD_USER_MESSAGES = 510  # sub-command 1, as all `OLD_…`: the request and its answer
    OLD_GROUP_MESSAGES = 511
    GROUP_MESSAGES = 521
    GROUP_RECEIPTS = 522
    CONTROLS = 601
    ACTIONS = 602
    OLD_USER_REACTIONS = 610
    OLD_GROUP_REACTIONS = 611
    REACTIONS = 612
    OTHER_CONNECTION = 3000  # another connection of this session was opened: this one is closed


@attrs.frozen
class Frame:
    """`command` may be one that `Command` does not have. `body`: JSON, empty where there is none."""

    command: int
    sub_command: int
    body: bytes = attrs.field(default=b"", repr=False)
    version: int = VERSION


class _Key(msgspec.Struct):
    key: str


def read_frame(message: bytes, *, limit: int = MAX_FRAME) -> Frame:
    """A message of the WebSocket. Its JSON is not looked at. Raises `ZaloProtocolError`."""
    if len(message) < _HEADER.size:
        raise ZaloProtocolError("short_frame")
    if len(message) > limit:
        raise ZaloProtocolError("large_frame")
    version, command, sub_command = _HEADER.unpack_from(message)
    return Frame(command, sub_command, bytes(message[_HEADER.size :]), version)


def write_frame(frame: Frame) -> bytes:
    """Raises `ZaloProtocolError` for a frame that `read_frame` would refuse, or whose numbers do not fit."""
    if len(frame.body) > MAX_FRAME - _HEADER.size:
        raise ZaloProtocolError("large_frame")
    try:
        return _HEADER.pack(frame.version, frame.command, frame.sub_command) + frame.body
    except struct.error:
        raise ZaloProtocolError("header") from None


def json_frame(command: int, sub_command: int, body: dict[str, Any]) -> bytes:
    return write_frame(Frame(command, sub_command, msgspec.json.encode(body)))


def key_frame(key: bytes) -> bytes:
    """The server's first frame. `key`: 16, 24 or 32 bytes."""
    return json_frame(Command.KEY, 1, {"key": binascii.b2a_base64(key, newline=False).decode()})


def key_of(frame: Frame) -> bytes | None:
    """The key of the connection's payloads; None: the frame has none. Raises `ZaloProtocolError`."""
    if (frame.version, frame.command, frame.sub_command) != (VERSION, Command.KEY, 1):
        return None
    try:
        key = binascii.a2b_base64(msgspec.json.decode(frame.body, type=_Key).key, strict_mode=True)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ValueError):
        raise ZaloProtocolError("key_frame") from None
    if len(key) not in (16, 24, 32):
        raise ZaloProtocolError("key_size")
    return key


def ping_frame(now_ms: int) -> bytes:
    return json_frame(Command.PING, 1, {"eventId": now_ms})


def old_frame(command: Command, last_id: str | None, request: int) -> bytes:
    """Ask for what came after the message `last_id`; None: for the newest. `request`: a number of its own."""
    body: dict[str, Any] = {"first": True, "lastId": last_id, "preIds": [], "req_id": f"req_{request}"}
    return json_frame(command, 1, body)
