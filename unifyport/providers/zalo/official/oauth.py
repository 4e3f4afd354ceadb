"""Zalo's token endpoint, and its page of consent.

https://docs.zaloplatforms.com/docs/OA, "Xác thực và ủy quyền". The secret goes into the header `secret_key`,
errors come with HTTP 200, and `expires_in` is a string (25 hours). A refresh token serves once and lives for
three months. A code challenge is not that of one login, but is fixed in the app's settings, if there is any.
"""

import logging
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

import attrs
import msgspec

from unifyport.model.json_text import UNREADABLE
from unifyport.model.pkce import challenge_of
from unifyport.providers.contract.errors import LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.contract.login import Consent, ConsentRequest
from unifyport.providers.http import HttpApi
from unifyport.providers.oauth_client import REFRESH_SECONDS, Granted, OAuthClient, decode_grant

log = logging.getLogger("unifyport.zalo")

_TOO_FAST, _WAIT = -32, 60.0
_CLIENT = frozenset({-14001, -14002, -14003, -14004})  # app id, redirect URI, secret
_RENEWED_AFTER = 0.8  # of the lifetime: 20 of 25 hours


class _Refusal(msgspec.Struct):
    error: int = 0
    error_name: str = ""
    error_description: str = ""
    message: str = ""


@attrs.frozen
class ZaloOAuth(OAuthClient):
    """`verifier`: of the code challenge in the app's settings; empty: there is none."""

    verifier: str = attrs.field(default="", repr=False)

    async def exchange(self, http: HttpApi, consent: Consent) -> Granted:
        fields = {"grant_type": "authorization_code", "code": consent.code()}
        try:
            return await self.ask(http, fields | ({"code_verifier": self.verifier} if self.verifier else {}))
        except LoggedOut as refused:
            raise Rejected(refused.reason.replace("refresh_token", "consent")) from None

    async def ask(self, http: HttpApi, fields: Mapping[str, str]) -> Granted:
        answer = await http.request(
            "POST",
            self.token_url,
            body=urlencode({**fields, "app_id": self.client_id}).encode(),
            headers={
                "content-type": "application/x-www-form-urlencoded",
                "secret_key": self.client_secret,
            },
            timeout=REFRESH_SECONDS,
            authorized=False,
        )
        try:
            refusal = msgspec.json.decode(answer.body, type=_Refusal, strict=False)
        except UNREADABLE:
            raise Transient(f"oauth_http_{answer.status}_not_json") from None
        if refusal.error == _TOO_FAST or answer.status == 429:
            raise RateLimited(_WAIT)
        if answer.status >= 500:
            raise Transient(f"oauth_http_{answer.status}")
        if refusal.error:
            words = refusal.error_description or refusal.message or refusal.error_name
            log.warning("Zalo refused %s: %d %s", fields["grant_type"], refusal.error, words[:200])
            known = refusal.error in _CLIENT
            raise LoggedOut("oauth_client_refused" if known else "refresh_token_refused")
        granted = decode_grant(answer.body)
        if granted.expires_in is not None:
            granted.renew_in = _RENEWED_AFTER * granted.expires_in
        return granted


def consent_url(oauth_url: str, app_id: str, verifier: str) -> Callable[[ConsentRequest], str]:
    """For `Dialog.ask_consent`: the page on which the owner of the account agrees."""

    def address(request: ConsentRequest) -> str:
        query = {"app_id": app_id, "redirect_uri": request.redirect_uri, "state": request.state}
        if verifier:
            query["code_challenge"] = challenge_of(verifier)
        return f"{oauth_url.rstrip('/')}/v4/oa/permission?{urlencode(query)}"

    return address
