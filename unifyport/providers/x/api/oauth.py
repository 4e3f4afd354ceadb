"""OAuth 2.0 of X: the app acts for a user who has allowed it (authorization code with PKCE).

https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token. A code is good for 30 seconds. X
gives a refresh token only with the scope `offline.access`, and each refresh token serves once.
"""

import base64
from collections.abc import Callable
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from unifyport.model.json_text import UNREADABLE
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import LoggedOut, Rejected, Transient
from unifyport.providers.contract.login import Consent, ConsentRequest
from unifyport.providers.contract.session import Session
from unifyport.providers.http import HttpApi
from unifyport.providers.oauth import RECORD, Granted, OAuthClient, consent_page

SCOPES = ("tweet.read", "users.read", "dm.read", "dm.write", "media.write", "offline.access")
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


class XOAuth(OAuthClient):
    """The app at X's token endpoint, which says `invalid_request` of a refresh token that is void."""

    async def refresh(self, http: HttpApi, refresh_token: str) -> Granted:
        try:
            return await super().refresh(http, refresh_token)
        except LoggedOut as refused:
            if refused.reason == "oauth_invalid_request":
                raise LoggedOut("refresh_token_refused") from None
            raise

    async def exchange(self, http: HttpApi, consent: Consent) -> Granted:
        """Also raises `Rejected("missing_scopes")` where the app may not stay connected."""
        granted = await super().exchange(http, consent)
        if granted.refresh_token is None:
            raise Rejected("missing_scopes", "X gave no refresh token: offline.access is missing")
        return granted


class _Pair(Struct):
    """Of the session record that `providers/oauth.py` keeps."""

    refresh_token: str = ""


def client_of(context: ConnectorContext) -> XOAuth:
    app = context.credentials
    url = f"{context.endpoints.api_url.rstrip('/')}/2/oauth2/token"
    return XOAuth(url, app["client_id"], app["client_secret"])


def page_of(context: ConnectorContext) -> Callable[[ConsentRequest], str]:
    """The address of X's consent page."""
    return consent_page(context.endpoints.authorize_url, context.credentials["client_id"], SCOPES)


async def revoke(http: HttpApi, session: Session, context: ConnectorContext) -> None:
    """End an authorization that a consent gave. Raises a failure class."""
    stored = await session.get(*RECORD)
    if stored is None:
        return
    try:
        token = msgspec.msgpack.decode(stored, type=_Pair).refresh_token
    except UNREADABLE:
        return
    app = context.credentials
    basic = base64.b64encode(f"{app['client_id']}:{app['client_secret']}".encode()).decode()
    answer = await http.request(
        "POST",
        f"{context.endpoints.api_url.rstrip('/')}/2/oauth2/revoke",
        body=urlencode({"token": token, "client_id": app["client_id"]}).encode(),
        headers=_FORM | {"authorization": f"Basic {basic}"},
        authorized=False,
    )
    if answer.status != 200:
        raise Transient(f"oauth_http_{answer.status}")
