"""Rates in the configuration file: `"50/s"`, `"100/m"`."""

import re

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_RATE = re.compile(r"(\d+(?:\.\d+)?)/([smh])")


def parse_rate(value: object) -> float:
    """The rate per second. Raises `ValueError`."""
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or not float(match[1]):
        raise ValueError('must be a rate: "50/s" or "100/m"')
    return float(match[1]) / _UNITS[match[2]]
