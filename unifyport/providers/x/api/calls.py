"""Calls of the X API (https://docs.x.com/x-api): as the account's user, or as the app.

A user's call has an access token, which is refreshed ahead of its expiry (`providers/oauth.py`). An app's
call has the bearer token of the developer console: the stream, webhooks, and the list of subscriptions.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import trio
from msgspec import Raw, Struct

from unifyport.net.clients import Response
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError, RateLimited
from unifyport.providers.http import HttpApi, decode

from .errors import Problem, failure, refused_inside
from .limits import PARALLEL_SENDS, Windows
from .shapes import NULL


class _Answer(Struct):
    data: Raw = NULL


class XApi:
    """The calls of one account. `base`: the URL of the API."""

    def __init__(self, context: ConnectorContext) -> None:
        self.base = context.endpoints.api_url.rstrip("/")
        self.http = HttpApi(context, parallel_sends=PARALLEL_SENDS)
        self._bearer = context.credentials["bearer_token"]
        self._windows = Windows(trio.current_time)

    async def call(
        self,
        method: str,
        path: str,
        shape: Any,
        *,
        family: str = "",
        app: bool = False,
        login: bool = False,
        **options: Any,
    ) -> Any:
        """Call the API; returns `data` of the answer, decoded as `shape`. Raises a failure class.

        `family`: the calls that share a limit; while it is used up, nothing is sent. `app`: with the app's
        bearer token.
        """
        answer = await self.ask(method, path, family=family, app=app, login=login, **options)
        data = decode(answer, _Answer).data
        if bytes(data) == b"null":
            problem: Problem = decode(answer, Problem)
            if problem.errors:
                raise refused_inside(problem)
        return decode(data, shape)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        family: str = "",
        app: bool = False,
        login: bool = False,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> bytes:
        """The body of an answer with 2xx. Otherwise as `call`."""
        self.check_window(family)
        sent = dict(headers or {}) | ({"authorization": f"Bearer {self._bearer}"} if app else {})
        answer: Response = await self.http.request(
            method, f"{self.base}{path}", headers=sent, authorized=not app, **options
        )
        if family:
            self._windows.note(family, answer.headers)
        refused: ChannelError | None = failure(answer, login=login, app=app)
        if refused is not None:
            raise refused
        return answer.body

    def check_window(self, family: str) -> None:
        """Raises `RateLimited` if X has said that no call of this family is left."""
        if (wait := self._windows.wait(family)) > 0:
            raise RateLimited(wait)

    async def aclose(self) -> None:
        await self.http.aclose()


def with_query(path: str, query: Mapping[str, str | int]) -> str:
    return f"{path}?{urlencode(query)}"
