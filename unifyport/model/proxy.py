"""The proxy that an account uses to reach its platform.

Callers give it as an object or as JSON in a string. Its type may be called `type` or `proxy_type`, its user
`username` or `user`: both are documented publicly. One form is stored; answers hide the password.
"""

import ipaddress
import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from .fields import FieldProblem
from .hosts import to_ascii

TYPES = ("http", "https", "socks5")
_HIDDEN = "********"
_LONGEST = 255
_NAMES: dict[str | int, str] = {"proxy_type": "type", "user": "username"}  # alternative name -> our name


@attrs.frozen
class Proxy:
    """`type`: the protocol spoken with the proxy; `host`: a name in ASCII, or an address."""

    type: str
    host: str
    port: int
    username: str = ""
    password: str = ""

    @classmethod
    def parse(cls, value: Any) -> "Proxy":
        """Read a caller's value. Raises `ValueError` naming the field; the text never holds a password."""
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                raise ValueError("must be an object, or one as JSON in a string") from None
        if not isinstance(value, dict):
            raise ValueError("must be an object, or one as JSON in a string")
        if problems := cls.problems(value):
            [name] = problems[0].path
            raise ValueError(f"{_NAMES.get(name, name)}: {problems[0].text}")
        username = value.get("username", value.get("user")) or ""
        return cls(
            str(value.get("type", value.get("proxy_type", "http"))),
            _read_host(value["host"]),
            int(value["port"]),
            username,
            value.get("password") or "",
        )

    @staticmethod
    def problems(value: Mapping[str, Any]) -> list[FieldProblem]:
        """Every mistake in an object, by the keys that it uses; the texts never hold a password."""
        host, port = value.get("host"), value.get("port")
        kind = "type" if "type" in value or "proxy_type" not in value else "proxy_type"
        user = "username" if "username" in value or "user" not in value else "user"
        found = []
        if value.get(kind, "http") not in TYPES:
            found.append(FieldProblem((kind,), f"must be one of {', '.join(TYPES)}", TYPES))
        if not isinstance(host, str) or not _is_host(host):
            found.append(FieldProblem(("host",), "must be a name or an address"))
        if isinstance(port, str) and re.fullmatch(r"[0-9]{1,5}", port):
            port = int(port)
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
            found.append(FieldProblem(("port",), "must be 1 to 65535"))
        for name in (user, "password"):
            text = value.get(name) or ""
            if not isinstance(text, str) or len(text) > _LONGEST or not text.isprintable():
                problem = f"must be at most {_LONGEST} printable characters"
                found.append(FieldProblem((name,), problem))
        return found

    def as_dict(self) -> dict[str, Any]:
        return attrs.asdict(self)

    def masked(self) -> dict[str, Any]:
        """The object for answers, without the password."""
        shown: dict[str, Any] = {"type": self.type, "host": self.host, "port": self.port}
        if self.username:
            shown["username"] = self.username
        if self.password:
            shown["password"] = _HIDDEN
        return shown

    def keeping_password_of(self, old: "Proxy | None") -> "Proxy":
        """This proxy, with `old`'s password if the caller sent back the masked one.

        Raises `ValueError` if anything else differs from `old`: a password never goes to another proxy.
        """
        if self.password != _HIDDEN:
            return self
        if old is None or attrs.evolve(old, password=_HIDDEN) != self:
            raise ValueError("password: give it again with another proxy")
        return old


def _read_host(host: str) -> str:
    """Raises `ValueError`."""
    if ":" not in host:
        return to_ascii(host)
    if ipaddress.ip_address(host.strip("[]")).version != 6:
        raise ValueError("not an address")
    return host


def _is_host(host: str) -> bool:
    try:
        _read_host(host)
    except ValueError:
        return False
    return True
