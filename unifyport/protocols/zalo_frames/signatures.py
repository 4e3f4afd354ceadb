"""`signkey`: MD5 in hex of "zsecure", the request's name, and the values in the order of their names.

It is a checksum with a public recipe and proves nothing; the platform refuses requests without it.
"""

import hashlib
import hmac
from collections.abc import Mapping


def sign(request: str, parameters: Mapping[str, str | int]) -> str:
    """`request`: `getlogininfo` or `getserverinfo`. `parameters`: what is signed, without `signkey`."""
    text = "zsecure" + request + "".join(str(parameters[name]) for name in sorted(parameters))
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def is_signed(request: str, parameters: Mapping[str, str | int], signature: str) -> bool:
    """The server's part."""
    return hmac.compare_digest(sign(request, parameters).encode(), signature.encode())
