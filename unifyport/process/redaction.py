"""Redaction by value: code that reads or unseals a secret registers it, and `redact` blanks it in any text.

Secrets are looked up by their first letters, so the cost of a text does not depend on their number.
"""

_SHORTEST = 6  # a shorter value would blank ordinary words
_BLANK = "[secret]"
_LONGEST_FLEETING = 4096
_FLEETING = 1024  # how many short-lived secrets are kept
_secrets: dict[str, set[str]] = {}  # first letters -> secrets that begin with them
_fleeting: dict[str, None] = {}  # in the order of their registration


def register_secret(value: object) -> None:
    """Have `redact` blank `value` from now on. Short strings and values that are no strings are ignored."""
    if isinstance(value, str) and len(value) >= _SHORTEST:
        _secrets.setdefault(value[:_SHORTEST], set()).add(value)
        _fleeting.pop(value, None)  # it was taken for one that may be forgotten


def register_fleeting(value: object) -> None:
    """`register_secret` for a code, a PIN or a QR code. There are many of these, so only the newest are kept.

    A value that is too long to keep a thousand of (as an exported session may be) is ignored.
    """
    if not isinstance(value, str) or not _SHORTEST <= len(value) <= _LONGEST_FLEETING:
        return
    if value in _secrets.get(value[:_SHORTEST], ()):
        return
    register_secret(value)
    _fleeting[value] = None
    if len(_fleeting) > _FLEETING:
        oldest = next(iter(_fleeting))
        del _fleeting[oldest]
        known = _secrets[oldest[:_SHORTEST]]
        known.discard(oldest)
        if not known:
            del _secrets[oldest[:_SHORTEST]]


def redact(text: str) -> str:
    """`text` with every known secret blanked."""
    position, kept = 0, 0
    parts: list[str] = []
    while position <= len(text) - _SHORTEST:
        candidates = _secrets.get(text[position : position + _SHORTEST])
        found = (
            max((c for c in candidates if text.startswith(c, position)), key=len, default=None)
            if candidates
            else None
        )
        if found is None:
            position += 1
            continue
        parts += [text[kept:position], _BLANK]
        position = kept = position + len(found)
    return "".join((*parts, text[kept:])) if parts else text
