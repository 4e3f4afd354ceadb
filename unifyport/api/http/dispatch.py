"""The dispatcher: a `Request` comes in, a `Response` goes out; no server and no framework is known here.

The order of checks is the contract's: door, route, API key, media type and JSON, fields, then the handler. An
answer to a call of the API is JSON in the envelope, never compressed, never a redirect; an error never shows
a traceback. Cancelled: a GET ends; other requests run to their end, for at most 30 s.
"""

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
import trio
from msgspec import UNSET

from supervisors import Slices
from unifyport.gateway.gateway import Gateway
from unifyport.gateway.remarks import Remarks
from unifyport.model.ids import new_id
from unifyport.model.json_depth import MAX_VALUES, too_deep, too_many_values
from unifyport.model.json_text import UNREADABLE
from unifyport.model.structuring import strict_converter, structure
from unifyport.process.json_lines import as_extra
from unifyport.process.logs import bind, unbind

from . import envelope
from .answers import answer_data, answer_error, plain_data
from .callers import admit
from .cursors import Cursors
from .errors import (
    NO_SUCH_METHOD,
    WRONG_MEDIA_TYPE,
    ApiError,
    bad_request,
    fault,
    from_exception,
    internal_error,
    no_such,
    not_finished,
    overloaded,
)
from .event_stream import EventStream
from .messages import Headers, Request, Response
from .paths import parse_query
from .router import Match, Router
from .routing import JSON, Call, Page, PublicPage, Route
from .strictness import note_unknown, read_remarks

log = logging.getLogger("unifyport.api")

WRITE_SECONDS = 30
MOST_IN_WORK = 2048  # requests that change something; reads are short, and an operator needs them then
MOST_IN_A_CROWD = 1024  # the same, while connections come faster than they are accepted
Observe = Callable[[str, int, float], None]  # operation, status, seconds


class Dispatcher:
    """Answers requests by the rows of a router. `observe` is told of each API call."""

    def __init__(
        self,
        gateway: Gateway,
        cursors: Cursors,
        router: Router[Route | Page | PublicPage],
        *,
        observe: Observe,
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        self._gateway = gateway
        self._cursors = cursors
        self._router = router
        self._observe = observe
        self._crowded = crowded
        self._converter = strict_converter(forbid_extra_keys=False, limited=True)
        self._in_work = 0  # requests that are no GET, of callers who were admitted

    async def dispatch(self, request: Request) -> Response:
        """Never raises, unless it is cancelled."""
        found = self._router.match(request.method, request.path)
        if not request.door.admits(request.path) or not (isinstance(found, Match) or found.allowed):
            return _refuse(request, no_such("route"))
        if not isinstance(found, Match):
            response = _refuse(request, fault(NO_SUCH_METHOD, _phrase(NO_SUCH_METHOD.status)))
            response.headers.add("allow", ", ".join(sorted(found.allowed)))
            return response
        target, path = found.target, found.values
        if isinstance(target, Page | PublicPage):
            try:
                if isinstance(target, PublicPage):
                    return await target.answer(request, path)
                return await target.answer(path)
            except Exception as error:
                return self._failure(request, error, new_id("req"), target.failure_code)
        request_id, began = new_id("req"), trio.current_time()
        bound = bind(request_id=request_id)
        try:
            response, seen = await self._enter(request, target, path, request_id)
            seconds = trio.current_time() - began
            self._observe(target.operation_id, response.status, seconds)
            if seen and self._gateway.log_requests() and not target.public:
                fields = {"operation": target.operation_id, "status": response.status, **path}
                _log_request(request, response.status, seconds, fields)
        finally:
            unbind(bound)
        return response

    def refuse(self, method: str, path: str, headers: Headers) -> Response | None:
        """The answer to a request of a known caller that is not looked at, as too many are in work.

        None: the request is to be dispatched.
        """
        if not self._overloaded:
            return None
        found = self._router.match(method, path)
        route = found.target if isinstance(found, Match) else None
        if not isinstance(route, Route) or route.public or route.method == "GET":
            return None
        if not self._gateway.callers.knows(headers.get("x-api-key")):
            return None
        error = overloaded(route.failure_code)
        self._observe(route.operation_id, error.status, 0.0)
        return answer_error(error, new_id("req"), _client_id(headers))

    async def _enter(
        self, request: Request, route: Route, path: dict[str, str], request_id: str
    ) -> tuple[Response, bool]:
        """The answer, and whether the request was looked at: with too many in work it is not."""
        try:
            if not route.public and not request.door.owner:
                await admit(self._gateway.callers, request.headers.get("x-api-key"))
                if route.method != "GET" and self._overloaded:
                    error = overloaded(route.failure_code)
                    return answer_error(error, request_id, _client_id(request.headers)), False
        except Exception as error:
            return self._failure(request, error, request_id, route.failure_code), True
        changing = route.method != "GET"
        self._in_work += changing
        try:
            return await self._answer(request, route, path, request_id), True
        finally:
            self._in_work -= changing

    @property
    def _overloaded(self) -> bool:
        """Whether no further request that changes something is looked at."""
        if self._in_work < MOST_IN_A_CROWD:
            return False
        return self._in_work >= MOST_IN_WORK or self._crowded()

    async def _answer(
        self, request: Request, route: Route, path: dict[str, str], request_id: str
    ) -> Response:
        extra: dict[str, str] = {}  # headers that the handler adds to the answer, an error too
        remarks = Remarks()
        try:
            raw = UNSET if route.body is None else await self._read_body(request, route)
            query = parse_query(request.query)
            remarks = read_remarks(request.headers, always=self._gateway.strict())
            slices = Slices()
            note_unknown(remarks, route, query, raw)
            body = None if route.body is None else self._structure(raw, route.body)
            await slices.pause()
            if not route.settles:
                remarks.settle()
            call = Call(
                self._gateway,
                self._cursors,
                path,
                query,
                request.headers,
                body=body,
                answer_headers=extra,
                remarks=remarks,
                owner=request.door.owner,
            )
            data = await self._handle(route, call)
            if isinstance(data, EventStream):
                response = await data.response(to_head=request.method == "HEAD")
                response.headers.add("x-request-id", request_id)
            else:
                plain = None if route.data is None else await plain_data(data)
                response = answer_data(
                    plain, route.success, request_id, _client_id(request.headers), remarks.warnings
                )
        except Exception as error:
            response = self._failure(request, error, request_id, route.failure_code, remarks)
        for name, value in extra.items():
            response.headers.add(name, value)
        return response

    async def _handle(self, route: Route, call: Call) -> Any:
        if route.method == "GET":
            return await route.handler(call)
        with trio.CancelScope(shield=True, deadline=trio.current_time() + WRITE_SECONDS):
            return await route.handler(call)
        raise not_finished(route.failure_code)  # the deadline has passed

    async def _read_body(self, request: Request, route: Route) -> Any:
        """The JSON value of the body; UNSET for an empty one."""
        raw = await request.body.read(route.max_body, route.body_seconds)
        if not raw:
            if route.body_required:
                raise bad_request("a JSON body is required")
            return UNSET
        if request.headers.get("content-type").partition(";")[0].strip(" \t").lower() != JSON:
            raise fault(WRONG_MEDIA_TYPE, "send the body as Content-Type: application/json")
        slices = Slices()
        if too_many_values(raw):
            raise bad_request(f"the body has more than {MAX_VALUES} values")
        await slices.pause()
        if too_deep(raw):
            raise bad_request("the body is nested too deeply")
        await slices.pause()
        try:
            value = msgspec.json.decode(raw)
        except UNREADABLE as error:
            raise bad_request(f"the body is not valid JSON: {error}") from None
        await slices.pause()
        return value

    def _structure(self, value: Any, into: type) -> Any:
        if value is UNSET:
            return into()
        if into is dict:
            if not isinstance(value, dict):
                raise bad_request("the body must be an object")
            return value
        return structure(self._converter, value, into)

    def _failure(
        self, request: Request, error: Exception, request_id: str, code: str, remarks: Remarks | None = None
    ) -> Response:
        known = from_exception(error, code)
        if known is None:
            log.exception("request %s crashed", request_id, exc_info=error)
            known = internal_error(code)
        warnings = () if remarks is None else remarks.warnings
        return answer_error(known, request_id, _client_id(request.headers), warnings)


def _refuse(request: Request, error: ApiError) -> Response:
    return answer_error(error, new_id("req"), _client_id(request.headers))


def _client_id(headers: Headers) -> str | None:
    return envelope.client_request_id(headers.get("x-request-id"))


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase.lower()


def _log_request(request: Request, status: int, seconds: float, fields: dict[str, Any]) -> None:
    """Ids and numbers: no query, no body, no names."""
    fields |= {"ms": round(seconds * 1000, 1), "client": request.peer or "local"}
    if (client_id := _client_id(request.headers)) is not None:
        fields["client_request_id"] = client_id
    log.log(logging.WARNING if status >= 500 else logging.INFO, "request", extra=as_extra(fields))
