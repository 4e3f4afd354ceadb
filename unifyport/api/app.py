"""The application: one dispatcher for every route of the table.

The order of checks is the contract's: route, API key, media type and JSON, fields, then the handler. An answer
is always JSON in the envelope, never compressed, never a redirect; an error never shows a traceback.
"""

import enum
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, cast

import attrs
import msgspec
import structlog
import trio
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge

from unifyport.front.asgi import App, Receive, Scope, Send, respond
from unifyport.gateway.gateway import Gateway
from unifyport.model.ids import new_id
from unifyport.model.json_depth import too_deep
from unifyport.model.structuring import strict_converter, structure

from . import uploads
from .http import docs_page, envelope
from .http.callers import Callers
from .http.errors import ApiError, from_exception
from .http.event_stream import EventStream
from .http.openapi import document
from .http.routing import Call, Route
from .ingress import INGRESS_PREFIX, IngressFront
from .routes import (
    account_auth,
    account_runtime,
    accounts,
    api_keys,
    contacts,
    conversations,
    deliveries,
    events,
    groups,
    health,
    media,
    message_actions,
    messages,
    metrics,
    providers,
    qr,
    reload,
    supervisors,
    webhook_endpoints,
    workspace,
)

log = logging.getLogger("unifyport.api")

MAX_BODY = 1024 * 1024
BODY_SECONDS = 10
WRITE_SECONDS = 30
_DOOR = "unifyport.door"  # in the ASGI scope: the listener by which a request came

ROUTES: tuple[Route, ...] = (
    *workspace.ROUTES,
    *api_keys.ROUTES,
    *providers.ROUTES,
    *accounts.ROUTES,
    *account_auth.ROUTES,
    *account_runtime.ROUTES,
    *supervisors.ROUTES,
    *reload.ROUTES,
    *conversations.ROUTES,
    *contacts.ROUTES,
    *groups.ROUTES,
    *messages.ROUTES,
    *message_actions.ROUTES,
    *uploads.ROUTES,
    *webhook_endpoints.ROUTES,
    *deliveries.ROUTES,
    *events.ROUTES,
    *health.ROUTES,
)


class Audience(enum.Enum):
    """Who calls a path. `/healthz` and `/readyz` are everybody's."""

    CUSTOMERS = "customers"  # the API
    PLATFORMS = "platforms"  # ingress
    RECEIVERS = "receivers"  # files and QR codes, by links
    OPERATORS = "operators"  # metrics, and the API to read
    EVERYBODY = "everybody"


@attrs.frozen
class Door:
    """A listener: whom it lets in, and whether those need no API key (the owner's socket)."""

    audiences: frozenset[Audience]
    owner: bool = False


def audience_of(path: str) -> Audience:
    path = path.rstrip("/") or "/"  # as the routes see it
    if f"{path}/".startswith(INGRESS_PREFIX):
        return Audience.PLATFORMS
    if f"{path}/".startswith(("/media/", "/qr/")):
        return Audience.RECEIVERS
    if path in ("/metrics", "/docs"):
        return Audience.OPERATORS
    return Audience.EVERYBODY if path in ("/healthz", "/readyz") else Audience.CUSTOMERS


class Front:
    """The HTTP front of one gateway: the quart-trio application of the API, and ingress beside it."""

    def __init__(self, gateway: Gateway, routes: Iterable[Route] = ROUTES) -> None:
        self._gateway = gateway
        self._ingress = IngressFront(gateway)
        self._callers = Callers(gateway)
        self._uploads = uploads.UploadFront(gateway, self._callers)
        self._requests = metrics.Requests()
        self._metrics = metrics.new_registry(gateway, self._requests, self._ingress)
        self._converter = strict_converter(forbid_extra_keys=False)
        described = document(list(routes))
        self._document = msgspec.json.encode(described)
        self._docs, self._docs_headers = docs_page.page(described)
        self.app = app = QuartTrio(__name__, static_folder=None)
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
        app.config["BODY_TIMEOUT"] = BODY_SECONDS
        app.config["PROPAGATE_EXCEPTIONS"] = False
        app.url_map.strict_slashes = False
        app.url_map.merge_slashes = False
        for route in (*routes, account_runtime.UNKNOWN_ACTION):
            self._add(route)
        app.add_url_rule(
            "/openapi.json", "openapi", self._openapi, methods=["GET"], provide_automatic_options=False
        )
        app.add_url_rule("/docs", "docs", self._read, methods=["GET"], provide_automatic_options=False)
        app.add_url_rule(
            "/media/<token>", "media", self._media, methods=["GET"], provide_automatic_options=False
        )
        app.add_url_rule("/qr/<name>", "qr", self._qr, methods=["GET"], provide_automatic_options=False)
        app.add_url_rule(
            "/metrics", "metrics", self._scrape, methods=["GET"], provide_automatic_options=False
        )
        app.register_error_handler(HTTPException, self._http_error)
        app.register_error_handler(Exception, self._crash)

    def behind(self, door: Door) -> App:
        """The application for one listener."""

        async def entered(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                audience = audience_of(scope["path"])
                if audience is not Audience.EVERYBODY and audience not in door.audiences:
                    return await self._nowhere(send)
                if audience is Audience.PLATFORMS:
                    return await self._ingress(scope, receive, send)
                if scope["path"].rstrip("/") == uploads.PATH and scope["method"] == "POST":
                    return await self._upload(door, scope, receive, send)
            return await self.app({**scope, _DOOR: door}, receive, send)  # type: ignore[arg-type]

        return entered

    async def _upload(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        began = trio.current_time()
        status = await self._uploads(scope, receive, send, owner=door.owner)
        self._requests.observe(uploads.OPERATION, status, trio.current_time() - began)

    async def _nowhere(self, send: Send) -> None:
        error = {"code": "not_found", "message": "no such route"}
        request_id = new_id("req")
        body = envelope.encode({"error": error}, request_id, None)
        headers = [(b"x-request-id", request_id.encode())]
        await respond(send, HTTPStatus.NOT_FOUND, body, b"application/json", headers)

    def _add(self, route: Route) -> None:
        async def view(**path: str) -> Response:
            return await self._dispatch(route, path)

        for number, path in enumerate((route.path, *route.aliases)):
            self.app.add_url_rule(
                path.replace("{", "<").replace("}", ">"),
                f"{route.operation_id}.{number}",
                view,
                methods=[route.method],
                provide_automatic_options=False,
            )

    async def _dispatch(self, route: Route, path: dict[str, str]) -> Response:
        request_id, began = new_id("req"), trio.current_time()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = await self._answer(route, path, request_id)
            seconds = trio.current_time() - began
            self._requests.observe(route.operation_id, response.status_code, seconds)
            if self._gateway.settings.logging.requests and not route.public:
                _log_request(route, path, response.status_code, seconds)
        return response

    async def _answer(self, route: Route, path: dict[str, str], request_id: str) -> Response:
        more: dict[str, str] = {}
        response = await self._answer_with(route, path, request_id, more)
        response.headers.extend(more)
        return response

    async def _answer_with(
        self, route: Route, path: dict[str, str], request_id: str, more: dict[str, str]
    ) -> Response:
        """`more` are headers that the handler may add to, whatever it comes to."""
        try:
            if not route.public:
                await self._authenticate()
            body = await self._body(route) if route.body is not None else None
            query = {name: values[-1] for name, values in request.args.to_dict(flat=False).items()}
            call = Call(self._gateway, path, query, request.headers, body, more)
            data = await self._handle(route, call)
            if isinstance(data, EventStream):
                response = data.response()
                response.headers["X-Request-Id"] = request_id
                return response
        except Exception as error:
            return self._error(error, request_id, route.failure_code)
        return _respond(None if route.data is None else _plain(data), route.success, request_id)

    async def _handle(self, route: Route, call: Call) -> Any:
        """A read ends when its caller goes away; what changes something is finished once it has begun."""
        if route.method == "GET":
            return await route.handler(call)
        with trio.CancelScope(shield=True, deadline=trio.current_time() + WRITE_SECONDS):
            return await route.handler(call)
        raise ApiError(503, route.failure_code, "not finished in time; read what became of it", retry_after=1)

    async def _authenticate(self) -> None:
        if cast(Scope, request.scope)[_DOOR].owner:
            return
        await self._callers.admit(request.headers.get("X-Api-Key"))

    async def _body(self, route: Route) -> Any:
        assert route.body is not None
        raw = cast(bytes, await request.get_data(cache=False))
        if not raw:
            if route.body_required:
                raise ApiError(400, "invalid_request", "a JSON body is required")
            return route.body()
        if request.mimetype != "application/json":
            raise ApiError(415, "invalid_request", "send the body as Content-Type: application/json")
        if too_deep(raw):
            raise ApiError(400, "invalid_request", "the body is nested too deeply")
        try:
            value = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise ApiError(400, "invalid_request", f"the body is not valid JSON: {error}") from None
        if route.body is dict:
            if not isinstance(value, dict):
                raise ApiError(400, "invalid_request", "the body must be an object")
            return value
        return structure(self._converter, value, route.body)

    def _error(self, error: Exception, request_id: str, failure_code: str) -> Response:
        if isinstance(error, HTTPException):
            known: ApiError | None = _from_http(error)
        else:
            known = from_exception(error, failure_code)
        if known is None:
            log.exception("request %s crashed", request_id, exc_info=error)
            known = ApiError(500, failure_code, "internal error")
        return _refuse(known, request_id)

    async def _http_error(self, error: HTTPException) -> Response:
        response = _refuse(_from_http(error), new_id("req"))
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
        return response

    async def _crash(self, error: Exception) -> Response:
        return self._error(error, new_id("req"), "internal_error")

    async def _media(self, token: str) -> Response:
        request_id = new_id("req")
        try:
            return await media.serve(self._gateway, token)
        except Exception as error:
            return self._error(error, request_id, "media_failed")

    async def _qr(self, name: str) -> Response:
        request_id = new_id("req")
        try:
            return await qr.serve(self._gateway, name)
        except Exception as error:
            return self._error(error, request_id, "qr_failed")

    async def _scrape(self) -> Response:
        await trio.lowlevel.checkpoint()
        return Response(metrics.expose(self._metrics), content_type=metrics.CONTENT_TYPE)

    async def _read(self) -> Response:
        await trio.lowlevel.checkpoint()
        return Response(self._docs, headers=self._docs_headers, content_type="text/html; charset=utf-8")

    async def _openapi(self) -> Response:
        await trio.lowlevel.checkpoint()
        return Response(self._document, content_type="application/json")


def _log_request(route: Route, path: dict[str, str], status: int, seconds: float) -> None:
    """Ids and numbers: no query, no body, no names."""
    client = request.scope.get("client")
    fields: dict[str, Any] = {
        "operation": route.operation_id,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "client": client[0] if client else "local",
        **path,
    }
    client_id = envelope.client_request_id(request.headers.get("X-Request-Id", ""))
    if client_id is not None:
        fields["client_request_id"] = client_id
    log.log(logging.WARNING if status >= 500 else logging.INFO, "request", extra=fields)


def _from_http(error: HTTPException) -> ApiError:
    status = error.code or 500
    if isinstance(error, RequestEntityTooLarge):
        return ApiError(413, "invalid_request", f"a body may have at most {MAX_BODY} bytes")
    if status == 404:
        return ApiError(404, "not_found", "no such route")
    return ApiError(status, "invalid_request", HTTPStatus(status).phrase.lower())


def _plain(data: Any) -> Any:
    """attrs values as JSON values, without what is absent."""
    if attrs.has(type(data)):
        fields = attrs.fields(type(data))
        pairs = ((field.name, getattr(data, field.name)) for field in fields)
        return {name: _plain(value) for name, value in pairs if value is not None}
    if isinstance(data, list):
        return [_plain(item) for item in data]
    return data


def _refuse(error: ApiError, request_id: str) -> Response:
    response = _json(envelope.of_error(error), error.status, request_id)
    retry_after = envelope.retry_after(error)
    if retry_after is not None:
        response.headers["Retry-After"] = retry_after
    return response


def _respond(data: Any, status: int, request_id: str) -> Response:
    if status == 204:
        response = Response(b"", 204)
        response.headers.pop("Content-Type", None)
        response.headers["X-Request-Id"] = request_id
        return response
    return _json({"data": data}, status, request_id)


def _json(content: dict[str, Any], status: int, request_id: str) -> Response:
    client_id = envelope.client_request_id(request.headers.get("X-Request-Id", ""))
    body = envelope.encode(content, request_id, client_id)
    response = Response(body, status, content_type="application/json")
    response.headers["X-Request-Id"] = request_id
    return response
