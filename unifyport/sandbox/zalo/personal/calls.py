"""A request of the API after its session was found and its parameters were opened."""

from collections.abc import Callable
from typing import Any, Literal

import attrs
import msgspec

from unifyport.protocols.zalo_frames import SessionCipher, ZaloProtocolError

from .world import Session, invalid

API_TYPE = "30"


@attrs.frozen
class Rule:
    """`method`: POST has its parameters in the form, GET and UPLOAD (a POST) in the query."""

    method: Literal["GET", "POST", "UPLOAD"]
    service: str
    path: str


@attrs.frozen
class Asked:
    """`file`: of a multipart body. Reading a field that is not as it must be raises `Refused`."""

    session: Session
    fields: dict[str, Any]
    query: dict[str, str]
    file: bytes | None = None

    def text(self, name: str) -> str:
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise invalid(name)
        return value

    def maybe(self, name: str) -> str:
        """A text that may be empty, but not missing."""
        value = self.fields.get(name)
        if not isinstance(value, str):
            raise invalid(name)
        return value

    def number(self, name: str) -> int:
        value = self.fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise invalid(name)
        return value

    def ids(self, name: str) -> list[str]:
        value = self.fields.get(name)
        if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
            raise invalid(name)
        return value

    def inner(self, name: str) -> Any:
        """JSON inside of the JSON."""
        try:
            return msgspec.json.decode(self.text(name))
        except msgspec.DecodeError:
            raise invalid(name) from None


Handler = Callable[[Any, Asked], dict[str, Any] | list[Any] | str]


def opened(session: Session, query: dict[str, str], sealed: str | None) -> dict[str, Any]:
    """The fields in `params`. Raises `Refused`."""
    if query.get("zpw_type") != API_TYPE or not query.get("zpw_ver", "").isdigit():
        raise invalid("zpw_ver")
    if sealed is None:
        raise invalid("params")
    try:
        fields = msgspec.json.decode(SessionCipher(session.secret).open(sealed))
    except (ZaloProtocolError, msgspec.DecodeError):
        raise invalid("params") from None
    if not isinstance(fields, dict):
        raise invalid("params")
    return fields


def sealed(session: Session, data: Any) -> str:
    """`data` of an answer: the document that has the result."""
    return document(session, 0, "", data)


def document(session: Session, code: int, message: str, data: Any) -> str:
    told = {"error_code": code, "error_message": message, "data": data}
    return SessionCipher(session.secret).seal(msgspec.json.encode(told))
