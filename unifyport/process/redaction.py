"""Redaction by value: every secret that is read or unsealed registers itself, and no text with it gets out.

Secrets are found by their first letters, so that a text costs the same with ten of them or with ten thousand.
"""

from collections import deque

_SHORTEST = 6  # a shorter value would blank ordinary words
_BLANK = "[secret]"
_LONGEST_FLEETING = 4096
_FLEETING = 1024  # of those that are of no use soon, as many as are remembered
_secrets: dict[str, set[str]] = {}  # first letters -> secrets that begin with them
_fleeting: deque[str] = deque()


def register_secret(value: object) -> None:
    """From now on `value` is blanked wherever `redact` is used; values that are no text are ignored."""
    if isinstance(value, str) and len(value) >= _SHORTEST:
        _secrets.setdefault(value[:_SHORTEST], set()).add(value)


def register_fleeting(value: object) -> None:
    """`register_secret` for a code, a PIN, a QR code: so many of them come that the oldest are forgotten.

    What is too long to be remembered a thousand times over (an exported session may be) is left out.
    """
    if not isinstance(value, str) or not _SHORTEST <= len(value) <= _LONGEST_FLEETING:
        return
    if value in _secrets.get(value[:_SHORTEST], ()):
        return
    register_secret(value)
    _fleeting.append(value)
    if len(_fleeting) > _FLEETING:
        oldest = _fleeting.popleft()
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
