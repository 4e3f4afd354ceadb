"""Sizes in the configuration file: `"64MiB"`, `"1GiB"`, or a number of bytes."""

import re

_UNITS = {"": 1, "B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE = re.compile(r"([0-9]{1,15})\s*([A-Za-z]*)")


def parse_size(value: object) -> int:
    """The size in bytes. Raises `ValueError`."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in _UNITS or int(match[1]) == 0:
        raise ValueError('must be a size: "10MiB", "1GiB", or a number of bytes')
    return int(match[1]) * _UNITS[match[2]]
