"""Channel access tokens from the channel's id and secret, for `HttpApi.tokens`.

Stateless tokens are valid for 15 minutes, and any number of them may be valid at a time
(https://developers.line.biz/en/reference/messaging-api/#issue-stateless-channel-access-token): nothing has
to be kept, and none expires unnoticed, as a token of 30 days does.
"""

import math
from typing import Annotated
from urllib.parse import urlencode

import msgspec
import trio

from unifyport.model.json_text import UNREADABLE
from unifyport.net.clients import Response
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Transient
from unifyport.providers.http import HttpApi, nothing_applied

from .errors import RATE_SECONDS

AHEAD_SECONDS = 120.0  # before its expiry a token is replaced
ISSUE_SECONDS = 10.0
# Whatever LINE says of a token's lifetime: a shorter one would be asked for in a loop.
SHORTEST_SECONDS, LONGEST_SECONDS = 60.0, 30 * 86_400.0
_FORM = {"content-type": "application/x-www-form-urlencoded"}


class _Issued(msgspec.Struct):
    access_token: Annotated[str, msgspec.Meta(pattern=r"^[!-~]+$", max_length=8192)]  # goes into a header
    expires_in: float = 0.0  # seconds


class _Refused(msgspec.Struct):
    """Of an OAuth endpoint, or of the API."""

    error: str = ""
    message: str = ""


class ChannelTokens:
    """The current token of a channel. One is issued at a time; other tasks wait for it."""

    def __init__(self, http: HttpApi, context: ConnectorContext) -> None:
        self._http = http
        self._url = f"{context.endpoints.api_url.rstrip('/')}/oauth2/v3/token"
        self._secrets = context.secrets
        fields = {"grant_type": "client_credentials", "client_id": context.credentials["channel_id"]}
        self._body = urlencode({**fields, "client_secret": context.credentials["channel_secret"]}).encode()
        self._token = ""
        self._good_until = -math.inf  # trio's clock
        self._lock = trio.Lock()

    async def current(self) -> str:
        """Raises a failure class without `maybe_applied`."""
        async with self._lock:
            if trio.current_time() >= self._good_until:
                await self._issue()
            return self._token

    async def renew(self, refused: str) -> str:
        """Another token than `refused`. Otherwise as `current`."""
        async with self._lock:
            if self._token == refused:
                await self._issue()
            return self._token

    async def _issue(self) -> None:
        with nothing_applied():
            issued: _Issued = await self._http.call(
                "POST",
                self._url,
                _Issued,
                refused=_refusal,
                body=self._body,
                headers=_FORM,
                timeout=ISSUE_SECONDS,
                authorized=False,
            )
        self._secrets.register(issued.access_token)
        self._token = issued.access_token
        lifetime = min(max(issued.expires_in, SHORTEST_SECONDS), LONGEST_SECONDS)
        ahead = min(AHEAD_SECONDS, lifetime / 4)
        self._good_until = trio.current_time() + lifetime - ahead


def _refusal(response: Response) -> ChannelError | None:
    """RFC 6749 section 5.2: 400 and 401 say that the client's id or secret is wrong. An answer that is not
    LINE's own, such as that of a proxy, says nothing of them.
    """
    if response.status == 200:
        return None
    if response.status in (400, 401, 403) and _is_of_line(response):
        return LoggedOut("invalid_credentials")
    if response.status == 429:
        return RateLimited(RATE_SECONDS)
    return Transient(f"token_http_{response.status}")


def _is_of_line(response: Response) -> bool:
    try:
        told = msgspec.json.decode(response.body, type=_Refused)
    except UNREADABLE:
        return False
    return bool(told.error or told.message)
