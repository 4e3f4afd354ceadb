"""The configuration file: one TOML document as attrs values, and every problem of it at once.

`values.py` holds the sections and their defaults. `reading.py` reads the file by one `walk.py` over its
values, `checks.py` and the files beside it say what is wrong beyond types, and `mistakes.py` shows all of
that with the lines that `lines.py` finds. Unknown keys are refused: a misspelt option that does nothing is
worse than an error.
"""

from .account_checks import check_credentials
from .checks import check, split_bind
from .mistakes import Mistakes
from .reading import load, load_with_source, parse
from .values import DeclaredAccount, DeclaredEndpoint, Media, ServerSettings, Settings, Storage

__all__ = [
    "DeclaredAccount",
    "DeclaredEndpoint",
    "Media",
    "Mistakes",
    "ServerSettings",
    "Settings",
    "Storage",
    "check",
    "check_credentials",
    "load",
    "load_with_source",
    "parse",
    "split_bind",
]
