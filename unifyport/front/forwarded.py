"""The client behind trusted proxies: `X-Forwarded-For` and `X-Forwarded-Proto`.

The client is the last address of the chain that is not a trusted proxy; those before it can be forged.
"""

import ipaddress
from collections.abc import Sequence

from unifyport.net.guard import Network

from .http1 import Fields

_LONGEST_CHAIN = 16  # proxies named by one request


def is_trusted(text: str | None, trusted: Sequence[Network]) -> bool:
    """Whether an address is that of a trusted proxy."""
    if not trusted or text is None:
        return False
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return any(address.version == network.version and address in network for network in trusted)


def read_forwarded(fields: Fields, trusted: Sequence[Network]) -> tuple[str | None, str | None]:
    """(client, scheme) that the proxies report; None for what they do not report."""
    chain: list[str] = []
    client = scheme = None
    for name, value in fields:
        if name == b"x-forwarded-for":
            chain += [part.strip() for part in value.decode("latin-1").split(",")]
        elif name == b"x-forwarded-proto" and value in (b"http", b"https"):
            scheme = value.decode()
    for text in reversed(chain[-_LONGEST_CHAIN:]):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            break
        client = text
        if not is_trusted(text, trusted):
            break
    return client, scheme
