"""Logging in: the owner of the account allows the app to act for it (OAuth 2.0 with PKCE).

https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token. The code is good for 30 seconds.
X gives a refresh token only with the scope `offline.access`, and each refresh token serves once.
"""

import base64
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError, Rejected, Transient
from unifyport.providers.contract.login import Consent, ConsentRequest
from unifyport.providers.http import nothing_applied
from unifyport.providers.oauth import OAuthClient

from .calls import XApi

TOKEN_PATH = "/2/oauth2/token"  # noqa: S105 (a path, not a secret)
REVOKE_PATH = "/2/oauth2/revoke"
SCOPES = ("tweet.read", "users.read", "dm.read", "dm.write", "media.write", "offline.access")
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
_Token = Annotated[str, msgspec.Meta(pattern=r"^[!-~]+$", max_length=8192)]


class Tokens(Struct):
    access_token: _Token
    refresh_token: _Token | None = None
    scope: str = ""


class _Error(Struct):
    error: str = ""


def client_of(context: ConnectorContext) -> OAuthClient:
    credentials = context.credentials
    url = context.endpoints.api_url.rstrip("/") + TOKEN_PATH
    return OAuthClient(url, credentials["client_id"], credentials["client_secret"])


def page_of(context: ConnectorContext, request: ConsentRequest) -> str:
    """The address of X's consent page."""
    query = {
        "response_type": "code",
        "client_id": context.credentials["client_id"],
        "redirect_uri": request.redirect_uri,
        "scope": " ".join(SCOPES),
        "state": request.state,
        "code_challenge": request.challenge,
        "code_challenge_method": "S256",
    }
    return f"{context.endpoints.authorize_url}?{urlencode(query, quote_via=quote)}"


async def exchange(api: XApi, client: OAuthClient, consent: Consent) -> Tokens:
    """The tokens for a code. Raises `Rejected` if there is none, it is refused, or a scope is missing."""
    fields = {
        "grant_type": "authorization_code",
        "code": consent.code(),
        "redirect_uri": consent.redirect_uri,
        "code_verifier": consent.verifier,
        "client_id": client.client_id,
    }
    with nothing_applied():
        answer = await api.http.request(
            "POST",
            client.token_url,
            body=urlencode(fields).encode(),
            headers=_headers(client),
            authorized=False,
        )
    if answer.status != 200:
        raise _refusal(answer.status, answer.body)
    try:
        tokens = msgspec.json.decode(answer.body, type=Tokens)
    except msgspec.DecodeError:
        raise Transient("oauth_malformed_answer") from None
    missing = sorted({*SCOPES} - {*tokens.scope.split()}) if tokens.scope else []
    if missing:
        raise Rejected("missing_scopes", f"the app was not given {', '.join(missing)}")
    if tokens.refresh_token is None:
        raise Rejected("missing_scopes", "X gave no refresh token: offline.access is missing")
    return tokens


async def revoke(api: XApi, client: OAuthClient, token: str) -> None:
    """End an authorization. Raises a failure class."""
    fields = {"token": token, "client_id": client.client_id}
    answer = await api.http.request(
        "POST",
        client.token_url.removesuffix(TOKEN_PATH) + REVOKE_PATH,
        body=urlencode(fields).encode(),
        headers=_headers(client),
        authorized=False,
    )
    if answer.status != 200:
        raise Transient(f"oauth_http_{answer.status}")


def _headers(client: OAuthClient) -> dict[str, str]:
    basic = f"{quote(client.client_id, safe='')}:{quote(client.client_secret, safe='')}"
    return {**_FORM, "authorization": f"Basic {base64.b64encode(basic.encode()).decode()}"}


def _refusal(status: int, body: bytes) -> ChannelError:
    try:
        error: Any = msgspec.json.decode(body, type=_Error).error
    except msgspec.DecodeError:
        error = ""
    if status in (401, 403) or error in ("invalid_client", "unauthorized_client"):
        return Rejected("oauth_client_refused", code=error or status)
    if status == 400:
        return Rejected("consent_code_refused", code=error or status)
    return Transient(f"oauth_http_{status}")
