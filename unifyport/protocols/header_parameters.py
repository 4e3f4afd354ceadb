"""A header's value and its parameters: `form-data; name="file"; filename*=UTF-8''%e2%82%ac.pdf`.

RFC 9110 section 5.6.6 for the parameters; RFC 2231 for `name*=charset''percent-encoded` and for values in pieces
(`name*0=…; name*1=…`), in the order in which they stand. What is no parameter is passed over.
"""

import re
from urllib.parse import unquote

_WORD = r"[\w!#$%&'*+\-.^`|~]+"
_KEY = re.compile(rf"({_WORD})=", re.ASCII)
_VALUE = re.compile(rf'{_WORD}|"(?:\\[\\"]|\\(?![\\"])|[^"\\])*+"', re.ASCII)
_NEXT = re.compile(r";[ \t]*")
_NAME = re.compile(r"(.*?)(\*\d+)?(\*)?", re.DOTALL)
_EXTENDED = re.compile(r"([\w!#$%&*+\-.^`|~]*)'[\w!#$%&*+\-.^`|~]*'([\w!#$%&'*+\-.^`|~]+)", re.ASCII)
_CHARSETS = frozenset({"ascii", "us-ascii", "utf-8", "iso-8859-1"})


def parse(header: str) -> tuple[str, dict[str, str]]:
    """(value, parameters by their names in lower case). Never raises."""
    value, _, rest = header.partition(";")
    value, rest = value.strip(" \t"), rest.strip(" \t")
    pairs = _pairs(rest) if value else []
    parameters: dict[str, str] = {}
    pieces: dict[str, list[str]] = {}
    charsets: dict[str, str] = {}
    for key, text in pairs:
        match = _NAME.fullmatch(key)
        assert match is not None  # every text matches
        name, piece, extended = match.groups()
        charset = ""
        if extended:
            if encoded := _EXTENDED.fullmatch(text):
                charset, text = encoded.group(1).lower(), encoded.group(2)
            if piece and not charset:
                charset = charsets.get(name, "")
            if charset in _CHARSETS:
                text = unquote(text, encoding=charset)
        else:
            text = _unquoted(text)
        if not piece:
            pieces.pop(name, None)
            charsets.pop(name, None)
            parameters[name] = text
            continue
        parameters.pop(name, None)
        pieces.setdefault(name, []).append(text)
        if charset:
            charsets[name] = charset
    return value, parameters | {name: "".join(texts) for name, texts in pieces.items()}


def _pairs(text: str) -> list[tuple[str, str]]:
    """(name in lower case, value as it stands). A quoted value that does not end, ends the list."""
    pairs, position = [], 0
    while position < len(text):
        if (key := _KEY.match(text, position)) is not None:
            position = key.end()
            if (found := _VALUE.match(text, position)) is not None:
                pairs.append((key.group(1).lower(), found.group()))
                position = found.end()
            elif text.startswith('"', position):
                break
        if (delimiter := _NEXT.search(text, position)) is None:
            break
        position = delimiter.end()
    return pairs


def _unquoted(text: str) -> str:
    """Without quotes. Browsers write a quote within a value as `%22`, other clients as `\\"`."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1].replace("\\\\", "\\").replace('\\"', '"')
    return text.replace("%22", '"')
