"""Calls of the Bot API (https://core.telegram.org/bots/api#making-requests)."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from unifyport.model.json_text import UNREADABLE
from unifyport.net.clients import Response
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import LoggedOut, Transient
from unifyport.providers.http import HttpApi, decode, decode_answer

from .errors import failure
from .limits import PARALLEL_SENDS


class _Parameters(Struct):
    """What is of another type is as if it were not there: the error is the same one."""

    retry_after: Any = None
    migrate_to_chat_id: Any = None


class _Answer(Struct):
    ok: bool
    result: Raw = Raw()
    error_code: Any = 0
    description: str = ""
    parameters: Any = None


_ANSWER = msgspec.json.Decoder(_Answer)


class BotApi:
    """The methods of one bot."""

    def __init__(self, context: ConnectorContext) -> None:
        token, api = context.credentials["token"], context.endpoints.bot_api_url.rstrip("/")
        self._base, self.files = f"{api}/bot{token}", f"{api}/file/bot{token}"
        self.http = HttpApi(context, parallel_sends=PARALLEL_SENDS)

    async def call(
        self, method: str, shape: Any, body: dict[str, Any] | None = None, *, login: bool = False
    ) -> Any:
        """Call a method; returns its `result`, decoded as `shape`. Raises a failure class."""
        return decode(await self.ask(method, json=body or {}, login=login), shape)

    async def ask(self, method: str, *, login: bool = False, **options: Any) -> Raw:
        """Call a method; returns the `result` of an `ok` answer. Raises a failure class."""
        return await _result(await self.http.request("POST", f"{self._base}/{method}", **options), login)


def _told(parameters: Any) -> _Parameters:
    try:
        return msgspec.convert(parameters, _Parameters)
    except msgspec.ValidationError:
        return _Parameters()


async def _result(response: Response, login: bool) -> Raw:
    try:
        answer = await decode_answer(response.body, _ANSWER)
    except UNREADABLE:
        if response.status in (401, 404) and login:
            raise LoggedOut("invalid_credentials") from None
        raise Transient(f"http_{response.status}_not_json", maybe_applied=True) from None
    if answer.ok:
        return answer.result
    told = _told(answer.parameters)
    raise failure(
        answer.error_code if isinstance(answer.error_code, int) and answer.error_code else response.status,
        answer.description,
        told.retry_after if isinstance(told.retry_after, int | float) else None,
        moved_to=told.migrate_to_chat_id if isinstance(told.migrate_to_chat_id, int) else None,
        login=login,
    )
