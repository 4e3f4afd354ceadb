"""Finds a gateway's database, and the socket beside it, with no more of the file than `[storage] url`.

So the command line reaches a running server whose file is being edited, or whose secrets only the server has.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from .values import Storage

_TABLE = re.compile(r"[ \t]*\[[ \t]*storage[ \t]*\][ \t]*(#.*)?")
_ANY_TABLE = re.compile(r"[ \t]*\[")
_URL = re.compile(r"[ \t]*(storage[ \t]*\.[ \t]*)?url[ \t]*=")
_SQLITE = "sqlite:///"


def find_database(path: Path) -> Path:
    """The database of the configuration file at `path`. Raises `OSError` if there is no such file.

    What cannot be read is passed over. Where nothing says otherwise it is the default.
    """
    text = path.read_bytes().decode("utf-8", "replace")
    try:
        storage = tomllib.loads(text).get("storage")
        url = storage.get("url") if isinstance(storage, dict) else None
    except (ValueError, RecursionError):
        url = _url_in_pieces(text)
    if not isinstance(url, str) or not url.startswith(_SQLITE):
        url = Storage().url
    return path.parent / url.removeprefix(_SQLITE)


def socket_of(database: Path) -> Path:
    """The owner's socket beside a database."""
    return database.with_name(database.name + ".sock")


def _url_in_pieces(text: str) -> Any:
    """The `url` of `[storage]` in a text that is no TOML: each line is read for itself."""
    inside, top = False, True
    for line in text.splitlines():
        if _ANY_TABLE.match(line):
            inside, top = _TABLE.fullmatch(line) is not None, False
            continue
        dotted = _URL.match(line)
        if dotted is None or (dotted[1] is None) is not inside or (dotted[1] is not None and not top):
            continue
        try:
            found = tomllib.loads(line)
        except ValueError:
            continue
        return found.get("url") if inside else found["storage"]["url"]
    return None
