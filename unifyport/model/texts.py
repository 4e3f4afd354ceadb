"""Texts on one line (names, ids, labels), and texts from outside that are shown to the operator.

Any letter, sign and emoji is allowed, but no character that can control a terminal or break the line.
"""

import re
import unicodedata

# As JSON Schema has it (ECMA-262): no control characters, no line or paragraph separators.
PATTERN = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]*")


def one_line(text: str, longest: int) -> str:
    """What a platform said, as a text that fits `PATTERN`: other characters are left out, the end is cut."""
    return "".join(_ONE_LINE.findall(text))[:longest]


def is_one_line(text: str) -> bool:
    """Whether a text fits `PATTERN`."""
    return _ONE_LINE.fullmatch(text) is not None


# Characters that act on what shows a text, or that it does not show: control characters, line separators,
# what turns the direction of a text (UAX 9), spaces without width, tags, lone surrogates. Joiners stay: they
# are parts of words and of emoji.
ACTING = (
    "\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff"
)
_ACTING = re.compile(f"[{ACTING}]")


def visible(text: str, *, keep: str = "") -> str:
    """The text for a terminal or a log: characters that act are shown as `\\u202e`, but those in `keep`."""
    return _ACTING.sub(lambda found: found[0] if found[0] in keep else escape(found[0]), text)


def escape(letter: str) -> str:
    """A character as Python, TOML and (below U+10000) JSON write it."""
    return f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"


LONGEST_NAME = 200  # characters


def name_problem(name: str) -> str:
    """What is wrong with a name in the configuration file; empty: nothing.

    A name is how an operator finds an object, so it is one that can be seen and typed.
    """
    if not 0 < len(name) <= LONGEST_NAME:
        return f"must be 1 to {LONGEST_NAME} characters"
    if name != name.strip():
        return "must not begin or end with a space"
    if found := _ACTING.search(name):
        return f"must not hold {escape(found[0])}, which is not shown or acts on what shows it"
    return ""


def as_name(name: str) -> str:
    """The one spelling (NFC) of a name, so that letters and accents that look alike are alike (UAX 15)."""
    return unicodedata.normalize("NFC", name)
