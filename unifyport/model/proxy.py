"""The proxy that an account reaches its platform through.

Callers write it as an object or as JSON in a string, with either of the names that the public record knows
for its type and its user. One form is stored; answers hide the password.
"""

import ipaddress
import json
import re
from typing import Any

import attrs

TYPES = ("http", "https", "socks5")
_HIDDEN = "********"
_LONGEST = 255
_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")


@attrs.frozen
class Proxy:
    """`type` is how we speak to the proxy itself; `host` is a name or an address."""

    type: str
    host: str
    port: int
    username: str = ""
    password: str = ""

    @classmethod
    def parse(cls, value: Any) -> "Proxy":
        """From a caller. Raises `ValueError` naming the field; never repeats a password."""
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise ValueError("must be an object, or one as JSON in a string") from None
        if not isinstance(value, dict):
            raise ValueError("must be an object, or one as JSON in a string")
        host, port = value.get("host"), value.get("port")
        kind = value.get("type", value.get("proxy_type", "http"))
        if kind not in TYPES:
            raise ValueError(f"type: must be one of {', '.join(TYPES)}")
        if not isinstance(host, str) or not _is_host(host):
            raise ValueError("host: must be a name or an address")
        if isinstance(port, str) and re.fullmatch(r"[0-9]{1,5}", port):
            port = int(port)
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
            raise ValueError("port: must be 1 to 65535")
        username = value.get("username", value.get("user")) or ""
        password = value.get("password") or ""
        for name, text in (("username", username), ("password", password)):
            if not isinstance(text, str) or len(text) > _LONGEST or not text.isprintable():
                raise ValueError(f"{name}: must be at most {_LONGEST} printable characters")
        return cls(kind, host, port, username, password)

    def as_dict(self) -> dict[str, Any]:
        return attrs.asdict(self)

    def masked(self) -> dict[str, Any]:
        """For answers."""
        shown: dict[str, Any] = {"type": self.type, "host": self.host, "port": self.port}
        if self.username:
            shown["username"] = self.username
        if self.password:
            shown["password"] = _HIDDEN
        return shown

    def keeping_password_of(self, old: "Proxy | None") -> "Proxy":
        """What a caller means who sends back the masked object that we answered with.

        The password goes nowhere else than where it was. Raises `ValueError` when that is what it would do.
        """
        if self.password != _HIDDEN:
            return self
        if old is None or attrs.evolve(old, password=_HIDDEN) != self:
            raise ValueError("password: give it again with another proxy")
        return old


def _is_host(host: str) -> bool:
    if ":" in host:
        try:
            return ipaddress.ip_address(host.strip("[]")).version == 6
        except ValueError:
            return False
    return _NAME.fullmatch(host) is not None
