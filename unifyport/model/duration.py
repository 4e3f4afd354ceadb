"""Durations in the configuration file and the API: "90s", "5m", "1h30m", "7d", "250ms"."""

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def parse_duration(text: object) -> float:
    """The duration in seconds. Raises `ValueError` if it is not a string of numbers with units."""
    if isinstance(text, str) and text:
        position, seconds = 0, 0.0
        while (part := _PART.match(text, position)) is not None:
            seconds += float(part[1]) * _UNITS[part[2]]
            position = part.end()
        if position == len(text):
            return seconds
    raise ValueError(f'expected a duration such as "90s", "5m" or "7d", got {text!r}')


def format_duration(seconds: float) -> str:
    """The inverse of `parse_duration`, in the largest units that fit: 5400 -> "1h30m"."""
    rest, text = round(seconds * 1000), ""
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, round(_UNITS[unit] * 1000))
        text += f"{count}{unit}" if count else ""
    return text or "0s"
