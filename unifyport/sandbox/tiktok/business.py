"""TikTok's Business Messaging API, played on loopback (https://business-api.tiktok.com/portal/docs).

Every app and every business account of the right shape exists; the first secret of an app is its secret.
The page of consent agrees at once. Access tokens last a day, refresh tokens serve once. Errors come with HTTP
200. A path without its last slash is 404. The app's webhook is called, signed, with every event of its
business accounts until it is answered with 200; a message that was sent is echoed, before its answer or after
it.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import trio
from quart import Response, request

from ..http import as_json, http
from .calls import OF_APPS, OF_BUSINESSES, keep_upload
from .customers import Customers
from .state import SCOPES, ApiError, App, Business

_METHODS = ["GET", "POST"]


class TikTokPlatform(Customers):
    """The platform's state, its API, and the page of consent.

    `consenting`: the business account whose owner opens the page of consent next. `echo_first`: an echo is
    delivered before the send is answered.
    """

    def __init__(self) -> None:
        super().__init__()
        self.consenting = "business-000001"
        self.refuses_consent = False
        self.echo_first = False
        self.protocols = [http(self.app, "business_api", ("api_url", "authorize_url"))]
        add = self.app.add_url_rule
        add("/v2/auth/authorize/", "authorize", self._authorize, methods=["GET"])
        add("/open_api/v1.3/<path:path>", "api", self._call, methods=_METHODS)
        add("/files/<file_id>", "file", self._file, methods=["GET"])

    # -- the API ---------------------------------------------------------------------------------------------

    async def _call(self, path: str) -> Response:
        route, method = f"{request.method} {path}", path.rstrip("/").split("/")[-1]
        if "/" in path and path.split("/")[-2] in ("webhook", "capabilities"):
            method = path.split("/")[-2]
        upload = route == "POST business/message/media/upload/"
        if route not in OF_APPS and route not in OF_BUSINESSES and not upload:
            return Response(b"404 page not found", 404)
        parameters = await self._parameters(upload=upload)
        content, mime_type = b"", ""
        if upload and (file := (await request.files).get("file")) is not None:
            content, mime_type = file.stream.read(), file.mimetype

        def handle() -> Any:
            if route in OF_APPS:
                return OF_APPS[route](self, parameters)
            business = self._caller(parameters, method)
            if upload:
                return keep_upload(self, parameters, content, mime_type)
            return OF_BUSINESSES[route](self, business, parameters)

        account = str(parameters.get("business_id") or parameters.get("client_id") or "app")
        return await self.answer(account, method, lambda: self._answer(handle))

    async def _parameters(self, *, upload: bool) -> dict[str, Any]:
        if request.method == "GET":
            return dict(request.args)
        given = await request.form if upload else await request.get_json(silent=True)
        return dict(given) if given is not None and hasattr(given, "keys") else {}

    async def _answer(self, handle: Callable[[], Any]) -> Response:
        await trio.lowlevel.checkpoint()
        ordered = len(self.callbacks.history)
        try:
            data = handle()
        except ApiError as error:
            return _refuse(error.code, error.message)
        for echo in list(self.callbacks.history)[ordered:] if self.echo_first else ():
            while 200 not in echo.statuses:
                await trio.sleep(0.005)  # no event tells that a call was answered
        return as_json({"code": 0, "message": "OK", "request_id": "sandbox", "data": data})

    def rate_limited(self, seconds: int) -> Response:
        return _refuse(40100, "Requests made too frequently")

    def failed(self) -> Response:
        return _refuse(51065, "System error")

    def _caller(self, parameters: dict[str, Any], method: str) -> Business:
        token = request.headers.get("Access-Token", "")
        if self.faults.next(method, "logout") is not None:
            self.grants.revoke(str(parameters.get("business_id")))
        grant = self.grants.of_token(token)
        if parameters.get("business_id") != grant.business:
            raise ApiError(40001, "No permission for this business_id")
        business = self.business(grant.business)
        business.client_key = grant.client_key
        return business

    async def _file(self, file_id: str) -> Response:
        await trio.lowlevel.checkpoint()
        file = self.media.get(file_id)
        if file is None:
            return Response(b"", 404)
        if "public" not in request.args:
            try:
                self.grants.of_token(request.headers.get("x-user", ""))
            except ApiError:
                return Response(b"", 403)
        return Response(file.content, 200, content_type=file.mime_type)

    async def _authorize(self) -> Response:
        """The owner of `consenting` agrees, or refuses if told so; the browser goes back to the app."""
        await trio.lowlevel.checkpoint()
        given = request.args
        if given.get("response_type") != "code" or not given.get("client_key"):
            return Response(b"client_key, response_type: are required", 400)
        answer = {"state": given.get("state", "")}
        if self.refuses_consent:
            answer |= {"error": "access_denied", "error_description": "The user has denied the request"}
        else:
            code = self.grants.new_code(self.consenting, given["client_key"], self.scopes)
            answer |= {"code": code, "scopes": self.scopes}
        return Response(b"", 302, {"location": f"{given.get('redirect_uri')}?{urlencode(answer)}"})

    # -- the customers' side ---------------------------------------------------------------------------------

    def connect(self, order: dict[str, Any]) -> dict[str, Any]:
        """Set up what the developer portal and the owner decide: `{client_key, client_secret, callback_url}`
        of an app; `{consenting, refuses_consent, scopes}` of the next consent; `{business_id, images}`.

        Raises `ValueError`.
        """
        if "client_key" in order:
            app = self.apps.setdefault(str(order["client_key"]), App(str(order.get("client_secret", ""))))
            app.callback_url = str(order.get("callback_url", app.callback_url))
        self.consenting = str(order.get("consenting", self.consenting))
        self.refuses_consent = bool(order.get("refuses_consent", False))
        self.scopes = str(order.get("scopes", SCOPES))
        if "business_id" in order:
            self.business(str(order["business_id"])).images = bool(order.get("images", True))
        return {"ok": True}

    def sent(self) -> list[dict[str, Any]]:
        """Messages that businesses sent, as bodies of requests, oldest first."""
        found = [{"account": b.id, **message} for b in self.businesses.values() for message in b.sent]
        return sorted(found, key=lambda message: message["at"])

    def calls(self) -> list[dict[str, Any]]:
        return self.callbacks.calls()

    def restore(self) -> None:
        """Forget all faults and accept revoked tokens again."""
        self.faults.clear()
        self.grants.restore()


def _refuse(code: int, message: str) -> Response:
    return as_json({"code": code, "message": message, "request_id": "sandbox", "data": {}})
