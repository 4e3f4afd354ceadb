"""The token endpoint of the played Official Account API, and its page of consent."""

import itertools
import re
from typing import Any
from urllib.parse import urlencode

import trio
from quart import Response, request

from unifyport.model.pkce import challenge_of

from ..http import as_json
from .files import FilesAtUrls
from .groups import OfficialError

LIFETIME = 90_000  # seconds of an access token
OA = "579745863508352884"  # whose owner agrees on the page of consent, if the order names nobody
_SEED = re.compile(r"sandbox-([0-9]+)-.+")


class TokenEndpoint(FilesAtUrls):
    """Tokens of accounts: a refresh token serves once.

    `lifetime`: seconds of an access token. `refreshes`: the refresh tokens that came, in order. `hold`: where
    the token endpoint keeps the next request for ever, `before` or `after` it has used up the token; `held`
    is set then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.lifetime = float(LIFETIME)
        self.access_tokens: dict[str, tuple[str, float]] = {}  # account id, time of expiry (trio's clock)
        self.refresh_tokens: dict[str, str] = {}  # those that were given out and not used
        self.spent: set[str] = set()
        self.refreshes: list[str] = []
        self.hold = ""
        self.held = trio.Event()
        self.codes: dict[str, tuple[str, str]] = {}  # account id, code challenge
        self.owner = OA
        self._ids = itertools.count(1)
        self.app.add_url_rule("/v4/oa/permission", "permission", self._permission, methods=["GET"])
        self.app.add_url_rule("/v4/oa/access_token", "token", self._access_token, methods=["POST"])

    async def _permission(self) -> Response:
        """The owner of the account agrees at once, and the browser is sent back."""
        await trio.lowlevel.checkpoint()
        told = request.args
        code = f"code-{next(self._ids)}"
        self.codes[code] = self.owner, told.get("code_challenge", "")
        query = {"oa_id": self.owner, "code": code, "state": told.get("state", "")}
        return Response(b"", 302, {"location": f"{told.get('redirect_uri', '')}?{urlencode(query)}"})

    async def _access_token(self) -> Response:
        form = (await request.form).to_dict()

        async def grant() -> Response:
            hold, self.hold = self.hold, ""
            if hold == "before":
                await self._keep_waiting()
            try:
                granted = self._grant(form)
                if hold == "after":
                    await self._keep_waiting()
                await trio.lowlevel.checkpoint()
                return as_json(granted)
            except OfficialError as error:
                return as_json(
                    {"error": error.code, "error_name": error.message, "error_description": error.message}
                )

        return await self.answer(form.get("app_id", ""), "access_token", grant)

    async def _keep_waiting(self) -> None:
        self.held.set()
        self.held = trio.Event()
        await trio.sleep_forever()

    def _grant(self, form: dict[str, str]) -> dict[str, Any]:
        if request.headers.get("secret_key", "wrong").startswith("wrong") or not form.get("app_id"):
            raise OfficialError(-14004, "Invalid secret key")
        if form.get("grant_type") == "authorization_code":
            account, challenge = self.codes.pop(form.get("code", ""), ("", ""))
            if not account or challenge != (
                challenge_of(form["code_verifier"]) if "code_verifier" in form else ""
            ):
                raise OfficialError(-14019, "Invalid authorization code")
        else:
            token = form.get("refresh_token", "")
            self.refreshes.append(token)
            seed = _SEED.fullmatch(token)
            account = self.refresh_tokens.pop(token, seed[1] if seed and token not in self.spent else "")
            self.spent.add(token)
            if not account:
                raise OfficialError(-14014, "Invalid refresh token")
        number = next(self._ids)
        access, refresh = f"access-{account}-{number}", f"refresh-{account}-{number}"
        self.access_tokens[access] = account, trio.current_time() + self.lifetime
        self.refresh_tokens[refresh] = account
        return {"access_token": access, "refresh_token": refresh, "expires_in": str(int(self.lifetime))}
