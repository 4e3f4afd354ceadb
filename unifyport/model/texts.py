"""Texts on one line: names, ids, labels.

Any letter, sign and emoji is allowed, but no character that can control a terminal or break the line.
"""

import re

# As JSON Schema has it (ECMA-262): no control characters, no line or paragraph separators.
PATTERN = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*")


def one_line(text: str, longest: int) -> str:
    """What a platform said, as a text that fits `PATTERN`: other characters are left out, the end is cut."""
    return "".join(_ONE_LINE.findall(text))[:longest]


def is_one_line(text: str) -> bool:
    """Whether a text fits `PATTERN`."""
    return _ONE_LINE.fullmatch(text) is not None
