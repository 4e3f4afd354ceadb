"""Writes requests of calls as bytes. Nothing that a caller passes can become another header or request.

Pure: values in, bytes out.
"""

import base64
import re
from collections.abc import Mapping

from unifyport.model.proxy import Proxy

from .urls import Location

_DEFAULTS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "UnifyPort"}
_OURS = frozenset({"connection", "content-length", "host", "te", "trailer", "transfer-encoding", "upgrade"})
_FIELDS = re.compile(r"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e]*\r\n)*")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def _lines(headers: Mapping[str, str]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


_DEFAULT_LINES = _lines(_DEFAULTS)


class NotARequest(Exception):
    """A header cannot be sent, or is not the caller's matter. The text holds none of it."""


class Requests:
    """Requests for one URL. `forwarded_by`: the HTTP proxy that gets them (RFC 9112, section 3.2.2)."""

    __slots__ = ("_default_lines", "_defaults", "_first", "_target")

    def __init__(self, at: Location, forwarded_by: Proxy | None = None) -> None:
        self._target = at.path
        self._first = f"Host: {at.authority}\r\n"
        self._defaults, self._default_lines = _DEFAULTS, _DEFAULT_LINES
        if at.userinfo is not None:
            self._defaults = _DEFAULTS | {"authorization": authorization(*at.userinfo)}
            self._default_lines = _lines(self._defaults)
        if forwarded_by is not None:
            self._target = f"{at.scheme}://{at.authority}{at.path}"
            if forwarded_by.username or forwarded_by.password:
                login = authorization(forwarded_by.username, forwarded_by.password)
                self._first += f"Proxy-Authorization: {login}\r\n"

    def write(self, method: str, content: bytes | None, headers: Mapping[str, str]) -> bytes:
        """A request. Raises `NotARequest`."""
        lines = _lines(headers)
        names = {name.lower() for name in headers}
        written = _FIELDS.fullmatch(lines) is not None and lines.count("\r\n") == len(headers)
        if not written or len(names) < len(headers) or not _OURS.isdisjoint(names):
            raise NotARequest
        if names.isdisjoint(self._defaults):
            lines += self._default_lines
        else:
            lines += _lines({name: value for name, value in self._defaults.items() if name not in names})
        if content is None:
            length = "content-length: 0\r\n" if method in _WITH_BODY else ""
            return f"{method} {self._target} HTTP/1.1\r\n{self._first}{lines}{length}\r\n".encode()
        head = (
            f"{method} {self._target} HTTP/1.1\r\n{self._first}{lines}content-length: {len(content)}\r\n\r\n"
        )
        return head.encode() + content


def authorization(username: str, password: str) -> str:
    """The value of an `Authorization` or `Proxy-Authorization` (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
