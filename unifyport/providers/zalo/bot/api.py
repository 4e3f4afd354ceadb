"""Calls of the Bot Platform: `POST <bot_api_url>/bot<token>/<method>` with JSON
(https://bot.zaloplatforms.com/docs/getting-started). The status is 200 for errors, too: `ok` decides.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from unifyport.model.json_text import UNREADABLE
from unifyport.net.clients import Response
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import LoggedOut, Transient
from unifyport.providers.http import CALL_SECONDS, HttpApi, decode, decode_answer

from .errors import IDLE, failure
from .limits import PARALLEL_SENDS


class _Answer(Struct):
    ok: bool
    result: Raw = Raw(b"null")
    error_code: int = 0
    description: str = ""


_ANSWER = msgspec.json.Decoder(_Answer)


class BotApi:
    """The methods of one bot."""

    def __init__(self, context: ConnectorContext) -> None:
        token = context.credentials["bot_token"]
        self._base = f"{context.endpoints.bot_api_url.rstrip('/')}/bot{token}"
        self.http = HttpApi(context, parallel_sends=PARALLEL_SENDS)

    async def call(
        self, method: str, shape: Any, body: dict[str, Any] | None = None, *, login: bool = False
    ) -> Any:
        """Call a method; returns its `result`, decoded as `shape`. Raises a failure class."""
        answer = await self.http.request("POST", f"{self._base}/{method}", json=body or {})
        told = await _decode(answer, login)
        if not told.ok:
            raise failure(told.error_code or answer.status, told.description, login=login)
        return decode(told.result, shape)

    async def next_update(self, seconds: int) -> Raw | None:
        """What `getUpdates` returns; None if nothing came within `seconds`. Raises a failure class."""
        answer = await self.http.request(
            "POST",
            f"{self._base}/getUpdates",
            json={"timeout": str(seconds)},
            timeout=CALL_SECONDS + seconds,
        )
        if answer.status in IDLE:
            return None
        told = await _decode(answer, login=False)
        if not told.ok:
            code = told.error_code or answer.status
            if code in IDLE:
                return None
            raise failure(code, told.description)
        return None if bytes(told.result) in (b"null", b"{}", b"[]") else told.result


async def _decode(answer: Response, login: bool) -> _Answer:
    try:
        return await decode_answer(answer.body, _ANSWER)
    except UNREADABLE:
        if answer.status in (401, 404) and login:
            raise LoggedOut("invalid_credentials") from None
        raise Transient(f"http_{answer.status}_not_json", maybe_applied=True) from None
