"""Line numbers in a TOML document: from the path of a value to its line.

`tomllib` gives values without positions. `find_lines` scans a text that `tomllib` has accepted, so it checks
no grammar: it only follows tables, arrays of tables, dotted and quoted keys, arrays, inline tables and
strings. A path is a tuple of keys and indices, `("accounts", 2, "credentials", "token")`.
"""

import contextlib
import re
import tomllib
from bisect import bisect_right
from typing import NamedTuple

KeyPath = tuple[str | int, ...]

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*+")
_SPACE = re.compile(r"[ \t]*+")
_KEY = re.compile(r'[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'")
# A multi-line string may end with up to two quotes of its own before the three that close it.
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}' r"|'''.*?'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}\n#]*")


class Lines:
    """Lines (1-based) of the tables, keys and array items of one document."""

    def __init__(self, lines: dict[KeyPath, int]) -> None:
        self._lines = lines

    def find_line(self, path: KeyPath) -> int | None:
        """The line of the value, else of the nearest table around it; None when the document has neither."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return line
        return None


def find_lines(text: str) -> Lines:
    """Scan a valid document. For any other text: the lines up to the first part that is not TOML."""
    scanner = _Scanner(text)
    with contextlib.suppress(_NotUnderstood, RecursionError):
        scanner.scan()
    return Lines(scanner.lines)


class Repeat(NamedTuple):
    """A key or table that is defined a second time. Not `exact`: a part is added to what was complete."""

    path: KeyPath
    line: int
    first: int  # the line of the first definition
    exact: bool


def find_repeat(text: str, line: int, column: int) -> Repeat | None:
    """The second definition in the statement at a place (1-based) where `tomllib` found one."""
    scanner = _Scanner(text)
    with contextlib.suppress(_NotUnderstood, RecursionError):
        scanner.scan(until=scanner.position_of(line) + column - 1)
    for path, where, first in scanner.noted:
        if first is not None:
            return Repeat(path, where, first, exact=True)
    for path, where, _ in scanner.noted[:1]:
        for length in range(len(path) - 1, 0, -1):
            first = scanner.lines.get(path[:length])
            if first is not None and first < where:
                return Repeat(path[:length], where, first, exact=False)
    return None


class _NotUnderstood(Exception):
    """The text at this place is not TOML."""


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._starts = [match.end() for match in re.finditer("\n", text)]
        self._counts: dict[KeyPath, int] = {}  # array of tables -> items so far
        self.lines: dict[KeyPath, int] = {}
        # What the last statement defines: path, line, and the line of an earlier definition.
        self.noted: list[tuple[KeyPath, int, int | None]] = []

    def position_of(self, line: int) -> int:
        """The position of the first character of a line."""
        return self._starts[line - 2] if line > 1 else 0

    def scan(self, until: int | None = None) -> None:
        """Read the statements that begin before `until`, or the whole document. Raises `_NotUnderstood`."""
        table: KeyPath = ()
        end = len(self._text) if until is None else until
        self._skip(_BLANK)
        while self._position < end:
            self.noted = []
            if self._take("[["):
                table = self._read_array_header()
            elif self._take("["):
                table = self._read_header()
            else:
                self._read_pair(table)
            self._skip(_BLANK)

    # -- tables and keys ------------------------------------------------------------------------------------

    def _read_header(self) -> KeyPath:
        line = self._line
        path = self._inside(self._read_key())
        self._expect("]")
        self._note((), path, line)
        return path

    def _read_array_header(self) -> KeyPath:
        line = self._line
        *parents, name = self._read_key()
        self._expect("]]")
        array = (*self._inside(tuple(parents)), name)
        index = self._counts.get(array, 0)
        self._counts[array] = index + 1
        self._note((), array, line)
        self.lines[(*array, index)] = line
        return (*array, index)

    def _inside(self, path: KeyPath) -> KeyPath:
        """The path, with the index of the last item after the name of each array of tables."""
        found: KeyPath = ()
        for part in path:
            found = (*found, part)
            if isinstance(part, str) and (count := self._counts.get(found)):
                found = (*found, count - 1)
        return found

    def _read_pair(self, table: KeyPath) -> None:
        line = self._line
        path = (*table, *self._read_key())
        self._expect("=")
        self._note(table, path, line)
        self._skip(_SPACE)
        self._read_value(path)

    def _read_key(self) -> KeyPath:
        """The parts of a dotted key, without quotes."""
        parts: list[str | int] = []
        while True:
            self._skip(_SPACE)
            part = self._skip(_KEY)
            if not part:
                raise _NotUnderstood
            parts.append(_unquote(part))
            self._skip(_SPACE)
            if not self._take("."):
                return tuple(parts)

    # -- values ---------------------------------------------------------------------------------------------

    def _read_value(self, path: KeyPath) -> None:
        if self._take("["):
            self._read_array(path)
        elif self._take("{"):
            self._read_inline_table(path)
        elif self._text.startswith(('"', "'"), self._position):
            if not self._skip(_STRING):
                raise _NotUnderstood
        else:
            self._skip(_SCALAR)

    def _read_array(self, path: KeyPath) -> None:
        index = 0
        while True:
            self._skip(_BLANK)
            if self._take("]"):
                return
            self.lines[(*path, index)] = self._line
            self._read_value((*path, index))
            self._skip(_BLANK)
            if not self._take(","):
                self._expect("]")
                return
            index += 1

    def _read_inline_table(self, path: KeyPath) -> None:
        while True:
            self._skip(_BLANK)
            if self._take("}"):
                return
            self._read_pair(path)
            self._skip(_BLANK)
            if not self._take(","):
                self._expect("}")
                return

    # -- the text -------------------------------------------------------------------------------------------

    @property
    def _line(self) -> int:
        return bisect_right(self._starts, self._position) + 1

    def _note(self, table: KeyPath, path: KeyPath, line: int) -> None:
        """Record `line` for `path`, and for the tables between `table` and it that a dotted key makes."""
        for length in range(len(table) + 1, len(path)):
            self.lines.setdefault(path[:length], line)
        self.noted.append((path, line, self.lines.get(path)))
        self.lines.setdefault(path, line)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        """Move past what matches at the current position, and return it."""
        match = pattern.match(self._text, self._position)
        if match is None:
            return ""
        self._position = match.end()
        return match[0]

    def _take(self, token: str) -> bool:
        if not self._text.startswith(token, self._position):
            return False
        self._position += len(token)
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise _NotUnderstood


def _unquote(key: str) -> str:
    if key[0] == "'":
        return key[1:-1]
    if key[0] != '"':
        return key
    try:
        return str(tomllib.loads(f"key = {key}")["key"])
    except tomllib.TOMLDecodeError:
        raise _NotUnderstood from None
