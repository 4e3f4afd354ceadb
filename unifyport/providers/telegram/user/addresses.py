"""The table of data centres: where an account connects, and which RSA keys it trusts there.

Addresses come from the configuration alone, never from a session that was imported or from the platform.
https://core.telegram.org/api/datacenter
"""

import enum
import functools
import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from unifyport.protocols.mtproto.rsa import ServerKey

FIRST: Final = 2  # the data centre that a new login asks first
_ENTRY: Final = re.compile(r"([1-9][0-9]{0,4})([mc]?)=(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+):([0-9]{1,5})")
_PEM: Final = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)


# https://github.com/telegramdesktop/tdesktop (`mtproto_dc_options.cpp`), also what official servers answer to
# `help.getConfig`.
ADDRESSES: Final = (
    "1=149.154.175.50:443 2=149.154.167.51:443 3=149.154.175.100:443 4=149.154.167.91:443 5=149.154.171.5:443"
)
KEYS: Final = """
-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEA6LszBcC1LGzyr992NzE0ieY+BSaOW622Aa9Bd4ZHLl+TuFQ4lo4g
5nKaMBwK/BIb9xUfg0Q29/2mgIR6Zr9krM7HjuIcCzFvDtr+L0GQjae9H0pRB2OO
62cECs5HKhT5DZ98K33vmWiLowc621dQuwKWSQKjWf50XYFw42h21P2KXUGyp2y/
+aEyZ+uVgLLQbRA1dEjSDZ2iGRy12Mk5gpYc397aYp438fsJoHIgJ2lgMv5h7WY9
t6N/byY9Nw9p21Og3AoXSL2q/2IJ1WRUhebgAdGVMlV1fkuOQoEzR7EdpqtQD9Cs
5+bfo3Nhmcyvk5ftB0WkJ9z6bNZ7yxrP8wIDAQAB
-----END RSA PUBLIC KEY-----
"""


class WrongTable(ValueError):
    """The configuration of the data centres cannot be read."""


class Kind(enum.Enum):
    """What a connection is for. The value is the mark in the table."""

    MAIN = ""
    MEDIA = "m"
    CDN = "c"


@attrs.frozen
class DataCentre:
    id: int
    host: str
    port: int


@attrs.frozen
class DataCentres:
    """Addresses by kind and number. `media`: for files; a data centre that has no such address serves files
    where it serves the rest. `cdn`: for files that many people fetch.
    """

    main: Mapping[int, DataCentre]
    media: Mapping[int, DataCentre]
    cdn: Mapping[int, DataCentre]
    keys: Mapping[int, ServerKey]  # by fingerprint

    def find(self, number: int, kind: Kind = Kind.MAIN) -> DataCentre | None:
        if kind is Kind.CDN:
            return self.cdn.get(number)
        found = self.media.get(number) if kind is Kind.MEDIA else None
        return found or self.main.get(number)


def read_data_centres(endpoints: Any) -> DataCentres:
    """Raises `WrongTable`."""
    table = parse_table(endpoints.user_dc_addresses or ADDRESSES)
    if not table[Kind.MAIN]:
        raise WrongTable("no data centre is configured")
    keys = parse_keys(endpoints.user_rsa_keys or KEYS)
    return DataCentres(table[Kind.MAIN], table[Kind.MEDIA], table[Kind.CDN], keys)


def parse_table(text: str) -> dict[Kind, dict[int, DataCentre]]:
    """`1=host:port,2=host:port,2m=host:port,203c=host:port`. Raises `WrongTable`."""
    found: dict[Kind, dict[int, DataCentre]] = {kind: {} for kind in Kind}
    for entry in text.replace(",", " ").split():
        match = _ENTRY.fullmatch(entry)
        if match is None or not 0 < int(match[4]) < 65536:
            raise WrongTable("a data centre is written as number=host:port")
        number = int(match[1])
        found[Kind(match[2])][number] = DataCentre(number, match[3].strip("[]"), int(match[4]))
    return found


@functools.lru_cache(maxsize=8)
def parse_keys(text: str) -> Mapping[int, ServerKey]:
    """RSA public keys in PEM, one or several. Raises `WrongTable`."""
    try:
        keys = [ServerKey.from_pem(pem.encode()) for pem in _PEM.findall(text)]
    except ValueError:
        raise WrongTable("a key of a data centre cannot be read") from None
    if not keys:
        raise WrongTable("no key of the data centres is configured")
    return {key.fingerprint: key for key in keys}
