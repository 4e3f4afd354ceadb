"""A platform whose accounts belong to an app and consent by OAuth, and its connector. Nothing is ever sent:
the account is idle, and its tokens must stay fresh all the same.

POST /token  RFC 6749: `authorization_code` with PKCE, and `refresh_token`, each of which serves once
GET /me      with a bearer token
"""

import base64
import contextlib
import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import msgspec
import trio

from unifyport.model.account import Identity
from unifyport.model.pkce import challenge_of
from unifyport.net.clients import Response
from unifyport.providers.contract.base import (
    Channel,
    ConnectionSpec,
    ConnectorContext,
    Credential,
    Inbound,
    KeepsTokens,
    Link,
)
from unifyport.providers.contract.errors import ChannelError, LoggedOut
from unifyport.providers.contract.login import Authorization, Authorizes, Dialog
from unifyport.providers.http import HttpApi, refuse_status
from unifyport.providers.oauth import OAuthClient, OAuthTokens, consent_page
from unifyport.sandbox.serving import listen, new_app

NAME = "zalo"  # whose place it takes
APP, APP_SECRET = "reference-app", "reference-app-secret"
SCOPES = ["messages.read", "messages.write"]


@attrs.frozen
class Endpoints:
    api_url: str = "https://oauth.reference.example"


class _Me(msgspec.Struct):
    id: str


class OAuthConnector(Authorizes, KeepsTokens):
    def __init__(self, context: ConnectorContext) -> None:
        self._app = context.credentials
        self._url = context.endpoints.api_url
        self._http = HttpApi(context, parallel_sends=1)
        client = OAuthClient(f"{self._url}/token", self._app["app_id"], self._app["app_secret"])
        self._tokens = OAuthTokens(self._http, context.session, client, self._app.get("refresh_token", ""))
        self._http.tokens = self._tokens

    async def login(self) -> Identity:
        me = await self._http.call("GET", f"{self._url}/me", _Me, refused=_refusal)
        return Identity(me.id)

    async def authorize(self, dialog: Dialog) -> Authorization:
        page = consent_page(f"{self._url}/authorize", self._app["app_id"], SCOPES)
        await self._tokens.exchange(await dialog.ask_consent(page, SCOPES))
        return Authorization(await self.login())

    async def receive(self, link: Link) -> None:
        await trio.sleep_forever()

    async def keep_fresh(self) -> None:
        await self._tokens.keep_fresh()

    async def aclose(self) -> None:
        await self._http.aclose()


def _refusal(answer: Response) -> ChannelError | None:
    return LoggedOut("invalid_credentials") if answer.status == 401 else refuse_status(answer)


CHANNEL = Channel(
    NAME,
    Endpoints,
    (
        ConnectionSpec(
            "token",
            lambda: OAuthConnector,
            (
                Credential("app_id", app=True),
                Credential("app_secret", app=True),
                Credential("webhook_secret", required=False, app=True),  # which no file here has
                Credential("refresh_token", required=False),
            ),
            Inbound.ACKED,
        ),
    ),
)


@attrs.define
class Grants:
    """`lifetime`: seconds of an access token. `refresh_tokens` are those that are left, by user. While `held`
    is there, requests wait for it before they are carried out; `waiting` of them have.
    """

    lifetime: float = 7200.0
    codes: dict[str, tuple[str, str, str]] = attrs.field(factory=dict)  # user, challenge, redirect URI
    refresh_tokens: dict[str, str] = attrs.field(factory=dict)
    access_tokens: dict[str, str] = attrs.field(factory=dict)
    refreshes: int = 0
    held: trio.Event | None = None
    waiting: int = 0
    secret: str = APP_SECRET  # of the app, as it is now
    news: trio.Event = attrs.field(factory=trio.Event)

    def pair(self, user: str) -> dict[str, Any]:
        access, refresh = f"access-{secrets.token_hex(8)}", f"refresh-{secrets.token_hex(8)}"
        self.access_tokens[access], self.refresh_tokens[refresh] = user, user
        return {"access_token": access, "refresh_token": refresh, "expires_in": self.lifetime}

    def seed(self, user: str) -> str:
        """A refresh token as the platform's own console shows it."""
        return str(self.pair(user)["refresh_token"])

    def remove(self, user: str) -> None:
        """The user takes the authorization away."""
        for tokens in (self.refresh_tokens, self.access_tokens):
            for token in [token for token, of in tokens.items() if of == user]:
                del tokens[token]

    def consent(self, page_url: str, user: str) -> str:
        """The user agrees on the platform's page: the path and query that the browser is sent to."""
        query = dict(parse_qsl(urlsplit(page_url).query))
        assert (query["client_id"], query["scope"]) == (APP, " ".join(SCOPES))
        code = secrets.token_hex(8)
        self.codes[code] = (user, query["code_challenge"], query["redirect_uri"])
        callback = urlsplit(query["redirect_uri"]).path
        return f"{callback}?{urlencode({'code': code, 'state': query['state']})}"

    async def wait_turn(self) -> None:
        if self.held is not None:
            self.waiting += 1
            self._tell()
            await self.held.wait()

    def _tell(self) -> None:
        self.news.set()
        self.news = trio.Event()

    def answer(self, form: dict[str, str]) -> tuple[dict[str, Any], int]:
        user: str | None = None
        if form["grant_type"] == "authorization_code":
            user, *proof = self.codes.pop(form["code"], ("", "", ""))
            user = user if proof == [challenge_of(form["code_verifier"]), form["redirect_uri"]] else None
        else:
            user = self.refresh_tokens.pop(form["refresh_token"], None)
            self.refreshes += 1
        self._tell()
        return ({"error": "invalid_grant"}, 400) if not user else (self.pair(user), 200)


@attrs.define
class Running:
    grants: Grants
    url: str

    def table(self, secret: str = APP_SECRET) -> str:
        """`[providers]`, with the credentials of the app."""
        return f'[providers.{NAME}]\napi_url = "{self.url}"\napp_id = "{APP}"\napp_secret = "{secret}"\n'


@contextlib.asynccontextmanager
async def oauth_platform() -> AsyncIterator[Running]:
    grants, app = Grants(), new_app("oauth")

    async def token() -> tuple[dict[str, Any], int]:
        from quart import request

        basic = base64.b64encode(f"{APP}:{grants.secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {basic}":
            return {"error": "invalid_client"}, 401
        form = (await request.form).to_dict()
        await grants.wait_turn()
        return grants.answer(form)

    async def me() -> tuple[dict[str, Any], int]:
        from quart import request

        await trio.lowlevel.checkpoint()
        user = grants.access_tokens.get(request.headers["authorization"].removeprefix("Bearer "))
        return ({}, 401) if user is None else ({"id": user}, 200)

    app.add_url_rule("/token", "token", token, methods=["POST"])
    app.add_url_rule("/me", "me", me, methods=["GET"])
    async with trio.open_nursery() as nursery:
        url = await nursery.start(lambda task_status: listen(app, "127.0.0.1", 0, task_status=task_status))
        yield Running(grants, url)
        nursery.cancel_scope.cancel()
