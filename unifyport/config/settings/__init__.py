"""The configuration file: one TOML document as attrs values, with all of its mistakes reported at once.

`values.py` holds the sections and their defaults. `reading.py` reads the file; its `Walk` (`walk.py`) checks
the types. `checks.py`, `account_checks.py` and `policy_checks.py` check what types cannot express, and
`mistakes.py` shows every mistake with the line that `lines.py` finds. Unknown keys are mistakes: a misspelt
option that does nothing is worse than an error.
"""

from .account_checks import check_credentials
from .checks import check, split_bind
from .mistakes import Mistakes
from .reading import load, load_with_source
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
    "split_bind",
]
