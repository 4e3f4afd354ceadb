"""Calls of the Messaging API: its two hosts, the channel's token, errors as failure classes.

https://developers.line.biz/en/reference/messaging-api/#domain-name
"""

from typing import Any
from urllib.parse import urlencode

import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError, LoggedOut
from unifyport.providers.http import HttpApi, nothing_applied

from .channel_token import ChannelTokens
from .errors import login_refusal, refusal
from .limits import PARALLEL_SENDS

_LOOK_UP_SECONDS = 10.0


class BotInfo(msgspec.Struct, rename="camel"):
    """https://developers.line.biz/en/reference/messaging-api/#get-bot-info"""

    user_id: str
    basic_id: str = ""
    premium_id: str = ""
    display_name: str = ""


class _Verified(msgspec.Struct):
    client_id: str


class LineApi:
    """One channel. Its owner closes it. All methods raise failure classes."""

    def __init__(self, context: ConnectorContext) -> None:
        self.url = context.endpoints.api_url.rstrip("/")
        self.data_url = context.endpoints.data_api_url.rstrip("/")
        credentials = context.credentials
        self._channel_id = credentials["channel_id"]
        self._token = credentials.get("channel_access_token") or ""
        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        self.http = HttpApi(context, parallel_sends=PARALLEL_SENDS, headers=headers)
        if not self._token:
            self.http.tokens = ChannelTokens(self.http, context)

    async def log_in(self) -> BotInfo:
        """The bot of the token. Raises `LoggedOut` for a token that is refused, or of another channel."""
        with nothing_applied():
            await self._check_channel()
            bot: BotInfo = await self.http.call(
                "GET", f"{self.url}/v2/bot/info", BotInfo, refused=login_refusal
            )
        return bot

    async def _check_channel(self) -> None:
        """Webhooks are signed with the secret of the channel that is named, so the token must be its own.

        LINE says it of long-lived and of short-lived tokens
        (https://developers.line.biz/en/reference/messaging-api/#verify-channel-access-token).
        """
        if not self._token:
            return
        body = urlencode({"access_token": self._token}).encode()
        answer = await self.http.request(
            "POST",
            f"{self.url}/v2/oauth/verify",
            body=body,
            headers={"content-type": "application/x-www-form-urlencoded"},
            authorized=False,
        )
        if answer.status != 200:  # it is of another kind, or no token; the bot's own answer tells
            return
        try:
            found = msgspec.json.decode(answer.body, type=_Verified)
        except UNREADABLE:
            return
        if found.client_id != self._channel_id:
            raise LoggedOut("token_of_another_channel")

    async def call(self, method: str, path: str, shape: Any, **options: Any) -> Any:
        """Call an endpoint of the first host; returns the answer decoded as `shape`."""
        return await self.http.call(method, self.url + path, shape, **{"refused": refusal, **options})

    async def look_up(self, path: str, shape: Any) -> Any:
        """As `call`, of a request that changes nothing."""
        with nothing_applied():
            return await self.call("GET", path, shape, timeout=_LOOK_UP_SECONDS)

    async def post(self, path: str, body: Any = None, *, method: str = "POST") -> None:
        """Call an endpoint whose answer says nothing."""
        answer = await self.http.request(method, self.url + path, json=body)
        failure: ChannelError | None = refusal(answer)
        if failure is not None:
            raise failure
