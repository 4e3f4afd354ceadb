"""JSON from platforms that a strict decoder refuses: half of a surrogate pair, from a text cut in the middle,
and bytes that are no UTF-8.

They stand for no character. The decoder would refuse the whole document for them, and with it everything else
that the platform reported.
"""

import re

import msgspec

# What decoding raises: no JSON or another shape; no UTF-8; nested too deeply.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def as_utf8(text: bytes) -> bytes:
    """The text with U+FFFD for bytes that are no UTF-8; the text itself if there are none."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode(errors="replace").encode()
    return text


def without_lone_surrogates(text: bytes) -> bytes:
    """The text with U+FFFD for each half of a pair; the text itself if there is none."""
    return _ESCAPES.sub(lambda match: b"\\ufffd" if match[1] else match[0], text)
