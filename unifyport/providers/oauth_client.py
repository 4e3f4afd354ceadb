"""The token endpoint of a platform (RFC 6749): the requests that OAuth makes there, and what it answers.

`OAuthClient` speaks the standard's dialect. A platform with its own (other names of fields, JSON, a secret in
a header, errors inside a 200) has a subclass whose `ask` makes the request and reads the answer.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated
from urllib.parse import quote, urlencode

import attrs
import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.net.clients import Response

from .contract.errors import ChannelError, LoggedOut, RateLimited, Transient
from .contract.login import Consent, ConsentRequest
from .http import HttpApi

REFRESH_SECONDS = 20.0
CLIENT_REFUSED = "oauth_client_refused"  # the app's id or secret is wrong; it says nothing of the tokens
_DEFAULT_WAIT = 30.0
# RFC 6749 section 5.2. Another try with the same credentials cannot succeed.
_REFUSALS = {
    "invalid_grant": "refresh_token_refused",
    "invalid_client": CLIENT_REFUSED,
    "unauthorized_client": CLIENT_REFUSED,
    "invalid_request": "oauth_invalid_request",  # some platforms say this of a refresh token that is void
    "invalid_scope": "oauth_invalid_scope",
    "unsupported_grant_type": "oauth_unsupported_grant_type",
}

Token = Annotated[str, msgspec.Meta(pattern=r"^[!-~]+$", max_length=8192)]  # goes into a header


class Granted(msgspec.Struct):
    """RFC 6749 section 5.1. Without `refresh_token` the old one stays valid.

    `renew_in`: seconds until it is refreshed, where that shall be earlier than shortly before it expires.
    """

    access_token: Token
    refresh_token: Token | None = None
    expires_in: float | None = None  # seconds
    renew_in: float | None = None


class _Error(msgspec.Struct):
    error: str = ""


@attrs.frozen
class OAuthClient:
    """The registered app. Without a secret it is a public client. `in_body`: where the platform wants the id
    and the secret; the default is HTTP Basic (RFC 6749 section 2.3.1).
    """

    token_url: str
    client_id: str
    client_secret: str = attrs.field(default="", repr=False)
    in_body: bool = False

    async def refresh(self, http: HttpApi, refresh_token: str) -> Granted:
        """Use a refresh token (RFC 6749 section 6). Raises a failure class, see `ask`."""
        return await self.ask(http, {"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def exchange(self, http: HttpApi, consent: Consent) -> Granted:
        """Exchange the code of a consent (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

        Raises `Rejected("consent_denied")`, and a failure class as `ask`.
        """
        fields = {"grant_type": "authorization_code", "code": consent.code()}
        fields |= {"redirect_uri": consent.redirect_uri, "code_verifier": consent.verifier}
        return await self.ask(http, fields)

    async def ask(self, http: HttpApi, fields: Mapping[str, str]) -> Granted:
        """One request of the token endpoint; `fields` are the standard's, without those of the client.

        Raises `LoggedOut` for a refusal that no other try can change, `RateLimited`, or `Transient`.
        """
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        of_client = {"client_id": self.client_id}
        if self.client_secret and not self.in_body:
            basic = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
            headers["authorization"] = f"Basic {base64.b64encode(basic.encode()).decode()}"
            of_client = {}
        elif self.client_secret:
            of_client["client_secret"] = self.client_secret
        answer = await http.request(
            "POST",
            self.token_url,
            body=urlencode({**fields, **of_client}).encode(),
            headers=headers,
            timeout=REFRESH_SECONDS,
            authorized=False,
        )
        if answer.status != 200:
            raise _failure(answer)
        return decode_grant(answer.body)


def decode_grant(body: bytes | msgspec.Raw) -> Granted:
    """The standard's answer. Raises `Transient`."""
    try:
        return msgspec.json.decode(body, type=Granted, strict=False)  # "expires_in": "7200" happens
    except UNREADABLE:
        raise Transient("oauth_malformed_answer") from None


def consent_page(
    page: str, client_id: str, scopes: Sequence[str], **more: str
) -> Callable[[ConsentRequest], str]:
    """For `Dialog.ask_consent`: the address of a platform's page (RFC 6749 section 4.1.1, with PKCE)."""

    def address(request: ConsentRequest) -> str:
        query = {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": request.redirect_uri,
            "scope": " ".join(scopes),
            "state": request.state,
            "code_challenge": request.challenge,
            "code_challenge_method": "S256",
            **more,
        }
        return f"{page}?{urlencode(query)}"

    return address


def _failure(answer: Response) -> ChannelError:
    """The failure class of a request that did not succeed."""
    if answer.status == 429:
        wait = answer.headers.get("retry-after", "")
        return RateLimited(float(wait) if wait.isascii() and wait.isdigit() else _DEFAULT_WAIT)
    try:
        error = msgspec.json.decode(answer.body, type=_Error).error
    except UNREADABLE:
        error = ""
    if answer.status in (400, 401) and error in _REFUSALS:
        return LoggedOut(_REFUSALS[error])
    return Transient(f"oauth_http_{answer.status}")
