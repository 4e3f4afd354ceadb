"""File names from outside, made safe to send, to show and to save.

Letters of all scripts stay, with the joiners inside words, and so do emoji with theirs. What can lead to
another directory, control a terminal or turn the direction of a text is replaced by `_`; other invisible
characters are left out.
"""

import re
import unicodedata

LONGEST_NAME = 150  # characters
_LONGEST_SUFFIX = 16
# Signs that file systems or shells give a meaning, control characters, line separators, lone surrogates, and
# what opens or closes a change of direction (UAX 9, section 2).
_DANGEROUS = re.compile(
    '[<>:"/\\\\|?*\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufff9-\ufffb\ud800-\udfff]+'
)
_TAGGED_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f")  # of Scotland: UTS 51, ED-14a
_JOINERS = "\u200c\u200d"
_JOINABLE = frozenset("L M N".split())  # letters, marks, digits: the first letter of a category
_EMOJI = frozenset({"So", "Sk"})


def clean_name(name: str) -> str:
    """A file name without a path, of at most `LONGEST_NAME` characters; empty if nothing is left."""
    return safe_name(re.split(r"[/\\]", name)[-1])


def safe_name(name: str) -> str:
    """As `clean_name`, but a slash is a sign to be replaced, as in a title."""
    return _shorten(_visible(_DANGEROUS.sub("_", name)).strip(". "))


def _visible(name: str) -> str:
    """The name without invisible characters, but for joiners inside words and what makes an emoji."""
    flags = [found.span() for found in _TAGGED_FLAG.finditer(name)]
    return "".join(
        letter
        for place, letter in enumerate(name)
        if letter.isprintable()
        or (letter in _JOINERS and _joins(name[place - 1 : place]) and _joins(name[place + 1 : place + 2]))
        or any(begin <= place < end for begin, end in flags)
    )


def _joins(letter: str) -> bool:
    kind = unicodedata.category(letter) if letter else ""
    return kind[:1] in _JOINABLE or kind in _EMOJI


def _shorten(name: str) -> str:
    if len(name) <= LONGEST_NAME:
        return name
    stem, dot, suffix = name.rpartition(".")
    if not dot or len(suffix) >= _LONGEST_SUFFIX:
        return _cut(name, LONGEST_NAME)
    return f"{_cut(stem, LONGEST_NAME - len(suffix) - 1)}.{suffix}"


def _cut(name: str, longest: int) -> str:
    return name[:longest].rstrip(f". {_JOINERS}")
