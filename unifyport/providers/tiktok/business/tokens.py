"""Tokens of a business account: exchanged after its owner's consent, refreshed, revoked.

An access token lasts 24 hours. A refresh token lasts a year and serves once: each refresh answers with
another. `open_id` is what the rest of the API calls `business_id`
(https://business-api.tiktok.com/portal/docs?id=1832184159540418). The app is called `client_key` on the page
of consent, `client_id` here, and `app_id` where webhooks are configured.
"""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

import attrs

from unifyport.providers.contract.errors import ChannelError, Rejected
from unifyport.providers.contract.login import Consent, ConsentRequest
from unifyport.providers.http import HttpApi, decode
from unifyport.providers.oauth_client import REFRESH_SECONDS, Granted, OAuthClient

from .answers import data_of, read_answer
from .errors import token_failure

# Without these there is nothing to do for a gateway.
REQUIRED_SCOPES = ("message.list.read", "message.list.send", "message.list.manage")


class BusinessGranted(Granted):
    """`scope`: names with commas between them."""

    open_id: str = ""
    scope: str = ""


@attrs.frozen(kw_only=True)
class BusinessClient(OAuthClient):
    """The app. Requests go to `refresh_url` and `token_url` as JSON, and are refused inside of a 200.

    `on_granted` is told of each answer: it names the business account.
    """

    refresh_url: str
    on_granted: Callable[[BusinessGranted], None]

    async def exchange(self, http: HttpApi, consent: Consent) -> Granted:
        fields = {"grant_type": "authorization_code", "auth_code": consent.code()}
        try:
            granted = await self.ask(http, {**fields, "redirect_uri": consent.redirect_uri})
        except ChannelError as error:
            if error.reason == "refresh_token_refused":
                raise Rejected("code_refused") from None
            raise
        assert isinstance(granted, BusinessGranted)
        _check_scopes(granted)
        return granted

    async def ask(self, http: HttpApi, fields: Mapping[str, str]) -> Granted:
        url = self.refresh_url if fields["grant_type"] == "refresh_token" else self.token_url
        app = {"client_id": self.client_id, "client_secret": self.client_secret}
        try:
            answer = await http.request(
                "POST", url, json={**app, **fields}, timeout=REFRESH_SECONDS, authorized=False
            )
            granted: BusinessGranted = decode(data_of(read_answer(answer)), BusinessGranted)
        except ChannelError as error:
            raise token_failure(error) from None
        self.on_granted(granted)
        return granted


def consent_url(page: str, client_key: str, scopes: Sequence[str]) -> Callable[[ConsentRequest], str]:
    """For `Dialog.ask_consent`: the page on which the owner of a business account agrees. It has no PKCE."""

    def address(request: ConsentRequest) -> str:
        query = {
            "client_key": client_key,
            "response_type": "code",
            "scope": ",".join(scopes),
            "redirect_uri": request.redirect_uri,
            "state": request.state,
        }
        return f"{page}?{urlencode(query)}"

    return address


def _check_scopes(granted: BusinessGranted) -> None:
    """Raises `Rejected` that names a scope which the owner has not granted."""
    given = {scope.strip() for scope in granted.scope.split(",")}
    for scope in REQUIRED_SCOPES:
        if scope not in given:
            raise Rejected(f"missing_scope_{scope.replace('.', '_')}", f"{scope} was not granted")
