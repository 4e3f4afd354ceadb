"""Sessions that other programs have exported -> data centre and key.

Hostile input: nothing else in it is used.

    format                        what it is
    --------------------------    ---------------------------------------------------------------------
    Telethon's string             `1` and base64url of dc (1), address (4 or 16), port (2), key (256)
    Pyrogram's string             base64url of dc (1), api_id (4), test mode (1), key (256), user (8),
                                  is bot (1); before 2.0 without api_id, and the user had 4 bytes
    Telethon's `.session` file    an SQLite database with a table `sessions`, or base64 of it

https://github.com/LonamiWebs/Telethon (`sessions/string.py`, `sessions/sqlite.py`),
https://github.com/pyrogram/pyrogram (`storage/storage.py`).
"""

import base64
import binascii
import ipaddress
import sqlite3
import struct
from typing import Final

import attrs

MAX_FILE: Final = 1 << 20  # bytes
_SQLITE: Final = b"SQLite format 3\0"
_KEY_SIZE: Final = 256
_MAX_STEPS: Final = 100_000  # instructions of SQLite's machine
_TELETHON: Final = {352: struct.Struct(">B4sH256s"), 368: struct.Struct(">B16sH256s")}
_PYROGRAM: Final = {
    271: struct.Struct(">BI?256sQ?"),
    267: struct.Struct(">B?256sQ?"),
    263: struct.Struct(">B?256sI?"),
}
_READS: Final = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}


class NotASession(ValueError):
    """The text says what is wrong, without quoting what was given."""


@attrs.frozen
class Exported:
    dc: int
    key: bytes = attrs.field(repr=False)


def read_exported(data: bytes) -> Exported:
    """Raises `NotASession`."""
    if len(data) > MAX_FILE:
        raise NotASession("the session is too large")
    if data.startswith(_SQLITE):
        return _checked(*_read_file(data))
    try:
        text = data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise NotASession("the session has no known format") from None
    if text.startswith("1") and len(text) - 1 in _TELETHON:
        dc, _, _, key = _TELETHON[len(text) - 1].unpack(_decode(text[1:]))
        return _checked(dc, key)
    raw = _decode(text)
    if raw.startswith(_SQLITE):
        return _checked(*_read_file(raw))
    if len(raw) not in _PYROGRAM:
        raise NotASession("the session has no known format")
    fields = _PYROGRAM[len(raw)].unpack(raw)
    if fields[-4]:
        raise NotASession("the session belongs to Telegram's test servers")
    if fields[-1]:
        raise NotASession("the session is that of a bot; a bot connects with its token")
    return _checked(fields[0], fields[-3])


def to_telethon(dc: int, key: bytes, host: str, port: int) -> str:
    """A string that Telethon reads. `host`: an IPv4 or IPv6 address. Raises `ValueError`."""
    address = ipaddress.ip_address(host).packed
    packed = _TELETHON[352 if len(address) == 4 else 368].pack(dc, address, port, key)
    return "1" + base64.urlsafe_b64encode(packed).decode()


def _checked(dc: object, key: object) -> Exported:
    if not isinstance(dc, int) or not 0 < dc < 1000:
        raise NotASession("the session names no data centre")
    if not isinstance(key, bytes) or len(key) != _KEY_SIZE or not any(key):
        raise NotASession("the session holds no key")
    return Exported(dc, key)


def _decode(text: str) -> bytes:
    padded = text.rstrip("=")
    padded += "=" * (-len(padded) % 4)
    try:
        return base64.b64decode(padded.translate({43: "-", 47: "_"}), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise NotASession("the session has no known format") from None


def _read_file(data: bytes) -> tuple[object, object]:
    """Data centre and key in the file, which is opened in memory, and of which one table is read."""
    if len(data) > MAX_FILE:
        raise NotASession("the session is too large")
    image = bytearray(data)
    image[18:20] = b"\x01\x01"  # a database in WAL mode cannot be opened in memory
    database = sqlite3.connect(":memory:")
    try:
        database.deserialize(bytes(image))
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA query_only = ON")
        database.set_progress_handler(lambda: 1, _MAX_STEPS)
        database.set_authorizer(_allow_reading)
        made = database.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'sessions'")
        found = made.fetchone()
        if found is None or not str(found[0]).lower().startswith("create table"):
            raise NotASession("the file has no table of sessions")
        rows = database.execute("SELECT dc_id, auth_key FROM sessions LIMIT 2").fetchall()
    except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeDecodeError):
        raise NotASession("the file cannot be read") from None
    finally:
        database.close()
    if len(rows) != 1:
        raise NotASession("the file does not hold exactly one session")
    return rows[0][0], rows[0][1]


def _allow_reading(action: int, *_: object) -> int:
    return sqlite3.SQLITE_OK if action in _READS else sqlite3.SQLITE_DENY
