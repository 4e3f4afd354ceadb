"""What is no TOML, as the text of a mistake: the line, and for a second definition the first one."""

import re
import tomllib
from pathlib import Path

from .lines import find_repeat
from .mistakes import show_path

_MESSAGE = re.compile(r"(.*) \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)", re.DOTALL)
# Messages of `tomllib` about a key or table that is there already; they name no key, or not all of it.
_REPEATS = ("Cannot overwrite", "Cannot declare", "Cannot mutate", "Duplicate inline table key")


def explain_syntax(path: Path, text: str, error: tomllib.TOMLDecodeError) -> str:
    """`file:line: text`; for a key that is defined twice `file:line key: text`."""
    match = _MESSAGE.fullmatch(str(error))
    if match is None:
        return f"{path}: {error}"
    message, line, column = match.groups()
    if line is None:
        last = text.removesuffix("\n").count("\n") + 1
        return f"{path}:{last}: {message}, at the end of the file"
    if message.startswith(_REPEATS):
        repeat = find_repeat(text, int(line), int(column))
        if repeat is not None:
            table = repeat.path[:-1] if isinstance(repeat.path[-1], int) else repeat.path
            name = show_path({}, table)
            what = "is defined twice, first" if repeat.exact else "cannot be extended, it is complete"
            return f"{path}:{repeat.line} {name}: {what} on line {repeat.first}"
    return f"{path}:{line}: {message}, at column {column}"
