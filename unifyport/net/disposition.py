"""`Content-Disposition`: the name of a file in a header (RFC 6266), in any letters (RFC 8187).

Pure: texts in, texts out.
"""

import re
from urllib.parse import quote, unquote_to_bytes

_PARAMETER = re.compile(
    r""";\s*(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<token>[^;]*))"""
)
_ESCAPED = re.compile(r'\\(["\\])')  # no other one: there are senders that put a path of Windows in quotes
_EXTENDED = re.compile(r"(?P<charset>[A-Za-z0-9-]+)'[^']*'(?P<value>[^']*)")
_CHARSETS = frozenset({"utf-8", "iso-8859-1"})
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def attachment(name: str) -> str:
    """The header of a download with this name, which may be empty; in the form that needs no guessing."""
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}" if name else "attachment"


def read_filename(header: str) -> str:
    """The name of a file as its sender wrote it, so without any cleaning; empty if there is none.

    `filename*` counts before `filename`, unless it cannot be read (RFC 6266, section 4.3).
    """
    found: dict[str, str] = {}
    for each in _PARAMETER.finditer(header):
        quoted, token = each["quoted"], each["token"]
        value = token.strip() if quoted is None else _ESCAPED.sub(r"\1", quoted)
        found.setdefault(each["name"].lower(), value)
    extended = _read_extended(found.get("filename*", ""))
    return extended if extended is not None else found.get("filename", "")


def _read_extended(value: str) -> str | None:
    """`charset'language'value` with percent-encoded octets (RFC 8187, section 3.2)."""
    found = _EXTENDED.fullmatch(value)
    if found is None or found["charset"].lower() not in _CHARSETS or _BAD_ESCAPE.search(found["value"]):
        return None
    try:
        return unquote_to_bytes(found["value"]).decode(found["charset"])
    except UnicodeDecodeError:
        return None
