"""Calls of the Business Messaging API, as one business account or as the app.

The token goes into the header `Access-Token`, without a scheme. Every path ends in a slash. An answer that
refuses the token says that nothing was applied: the token is renewed, and the request repeated once.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Raw, Struct

from unifyport.net.clients import Response
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import LoggedOut
from unifyport.providers.http import HttpApi, decode
from unifyport.providers.oauth import OAuthTokens

from .errors import BAD_TOKEN, failure, http_failure
from .limits import PARALLEL_SENDS


class _Answer(Struct):
    code: int
    message: str = ""
    data: Raw = Raw(b"{}")


class BusinessApi:
    """`tokens` is set once they are known; only then can `call` be used. Its owner closes `http`."""

    def __init__(self, context: ConnectorContext) -> None:
        endpoints = context.endpoints
        self._base = f"{endpoints.api_url.rstrip('/')}/open_api/{endpoints.api_version}/"
        self.http = HttpApi(context, parallel_sends=PARALLEL_SENDS)
        self.tokens: OAuthTokens | None = None

    def url(self, path: str, query: Mapping[str, Any] | None = None) -> str:
        """`path` with its last slash. A `+` in a value becomes `%2B`: TikTok would read it as a space."""
        return f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")

    async def token(self) -> str:
        """A token that has not expired. Raises a failure class."""
        if self.tokens is None:
            raise LoggedOut("consent_required")
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
        if answer.code in BAD_TOKEN and self.tokens is not None:
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

    async def _ask(self, method: str, url: str, token: str, options: Mapping[str, Any]) -> _Answer:
        headers = {"access-token": token} if token else {}
        response = await self.http.request(method, url, headers=headers, **options)
        return read_answer(response)


def read_answer(response: Response) -> _Answer:
    """The envelope of an answer. Raises a failure class for one that does not come from the API."""
    if response.status != 200:
        raise http_failure(response.status)
    answer: _Answer = decode(response.body, _Answer)
    return answer


def _granted(answer: _Answer, shape: Any, *, login: bool = False) -> Any:
    if answer.code != 0:
        raise failure(answer.code, answer.message, login=login)
    return decode(answer.data if answer.data != Raw(b"null") else b"{}", shape)


def json_list(*texts: str) -> str:
    """A list as a query parameter."""
    return msgspec.json.encode(texts).decode()
