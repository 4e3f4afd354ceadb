"""Tokens of a business account: exchanged after its owner's consent, refreshed, revoked.

An access token lasts 24 hours. A refresh token lasts a year and serves once: each refresh answers with
another. `open_id` is what the rest of the API calls `business_id`
(https://business-api.tiktok.com/portal/docs?id=1832184159540418). The app is called `client_key` on the page
of consent, `client_id` here, and `app_id` where webhooks are configured.
"""

import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import attrs
import msgspec

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.errors import ChannelError, Rejected
from unifyport.providers.contract.login import Consent, ConsentRequest
from unifyport.providers.contract.session import Session
from unifyport.providers.http import HttpApi, nothing_applied
from unifyport.providers.oauth import REFRESH_SECONDS, Grant

from .api import BusinessApi
from .errors import token_failure

# Without these there is nothing to do for a gateway.
REQUIRED_SCOPES = ("message.list.read", "message.list.send", "message.list.manage")
_RECORD = ("consent", b"")


class Granted(Grant):
    """`scope`: names with commas between them."""

    open_id: str = ""
    scope: str = ""


@attrs.frozen
class App:
    """The registered app. Implements `oauth.RefreshesTokens`."""

    api: BusinessApi = attrs.field(repr=False)
    client_id: str
    client_secret: str = attrs.field(repr=False)

    @property
    def token_url(self) -> str:
        return self.api.url("tt_user/oauth2/refresh_token/")

    async def refresh(self, http: HttpApi, refresh_token: str) -> Grant:
        fields = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        granted: Grant = await self._ask_for_tokens("tt_user/oauth2/refresh_token/", fields)
        return granted

    async def exchange(self, consent: Consent) -> Granted:
        """Raises `Rejected` for a code that TikTok refuses."""
        fields = {"grant_type": "authorization_code", "auth_code": consent.code()}
        fields["redirect_uri"] = consent.redirect_uri
        try:
            granted = await self._ask_for_tokens("tt_user/oauth2/token/", fields)
        except ChannelError as error:
            if error.reason == "refresh_token_refused":
                raise Rejected("code_refused") from None
            raise
        if not granted.open_id or granted.refresh_token is None:
            raise Rejected("no_tokens_granted")
        return granted

    async def revoke(self, token: str) -> None:
        """Withdraw the consent that this access token came from."""
        await self.api.call_as_app(
            "POST", "tt_user/oauth2/revoke/", Any, json=self._named(access_token=token)
        )

    async def _ask_for_tokens(self, path: str, fields: Mapping[str, str]) -> Granted:
        try:
            with nothing_applied():
                granted: Granted = await self.api.call_as_app(
                    "POST", path, Granted, json=self._named(**fields), timeout=REFRESH_SECONDS
                )
        except ChannelError as error:
            raise token_failure(error) from None
        return granted

    def _named(self, **fields: str) -> dict[str, str]:
        return {"client_id": self.client_id, "client_secret": self.client_secret, **fields}


def consent_url(page: str, client_key: str, scopes: str, request: ConsentRequest) -> str:
    """The address of the page on which the owner of a business account gives his consent."""
    query = {
        "client_key": client_key,
        "response_type": "code",
        "scope": scopes,
        "redirect_uri": request.redirect_uri,
        "state": request.state,
    }
    return f"{page}?{urlencode(query)}"


def check_scopes(granted: Granted) -> None:
    """Raises `Rejected` that names a scope which the owner has not granted."""
    given = {scope.strip() for scope in granted.scope.split(",")}
    for scope in REQUIRED_SCOPES:
        if scope not in given:
            raise Rejected(f"missing_scope_{scope.replace('.', '_')}", f"{scope} was not granted")


class Origin(msgspec.Struct):
    """Where the tokens of an account come from. `refresh_token`: the first one, the seed of all others.

    `given`: a hash of the refresh token that the credentials had then; another one there takes its place.
    """

    business_id: str
    refresh_token: str
    given: bytes


async def read_origin(session: Session, credentials: Mapping[str, Any]) -> Origin | None:
    """The consent that the session has, else what the credentials hold; None: there are no tokens."""
    given = _hash(credentials)
    stored = await session.get(*_RECORD)
    if stored is not None:
        origin = msgspec.msgpack.decode(stored, type=Origin)
        if origin.given == given:
            return origin
    business_id, refresh_token = (str(credentials.get(n) or "") for n in ("business_id", "refresh_token"))
    return Origin(business_id, refresh_token, given) if business_id and refresh_token else None


def origin_change(granted: Granted, credentials: Mapping[str, Any]) -> SessionChange:
    """The record of a consent."""
    assert granted.refresh_token is not None
    origin = Origin(granted.open_id, granted.refresh_token, _hash(credentials))
    return SessionChange(*_RECORD, msgspec.msgpack.encode(origin))


def _hash(credentials: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(str(credentials.get("refresh_token") or "").encode()).digest()
