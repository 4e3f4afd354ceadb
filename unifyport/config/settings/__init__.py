"""The configuration file: one TOML document as attrs values, with all of its mistakes reported at once.

`values.py` holds the sections and their defaults. `reading.py` reads the file; its `Walk` (`walk.py`) checks
the types. `checks.py`, `account_checks.py`, `policy_checks.py` and `address_checks.py` check what types
cannot express. `mistakes.py` shows every mistake with the line that `lines.py` finds, `syntax.py` those of a
text that is no TOML. Unknown keys are mistakes: a misspelt option that does nothing is worse than an error.
"""

from .account_checks import check_credentials, explain_connections, find_webhook_problem
from .address_checks import split_bind
from .checks import check
from .finding import find_database, socket_of
from .mistakes import Mistake, Mistakes, Source
from .reading import load, load_with_source
from .values import DeclaredAccount, DeclaredEndpoint, Media, ServerSettings, Settings, Storage

__all__ = [
    "DeclaredAccount",
    "DeclaredEndpoint",
    "Media",
    "Mistake",
    "Mistakes",
    "ServerSettings",
    "Settings",
    "Source",
    "Storage",
    "check",
    "check_credentials",
    "explain_connections",
    "find_database",
    "find_webhook_problem",
    "load",
    "load_with_source",
    "socket_of",
    "split_bind",
]
