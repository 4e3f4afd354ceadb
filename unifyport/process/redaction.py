"""Redaction by value: code that reads or unseals a secret registers it, and `redact` blanks it in any text.

A secret is blanked while something holds it: the account or the endpoint that it belongs to
(`register_secrets`), the settings of a file (`HeldSecrets`), the logins of an account (`ShortLivedSecrets`).
What an account or an endpoint does not have any more may be in texts that are still to come, so the newest
`MOST_FORMER` of those secrets are blanked, too.

An owner that is gone does not come back: a read that began before its deletion, and ends after it, registers
nothing. The newest `MOST_GONE` owners are known for that.

Secrets are looked up by their first letters, so the cost of a text does not depend on their number. Threads
of the store register secrets, too.
"""

import threading
import weakref
from collections import Counter, deque
from collections.abc import Iterable

MOST_FORMER = 1024
MOST_GONE = 4096
_SHORTEST = 6  # a shorter value would blank ordinary words
_BLANK = "[secret]"
_LONGEST_SHORT_LIVED = 8192  # a token of OAuth may be as long
_lock = threading.Lock()  # held while what follows is changed
_secrets: dict[str, set[str]] = {}  # first letters -> secrets that begin with them
_holders: Counter[str] = Counter()  # how many hold a secret
_owned: dict[str, tuple[str, ...]] = {}  # by owner
_former: dict[str, None] = {}  # what owners do not have any more, in that order
_gone: dict[str, None] = {}  # owners that were forgotten, in that order
_NONE: dict[str, None] = {}  # what every `HeldSecrets` holds before the first one
_left: deque[Iterable[str]] = deque()  # what holders held that are gone


def register_secrets(owner: str, values: Iterable[object]) -> None:
    """Have `redact` blank these secrets of an owner, in place of those that it had before.

    Short strings and values that are no strings are ignored.
    """
    wanted = tuple(value for value in values if isinstance(value, str) and len(value) >= _SHORTEST)
    if _owned.get(owner, ()) == wanted:
        return
    with _lock:
        _release_left()
        if owner not in _gone:
            _replace(owner, wanted)


def forget_secrets(owner: str) -> None:
    """The owner is gone for good, and its secrets are former ones."""
    with _lock:
        _release_left()
        _replace(owner, ())
        _gone[owner] = None
        if len(_gone) > MOST_GONE:
            del _gone[next(iter(_gone))]


def _replace(owner: str, wanted: tuple[str, ...]) -> None:
    for value in wanted:
        _hold(value)
    old = _owned.pop(owner, ())
    if wanted:
        _owned[owner] = wanted
    for value in old:
        if value in wanted or value in _former or len(value) > _LONGEST_SHORT_LIVED:
            _release(value)
            continue
        _former[value] = None
        while len(_former) > MOST_FORMER:
            oldest = next(iter(_former))
            del _former[oldest]
            _release(oldest)


class HeldSecrets:
    """Secrets that are blanked while this object lives, or until it is told to `forget`.

    `most`: only the newest ones; None: all.
    """

    __slots__ = ("__weakref__", "_most", "_values")

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._values: dict[str, None] = _NONE  # in the order of their registration

    def register(self, value: object) -> None:
        """Have `redact` blank `value`, unless `register_secrets` would ignore it, or it is too long to keep
        many of, as an exported session may be.
        """
        if not isinstance(value, str) or len(value) < _SHORTEST:
            return
        if self._most is not None and len(value) > _LONGEST_SHORT_LIVED:
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
                _hold(value)
            self._values[value] = None
            if self._most is not None and len(self._values) > self._most:
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


class ShortLivedSecrets(HeldSecrets):
    """The codes, PINs, QR codes and tokens of one account: there are many in its life."""

    __slots__ = ()

    def __init__(self, most: int = 32) -> None:
        super().__init__(most)


def _hold(value: str) -> None:
    """One holder more. Called with the lock held."""
    _holders[value] += 1
    _secrets.setdefault(value[:_SHORTEST], set()).add(value)


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
