"""The configuration file: one TOML document as attrs values, and every problem of it at once.

`values.py` holds the sections and their defaults, `reading.py` reads the file, `checks.py` says what is wrong
beyond types. Unknown keys are refused: a misspelt option that does nothing is worse than an error.
"""

from .checks import check, check_credentials, places_of, split_bind
from .reading import load, parse
from .values import DeclaredAccount, DeclaredEndpoint, Media, ServerSettings, Settings, Storage

__all__ = [
    "DeclaredAccount",
    "DeclaredEndpoint",
    "Media",
    "ServerSettings",
    "Settings",
    "Storage",
    "check",
    "check_credentials",
    "load",
    "parse",
    "places_of",
    "split_bind",
]
