"""Mistakes of a configuration file: collected by path, and shown with file, line, name and value.

First the reading reports single values that cannot be read, then the checks report values that contradict
each other. A value that could not be read has a stand-in, so a check that depends on it is suppressed.

Secrets are never shown. No value is shown of a secret option, a credential, a proxy's login or an unknown key
(a misspelt key may hold a secret); of a URL only the scheme and host are shown, and nothing of a value that
should be a URL or a file and is none.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Collection, Container, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from unifyport.process.redaction import redact

from .lines import KeyPath, Lines, find_lines

# No value is shown whose path contains one of these.
HIDDEN = frozenset(
    {"credentials", "metadata", "master_key", "key", "signing_secret", "previous_signing_secret", "proxy"}
)
_SHOWN_OF_PROXY = frozenset({("proxy", "type"), ("proxy", "proxy_type"), ("proxy", "port")})
_URLS_AND_FILES = frozenset({"url", "tls", "cert", "ca_file", "directory"})
_LONGEST_SHOWN = 60
_LONGEST_INTEGER = 256  # bits
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#@]*)([^@]*)", re.DOTALL)
_MISSING = object()


@attrs.frozen
class Mistake:
    """One mistake. `others`: further values that it depends on; `hint`: a suggested correction."""

    path: KeyPath
    text: str
    hint: str = ""
    others: tuple[KeyPath, ...] = ()
    show_value: bool = True

    def under(self, prefix: KeyPath) -> "Mistake":
        """The same mistake, with `prefix` before its paths."""
        others = tuple((*prefix, *other) for other in self.others)
        return attrs.evolve(self, path=(*prefix, *self.path), others=others)


class Mistakes:
    """The mistakes of one document, in the order of their discovery."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self.found: list[Mistake] = []
        self._seen: set[Mistake] = set()
        self._unreadable: set[KeyPath] = set()
        self._around_unreadable: set[KeyPath] = set()

    def add_unreadable(self, mistake: Mistake) -> None:
        """Add a value that cannot be read. Checks that depend on this value are ignored from now on."""
        self.found.append(mistake)
        self.leave_out(mistake.path)

    def leave_out(self, path: KeyPath) -> None:
        """A value is not read, and that is no mistake. Checks that depend on it are ignored from now on."""
        self._unreadable.add(path)
        self._around_unreadable.update(path[:length] for length in range(len(path)))

    def add(self, mistake: Mistake) -> None:
        """Add the finding of a check, unless it depends on a value that could not be read."""
        if mistake not in self._seen and not any(map(self.is_unreadable, (mistake.path, *mistake.others))):
            self._seen.add(mistake)
            self.found.append(mistake)

    def tell(
        self,
        path: KeyPath,
        text: str,
        *,
        hint: str = "",
        others: Iterable[KeyPath] = (),
        show_value: bool = True,
    ) -> None:
        """`add`, from the parts of a mistake."""
        self.add(Mistake(path, text, hint, tuple(others), show_value))

    def is_unreadable(self, path: KeyPath) -> bool:
        """Whether the value, or a table around it, could not be read."""
        if not self._unreadable:
            return False
        return any(path[:length] in self._unreadable for length in range(1, len(path) + 1))

    def holds_unreadable(self, path: KeyPath) -> bool:
        """Whether the table, or anything in it, could not be read."""
        return path in self._around_unreadable or self.is_unreadable(path)

    def is_given(self, path: KeyPath) -> bool:
        """Whether the document has a value at this path."""
        return _look_up(self.document, path) is not _MISSING


class Source:
    """A document and its file name: shows mistakes as lines of text."""

    def __init__(self, name: str, text: str, document: Mapping[str, Any]) -> None:
        self.name = name
        self.document = document
        self._text = text
        self._lines: Lines | None = None

    @classmethod
    def of_file(cls, path: Path | None) -> "Source":
        """The file as it is now; without contents, and so without lines, if it cannot be read."""
        try:
            text = "" if path is None else path.read_text(encoding="utf-8")
            return cls(str(path or "the configuration"), text, tomllib.loads(text))
        except (OSError, ValueError, RecursionError):
            return cls(str(path), "", {})

    def show(self, mistakes: Iterable[Mistake]) -> list[str]:
        """One line for each mistake, in the order of the file; mistakes without a line come first."""
        shown = []
        for mistake in mistakes:
            line = self._find_line(mistake.path)
            where = self.name if line is None else f"{self.name}:{line}"
            name = show_path(self.document, mistake.path)
            text = f"{name}: {mistake.text}" if name else mistake.text
            shown.append((line or 0, f"{where} {text}{self._show_value(mistake)}{mistake.hint}"))
        return [text for _, text in sorted(shown, key=lambda each: each[0])]

    def _find_line(self, path: KeyPath) -> int | None:
        if self._lines is None:  # scanned only if there is a mistake to show
            self._lines = find_lines(self._text)
        return self._lines.find_line(path)

    def _show_value(self, mistake: Mistake) -> str:
        value = _look_up(self.document, mistake.path)
        if not mistake.show_value or value is _MISSING or isinstance(value, dict | list):
            return ""
        if _is_hidden(mistake.path, value) or _is_no_url(mistake.path, value):
            return ""
        return f", got {_show(value)}"


def show_path(document: Mapping[str, Any], path: KeyPath) -> str:
    """`accounts "shop".credentials.token`: items of lists by name, those without one by index."""
    shown = ""
    for length, part in enumerate(path, start=1):
        if isinstance(part, str):
            key = part if _BARE_KEY.fullmatch(part) else _quote(part)
            shown += f".{key}" if shown else key
            continue
        item = _look_up(document, path[:length])
        name = item.get("name") if isinstance(item, dict) else None
        shown += f" {_quote(name)}" if isinstance(name, str) and name else f"[{part}]"
    return shown


def suggest(word: object, options: Iterable[str]) -> str:
    """` (did you mean "x"?)` for a word that is nearly one of `options`, else nothing."""
    close = difflib.get_close_matches(word, list(options), 1) if isinstance(word, str) else []
    return f" (did you mean {_quote(close[0])}?)" if close else ""


def suggest_key(name: str, known: Collection[str], given: Container[str]) -> str:
    """The hint for an unknown key: the known key that it resembles; `given`: the keys that are there."""
    close = difflib.get_close_matches(name, known, 1)
    if not close:
        return ""
    key = _quote(close[0])
    return f" ({key} is there already)" if close[0] in given else f" (did you mean {key}?)"


def _is_hidden(path: KeyPath, value: Any) -> bool:
    if path[-2:] in _SHOWN_OF_PROXY:
        return path[-1] == "port" and isinstance(value, str)
    return any(part in HIDDEN for part in path)


def _is_no_url(path: KeyPath, value: Any) -> bool:
    """Whether it should be a URL or name a file, and is something else: it may hold any secret."""
    name = path[-1] if path else ""
    named = isinstance(name, str) and (name in _URLS_AND_FILES or name.endswith("_url"))
    return named and isinstance(value, str) and "@" not in value and not _URL.fullmatch(value)


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > _LONGEST_INTEGER:
        return "a number of very many digits"
    if not isinstance(value, str):
        return str(value)
    if "@" in value:
        return "a string with @"  # it may hold a user name and password
    if match := _URL.fullmatch(value):
        value = f"{match[1]}{match[2]}{match[3] if match[3] in ('', '/') else '/…'}"
    return _quote(redact(value))


def _quote(text: str) -> str:
    if len(text) > _LONGEST_SHOWN:
        text = text[:_LONGEST_SHOWN] + "…"
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _look_up(value: Any, path: KeyPath) -> Any:
    for part in path:
        if isinstance(part, str):
            value = value.get(part, _MISSING) if isinstance(value, dict) else _MISSING
        else:
            value = value[part] if isinstance(value, list) and part < len(value) else _MISSING
        if value is _MISSING:
            return _MISSING
    return value
