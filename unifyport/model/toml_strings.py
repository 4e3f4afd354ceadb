"""Any text as a string of TOML (https://toml.io/en/v1.0.0#string)."""

import re

from .texts import ACTING, escape

_ESCAPED = re.compile(f'["\\\\{ACTING}]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def toml_string(text: str) -> str:
    """A basic string, with its quotes. A lone surrogate, which TOML has not, becomes U+FFFD."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    if "\ud800" <= letter <= "\udfff":
        return "\ufffd"
    return _SHORT.get(letter) or escape(letter)
