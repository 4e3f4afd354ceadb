"""Redaction by value: code that reads or unseals a secret registers it, and `redact` blanks it in any text.

Secrets are looked up by their first letters, so the cost of a text does not depend on their number. Threads
of the store register secrets, too.
"""

import threading
import weakref
from collections import Counter, deque
from collections.abc import Iterable

_SHORTEST = 6  # a shorter value would blank ordinary words
_BLANK = "[secret]"
_LONGEST_SHORT_LIVED = 8192  # a token of OAuth may be as long
_lock = threading.Lock()  # held while what follows is changed
_secrets: dict[str, set[str]] = {}  # first letters -> secrets that begin with them
_lasting: set[str] = set()
_holders: Counter[str] = Counter()  # how many `ShortLivedSecrets` hold a secret
_NONE: dict[str, None] = {}  # what every `ShortLivedSecrets` holds before the first one
_left: deque[Iterable[str]] = deque()  # what holders held that are gone


def register_secret(value: object) -> None:
    """Have `redact` blank `value` from now on. Short strings and values that are no strings are ignored."""
    if isinstance(value, str) and len(value) >= _SHORTEST and value not in _lasting:
        with _lock:
            _lasting.add(value)
            _secrets.setdefault(value[:_SHORTEST], set()).add(value)


class ShortLivedSecrets:
    """The codes, PINs, QR codes and tokens of one account: there are many in its life, so only the newest
    `most` are blanked, and none once this object is gone or was told to `forget`.
    """

    __slots__ = ("__weakref__", "_most", "_values")

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._values: dict[str, None] = _NONE  # in the order of their registration

    def register(self, value: object) -> None:
        """Have `redact` blank `value`, unless `register_secret` would ignore it, or it is too long to keep
        many of, as an exported session may be.
        """
        if not isinstance(value, str) or not _SHORTEST <= len(value) <= _LONGEST_SHORT_LIVED:
            return
        with _lock:
            _release_left()
            if self._values is _NONE:
                self._values = {}
                # A finalizer may run anywhere, also where the lock is held: it only leaves a note.
                weakref.finalize(self, _left.append, self._values).atexit = False
            if value in self._values:
                del self._values[value]
            else:
                _holders[value] += 1
                _secrets.setdefault(value[:_SHORTEST], set()).add(value)
            self._values[value] = None
            if len(self._values) > self._most:
                oldest = next(iter(self._values))
                del self._values[oldest]
                _release(oldest)

    def forget(self) -> None:
        """Blank none of them any more."""
        with _lock:
            for value in self._values:
                _release(value)
            if self._values is not _NONE:
                self._values.clear()


def _release_left() -> None:
    while _left:
        for value in _left.popleft():
            _release(value)


def _release(value: str) -> None:
    """One holder fewer. Called with the lock held."""
    _holders[value] -= 1
    if _holders[value]:
        return
    del _holders[value]
    if value in _lasting:
        return
    known = _secrets[value[:_SHORTEST]]
    known.discard(value)
    if not known:
        del _secrets[value[:_SHORTEST]]


def redact(text: str) -> str:
    """`text` with every known secret blanked."""
    position, kept = 0, 0
    parts: list[str] = []
    while position <= len(text) - _SHORTEST:
        candidates = _secrets.get(text[position : position + _SHORTEST])
        found = (
            # a copy: another thread may register a secret meanwhile
            max((c for c in tuple(candidates) if text.startswith(c, position)), key=len, default=None)
            if candidates
            else None
        )
        if found is None:
            position += 1
            continue
        parts += [text[kept:position], _BLANK]
        position = kept = position + len(found)
    return "".join((*parts, text[kept:])) if parts else text
