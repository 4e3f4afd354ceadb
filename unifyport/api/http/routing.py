"""A route: one row of the table that drives dispatch, validation, declared errors and the document."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal

import attrs

from unifyport.gateway import errors as codes
from unifyport.gateway.gateway import Gateway
from unifyport.gateway.remarks import Remarks

from .cursors import Cursors
from .errors import INVALID_REQUEST, TOO_LARGE, WRONG_MEDIA_TYPE, ErrorSpec, error, failures
from .messages import Headers, Request, Response

JSON = "application/json"
Method = Literal["GET", "POST", "PATCH", "DELETE"]
MAX_BODY = 1024 * 1024
BODY_SECONDS = 10.0
_ADMISSION = (error(codes.MISSING_KEY), error(codes.INVALID_KEY), error(codes.RATE_LIMITED))


@attrs.define
class Call:
    """One request, checked: `body` is a value of the route's body class (None where there is none).

    `owner`: it came by the control socket.
    """

    gateway: Gateway
    cursors: Cursors
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Headers
    body: Any = None
    answer_headers: dict[str, str] = attrs.field(factory=dict)  # of the answer, an error too
    remarks: Remarks = attrs.field(factory=Remarks)
    owner: bool = False


@attrs.frozen
class Query:
    """A query parameter, or a header. `more` is what its schema says beside its type."""

    name: str
    kind: Literal["string", "integer"] = "string"
    description: str = ""
    required: bool = False
    more: Mapping[str, Any] = attrs.field(factory=dict)


Handler = Callable[[Call], Awaitable[Any]]


@attrs.frozen
class Route:
    """`failure_code`: of an `OperationFailure`, an unforeseen exception, and storage that is unavailable."""

    operation_id: str
    method: Method
    path: str  # `/v1/accounts/{account_id}`
    handler: Handler
    tag: str
    summary: str
    failure_code: str
    data: Any = None  # the class of `data`; None: no body, 204
    body: type | None = None
    body_required: bool = True
    success: int = 200
    errors: tuple[ErrorSpec, ...] = ()
    query: tuple[Query, ...] = ()
    headers: tuple[Query, ...] = ()  # that a caller may send
    aliases: tuple[str, ...] = ()  # older paths of the public record
    public: bool = False  # no API key
    extension: bool = False  # not part of the contract
    content: str = JSON  # of the answer to a success
    consumes: str = JSON  # anything else is not for the dispatcher of JSON bodies
    max_body: int = MAX_BODY  # bytes
    body_seconds: float = BODY_SECONDS  # for the whole body to come in
    settles: bool = False  # the handler adds remarks of its own, and then calls `remarks.settle()`

    @property
    def declared(self) -> tuple[ErrorSpec, ...]:
        """Every error of this route, the common ones included."""
        common: tuple[ErrorSpec, ...] = () if self.public else _ADMISSION
        if self.body is not None:
            common += (INVALID_REQUEST, TOO_LARGE, WRONG_MEDIA_TYPE)
        if not self.public:
            common += failures(self.failure_code)
        return common + tuple(error for error in self.errors if error not in common)


@attrs.frozen
class Page:
    """A GET beside the API: no key, no envelope around a success. `failure_code` is as a route's."""

    path: str
    answer: Callable[[dict[str, str]], Awaitable[Response]]
    failure_code: str = "internal_error"


@attrs.frozen
class PublicPage:
    """As `Page`, for one whose answer depends on more of the request than its path; a GET answers HEAD."""

    path: str
    answer: Callable[[Request, dict[str, str]], Awaitable[Response]]
    method: Literal["GET", "POST"] = "GET"
    failure_code: str = "internal_error"
