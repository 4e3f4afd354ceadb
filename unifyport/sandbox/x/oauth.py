"""OAuth 2.0 of the played X (https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token).

The consent page has no form: it agrees for the user that `login_hint` names, user 1111 if there is none.
"""

import base64
import hashlib
import secrets
from urllib.parse import urlencode

import trio
from quart import Response, request

from ..http import as_json
from .state import Tokens, oauth_error

DEFAULT_USER = "1111"


class OAuth:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self.asked = 0  # token requests
        self.client_secret: str | None = None  # None: any

    async def authorize(self) -> Response:
        await trio.lowlevel.checkpoint()
        query = request.args
        wanted = ("response_type", "client_id", "redirect_uri", "state", "code_challenge", "scope")
        if any(not query.get(name) for name in wanted) or query["code_challenge_method"] != "S256":
            return as_json({"error": "invalid_request"}, 400)
        answer = self.decide(dict(query), query.get("login_hint", DEFAULT_USER))
        return Response(b"", 302, {"location": answer})

    def decide(self, query: dict[str, str], user: str, *, yes: bool = True) -> str:
        """Where the browser of a user is sent who agrees, or does not."""
        code = secrets.token_urlsafe(24)
        self._tokens.codes[code] = {**query, "user": user}
        answer = {"code": code} if yes else {"error": "access_denied"}
        return f"{query['redirect_uri']}?{urlencode({**answer, 'state': query['state']})}"

    async def token(self) -> Response:
        form = await request.form
        self.asked += 1
        client, secret = self._client()
        if not client or (self.client_secret is not None and secret != self.client_secret):
            return oauth_error("unauthorized_client", 401)
        if form.get("grant_type") == "refresh_token":
            granted = self._tokens.take(form.get("refresh_token", ""))
            if granted is None:
                # X says `invalid_request` of a refresh token that was used before.
                return oauth_error("invalid_request")
            return as_json(self._tokens.issue(*granted))
        known = self._tokens.codes.pop(form.get("code", ""), None)
        if form.get("grant_type") != "authorization_code" or known is None:
            return oauth_error("invalid_request")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = (known["client_id"], known["redirect_uri"], known["code_challenge"])
        if fits != (client, form.get("redirect_uri"), challenge):
            return oauth_error("invalid_request")
        self._tokens.revoked.discard(known["user"])
        scope = known["scope"] if self._tokens.scopes is None else self._tokens.scopes
        return as_json(self._tokens.issue(known["user"], scope))

    async def revoke(self) -> Response:
        form = await request.form
        self._tokens.access.pop(form.get("token", ""), None)
        self._tokens.take(form.get("token", ""))
        return as_json({"revoked": True})

    def _client(self) -> tuple[str, str]:
        scheme, _, basic = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Basic":
            return "", ""
        client, _, secret = base64.b64decode(basic).decode().partition(":")
        return client, secret
