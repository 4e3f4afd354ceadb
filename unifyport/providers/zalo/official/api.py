"""Calls of the Official Account API as one account.

The token goes into the header `access_token`, without a scheme; parameters of a GET go as one JSON in `data`.
An answer that refuses the token says that nothing was applied: the token is renewed, and the request repeated
once. https://docs.zaloplatforms.com/docs/OA
"""

import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Raw, Struct

from unifyport.model.json_text import UNREADABLE
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.http import HttpApi, decode, decode_answer
from unifyport.providers.oauth import OAuthTokens

from .errors import BAD_TOKEN, failure, http_failure
from .limits import PARALLEL_SENDS
from .oauth import ZaloOAuth


class _Answer(Struct):
    error: int
    message: str = ""
    data: Raw = Raw(b"{}")


_ANSWER = msgspec.json.Decoder(_Answer)


class OfficialApi:
    """Its owner closes `http`."""

    def __init__(self, context: ConnectorContext) -> None:
        credentials, endpoints = context.credentials, context.endpoints
        self._base = endpoints.openapi_url.rstrip("/")
        self.http = HttpApi(context, parallel_sends=PARALLEL_SENDS)
        self.client = ZaloOAuth(
            f"{endpoints.oauth_url.rstrip('/')}/v4/oa/access_token",
            credentials["app_id"],
            credentials["app_secret"],
            verifier=credentials.get("code_verifier") or "",
        )
        seed = credentials.get("refresh_token") or ""
        self.tokens = OAuthTokens(self.http, context.session, self.client, seed)

    async def get(self, path: str, shape: Any, data: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """A look-up; `data` as one JSON. Otherwise as `call`."""
        query = f"?{urlencode({'data': msgspec.json.encode(data).decode()})}" if data is not None else ""
        return await self.call("GET", path + query, shape, **options)

    async def post(self, path: str, shape: Any, body: Mapping[str, Any]) -> Any:
        return await self.call("POST", path, shape, json=body)

    async def call(self, method: str, path: str, shape: Any, *, login: bool = False, **options: Any) -> Any:
        """Call the API; returns `data` of the answer, decoded as `shape`. Raises a failure class."""
        token = await self.tokens.current()
        answer = await self._ask(method, path, token, options)
        if answer.error in BAD_TOKEN:
            answer = await self._ask(method, path, await self.tokens.renew(token), options)
        if answer.error:
            raise failure(answer.error, answer.message, login=login)
        return decode(answer.data if answer.data != Raw(b"null") else b"{}", shape)

    async def _ask(self, method: str, path: str, token: str, options: Mapping[str, Any]) -> _Answer:
        response = await self.http.request(
            method, f"{self._base}/{path}", headers={"access_token": token}, **options
        )
        if response.status >= 500 or response.status == 429:
            raise http_failure(response.status)
        with contextlib.suppress(*UNREADABLE):
            return await decode_answer(response.body, _ANSWER)
        if response.status == 401:
            return _Answer(-216, "HTTP 401")
        raise http_failure(response.status)
