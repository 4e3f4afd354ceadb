"""The HTTP API of a gateway: the table of routes, and what stands before the dispatcher.

Ingress and uploads read their own bodies as they come, and stand beside it. The busiest routes go to the
dispatcher directly, all others through Quart.
"""

from collections.abc import Iterable

import msgspec
import trio

from unifyport.front.exchange import Exchange, Handler
from unifyport.front.http1 import Head
from unifyport.front.lobby import Refusal, Refuse
from unifyport.gateway.gateway import Gateway

from . import uploads
from .http import docs_page
from .http.answers import JSON
from .http.cursors import Cursors
from .http.direct import answer_directly
from .http.dispatch import Dispatcher
from .http.doors import Audience, Door, audience_of
from .http.messages import Headers, Response
from .http.openapi import document
from .http.paths import decode_path
from .http.provider_data import describe
from .http.quart_app import quart_app
from .http.router import Router
from .http.routing import Page, PublicPage, Route
from .ingress import IngressFront
from .routes import (
    account_auth,
    account_runtime,
    accounts,
    api_keys,
    clock,
    contacts,
    conversations,
    deliveries,
    events,
    groups,
    health,
    labels,
    login_pages,
    media,
    message_actions,
    messages,
    metrics,
    providers,
    qr,
    quarantine,
    reload,
    status,
    supervisors,
    templates,
    webhook_endpoints,
    workspace,
)

ROUTES: tuple[Route, ...] = (
    *workspace.ROUTES,
    *api_keys.ROUTES,
    *providers.ROUTES,
    *accounts.ROUTES,
    *account_auth.ROUTES,
    *account_runtime.ROUTES,
    *supervisors.ROUTES,
    *reload.ROUTES,
    *clock.ROUTES,
    *conversations.ROUTES,
    *labels.ROUTES,
    *contacts.ROUTES,
    *groups.ROUTES,
    *messages.ROUTES,
    *message_actions.ROUTES,
    *templates.ROUTES,
    *uploads.ROUTES,
    *webhook_endpoints.ROUTES,
    *deliveries.ROUTES,
    *events.ROUTES,
    *health.ROUTES,
    *status.ROUTES,
    *quarantine.ROUTES,
)


# What is asked for most, and the long pages that strangers may ask for.
_SENDS = "/v1/messages"
BUSY = frozenset((_SENDS, "/v1/events", "/healthz", "/readyz", "/openapi.json", "/docs"))
_EVENTS = "/v1/events/"  # one of them, and their stream


def new_router(
    routes: Iterable[Route], pages: Iterable[Page | PublicPage] = ()
) -> Router[Route | Page | PublicPage]:
    """Routes by every path that they have, and pages."""
    router = Router[Route | Page | PublicPage]()
    for route in routes:
        for path in (route.path, *route.aliases):
            router.add(route.method, path, route)
    for page in pages:
        router.add(page.method if isinstance(page, PublicPage) else "GET", page.path, page)
    return router


class Front:
    """The HTTP front of one gateway: the dispatcher of the API, and ingress and uploads beside it."""

    def __init__(
        self,
        gateway: Gateway,
        cursors: Cursors,
        figures: metrics.FrontFigures,
        routes: Iterable[Route] = ROUTES,
    ) -> None:
        self._gateway = gateway
        self._ingress = IngressFront(gateway.ingress)
        self._uploads = uploads.UploadFront(gateway.uploads, gateway.callers)
        self._requests = metrics.Requests()
        self._metrics = metrics.Exposition(gateway.figures, self._requests, self._ingress, figures)
        described = document(list(routes))
        describe(described, gateway.providers.registry)
        self._document = msgspec.json.encode(described)
        html, self._docs_headers = docs_page.page(described)
        self._docs = html.encode()
        table = (*routes, account_runtime.UNKNOWN_ACTION)
        router = new_router(table, self._pages())
        dispatcher = Dispatcher(
            gateway,
            cursors,
            router,
            observe=self._requests.observe,
            crowded=lambda: figures.connections.crowded,
        )
        self.dispatch, self._refuse = dispatcher.dispatch, dispatcher.refuse
        self._by_quart = quart_app(self.dispatch, max_body=max(route.max_body for route in table))

    def behind(self, door: Door) -> Handler:
        """The application for one listener."""

        async def answer(exchange: Exchange) -> None:
            path = decode_path(exchange.path.decode("latin-1"))
            if door.admits(path):
                if audience_of(path) is Audience.PLATFORMS:
                    return await self._ingress.answer(exchange, path)
                plain = path.rstrip("/")
                if plain in BUSY or plain.startswith(_EVENTS):
                    return await answer_directly(self.dispatch, door, exchange)
                if plain == uploads.PATH and exchange.method == "POST":
                    return await self._upload(door, exchange)
            return await self._by_quart(door, exchange)

        return answer

    def refusing(self, door: Door) -> Refuse:
        """What refuses requests by their heads for one listener."""

        def refuse(head: Head) -> Refusal | None:
            if head.path != _SENDS.encode() or not door.admits(_SENDS):
                return None
            response = self._refuse(head.method, _SENDS, Headers.from_wire(head.fields))
            if response is None:
                return None
            fields = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
            assert isinstance(response.body, bytes)
            return Refusal(response.status, fields, response.body)

        return refuse

    async def _upload(self, door: Door, exchange: Exchange) -> None:
        began = trio.current_time()
        status = await self._uploads.answer(exchange, owner=door.owner)
        self._requests.observe(uploads.OPERATION, status, trio.current_time() - began)

    def _pages(self) -> tuple[Page | PublicPage, ...]:
        return (
            *login_pages.pages(self._gateway.login_pages),
            Page("/openapi.json", self._openapi),
            Page("/docs", self._read),
            Page("/media/{token}", self._media, "media_failed"),
            Page("/qr/{name}", self._qr, "qr_failed"),
            Page("/metrics", self._scrape),
        )

    async def _media(self, path: dict[str, str]) -> Response:
        return await media.serve(self._gateway.linked_files, path["token"])

    async def _qr(self, path: dict[str, str]) -> Response:
        return await qr.serve(self._gateway.linked_files, path["name"])

    async def _scrape(self, _: dict[str, str]) -> Response:
        return _page(metrics.CONTENT_TYPE, await self._metrics.expose())

    async def _read(self, _: dict[str, str]) -> Response:
        await trio.lowlevel.checkpoint()
        response = _page("text/html; charset=utf-8", self._docs)
        for name, value in self._docs_headers.items():
            response.headers.add(name, value)
        return response

    async def _openapi(self, _: dict[str, str]) -> Response:
        await trio.lowlevel.checkpoint()
        return _page(JSON, self._document)


def _page(content_type: str, body: bytes) -> Response:
    return Response(200, Headers((("content-type", content_type),)), body)
