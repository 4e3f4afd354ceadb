"""Calls of the Business Messaging API, as one business account or as the app.

The token goes into the header `Access-Token`, without a scheme. Every path ends in a slash. An answer that
refuses the token says that nothing was applied: the token is renewed, and the request repeated once.
"""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.http import HttpApi, decode
from unifyport.providers.oauth import OAuthTokens

from .answers import Answer, data_of, read_answer
from .errors import BAD_TOKEN
from .limits import PARALLEL_SENDS
from .tokens import BusinessClient, BusinessGranted


class BusinessApi:
    """`on_granted` is told of each answer that brings tokens. Its owner closes `http`."""

    def __init__(self, context: ConnectorContext, on_granted: Callable[[BusinessGranted], None]) -> None:
        endpoints, credentials = context.endpoints, context.credentials
        self._base = f"{endpoints.api_url.rstrip('/')}/open_api/{endpoints.api_version}/"
        self.http = HttpApi(context, parallel_sends=PARALLEL_SENDS)
        client = BusinessClient(
            token_url=self.url("tt_user/oauth2/token/"),
            refresh_url=self.url("tt_user/oauth2/refresh_token/"),
            client_id=credentials["client_key"],
            client_secret=credentials["client_secret"],
            on_granted=on_granted,
        )
        seed = credentials.get("refresh_token") or ""
        self.tokens = OAuthTokens(self.http, context.session, client, seed)

    def url(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """`path` with its last slash. A `+` in a value becomes `%2B`: TikTok would read it as a space."""
        return f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")

    async def token(self) -> str:
        """A token that has not expired. Raises a failure class."""
        return await self.tokens.current()

    async def call(
        self,
        method: str,
        path: str,
        shape: Any,
        *,
        query: Mapping[str, Any] | None = None,
        login: bool = False,
        **options: Any,
    ) -> Any:
        """Call as the business account; returns `data` as `shape`. Raises a failure class."""
        url, token = self.url(path, query), await self.token()
        answer = await self._ask(method, url, token, options)
        if answer.code in BAD_TOKEN:
            answer = await self._ask(method, url, await self.tokens.renew(token), options)
        return _granted(answer, shape, login=login)

    async def call_as_app(
        self,
        method: str,
        path: str,
        shape: Any,
        *,
        query: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Call with the app's secret, which is in `query` or in the body, and without a token."""
        return _granted(await self._ask(method, self.url(path, query), "", options), shape)

    async def _ask(self, method: str, url: str, token: str, options: Mapping[str, Any]) -> Answer:
        headers = {"access-token": token} if token else {}
        return read_answer(await self.http.request(method, url, headers=headers, **options))


def _granted(answer: Answer, shape: Any, *, login: bool = False) -> Any:
    return decode(data_of(answer, login=login), shape)


def json_list(*texts: str) -> str:
    """A list as a query parameter."""
    return msgspec.json.encode(texts).decode()
