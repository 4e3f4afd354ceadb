"""What TikTok keeps: apps, business accounts with their conversations, and the tokens of each consent."""

import itertools
import time
from collections import deque
from typing import Any

import attrs

from ..platform import KEPT

ACCESS_SECONDS, REFRESH_SECONDS = 86_400, 31_536_000
HOUR_MS = 3_600_000
WINDOW_MS = 48 * HOUR_MS
SCOPES = "user.info.basic,user.info.username,message.list.read,message.list.send,message.list.manage"
FIRST, AFTER = 10, 3  # messages until the customer answers, and once the window is closed


class ApiError(Exception):
    """An answer with a code that is not 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@attrs.define
class App:
    """An app of the developer portal, with its one webhook."""

    secret: str
    callback_url: str = ""


@attrs.define
class Conversation:
    id: str
    customer: str
    username: str
    written: int = 0  # messages of the customer
    last_written: int = 0  # unix ms
    answered: int = 0  # messages of the business since then
    messages: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))

    @property
    def kind(self) -> str:
        """TikTok's type: `STRANGER` until the business has written."""
        return "SINGLE" if any(each.get("out") for each in self.messages) else "STRANGER"

    def hear(self, at: int) -> None:
        """The customer wrote at `at` (unix ms)."""
        self.written += 1
        self.last_written, self.answered = at, 0

    def admit(self, now: int) -> None:
        """Count a message of the business. Raises `ApiError` where the messaging rules forbid it."""
        in_time = now - self.last_written < WINDOW_MS
        if not self.written or self.answered >= (
            AFTER if not in_time else FIRST if self.written == 1 else KEPT
        ):
            raise ApiError(40064, "The message is blocked by the direct message rules")
        self.answered += 1


@attrs.define
class Business:
    """`images`: whether the countries of both sides allow them."""

    id: str
    client_key: str = ""
    images: bool = True
    conversations: dict[str, Conversation] = attrs.field(factory=dict)
    sent: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))
    actions: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=KEPT))

    @property
    def username(self) -> str:
        return f"shop_{self.id[-6:]}"


@attrs.define
class File:
    id: str
    content: bytes
    mime_type: str


@attrs.define
class Grant:
    """The consent of a business account. Only the newest refresh token is good, and only once."""

    business: str
    client_key: str
    scope: str
    refresh_token: str = ""
    access_tokens: dict[str, float] = attrs.field(factory=dict)  # and when each expires, unix seconds
    revoked: bool = False


class Grants:
    """Every refresh token `sandbox-refresh-<business>` that was never used is good: somebody consented."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._codes: dict[str, Grant] = {}
        self._refresh: dict[str, Grant] = {}
        self._used: set[str] = set()
        self._access: dict[str, Grant] = {}
        self.issued = 0  # pairs of tokens

    def new_code(self, business: str, client_key: str, scope: str) -> str:
        code = f"code-{next(self._numbers)}"
        self._codes[code] = Grant(business, client_key, scope)
        return code

    def new_seed(self, business: str, client_key: str) -> str:
        """A refresh token of a new consent, as an operator would paste it."""
        token = f"refresh-{business}-{next(self._numbers)}"
        self._refresh[token] = Grant(business, client_key, SCOPES, token)
        return token

    def exchange(self, code: str, client_key: str) -> dict[str, Any]:
        grant = self._codes.pop(code, None)
        if grant is None or grant.client_key != client_key:
            raise ApiError(40110, "The auth_code is wrong, has expired, or was used")
        return self._issue(grant)

    def refresh(self, token: str, client_key: str, scope: str) -> dict[str, Any]:
        seed = token.removeprefix("sandbox-refresh-")
        if seed != token and token not in self._used | self._refresh.keys():
            self._refresh[token] = Grant(seed, client_key, scope, token)
        grant = self._refresh.get(token)
        good = grant is not None and grant.refresh_token == token and not grant.revoked
        if grant is None or not good or grant.client_key != client_key:
            raise ApiError(40103, "The refresh token is wrong, has expired, or was used")
        return self._issue(grant)

    def _issue(self, grant: Grant) -> dict[str, Any]:
        number = next(self._numbers)
        self.issued += 1
        self._used.add(grant.refresh_token)
        grant.refresh_token = f"refresh-{grant.business}-{number}"
        access = f"access-{grant.business}-{number}"
        grant.access_tokens[access] = time.time() + ACCESS_SECONDS
        self._refresh[grant.refresh_token] = self._access[access] = grant
        return {
            "access_token": access,
            "expires_in": ACCESS_SECONDS,
            "refresh_token": grant.refresh_token,
            "refresh_token_expires_in": REFRESH_SECONDS,
            "open_id": grant.business,
            "scope": grant.scope,
            "token_type": "Bearer",
        }

    def of_token(self, access: str) -> Grant:
        """Raises `ApiError` for a token that is not, or no longer, good."""
        grant = self._access.get(access)
        if grant is None or grant.revoked or grant.access_tokens.get(access, 0.0) <= time.time():
            raise ApiError(40105, "The access token is incorrect or has been revoked")
        return grant

    def good_access_tokens(self) -> list[str]:
        now = time.time()
        return [token for token, grant in self._access.items() if grant.access_tokens[token] > now]

    def all_revoked(self) -> bool:
        return all(grant.revoked for grant in self._refresh.values())

    def expire(self, access: str) -> None:
        """The access token ends now; its refresh token stays good."""
        grant = self._access.get(access)
        if grant is not None:
            grant.access_tokens[access] = 0.0

    def revoke(self, business: str | None = None) -> None:
        """The owner withdraws the consent: all tokens of the business account are void."""
        for grant in self._refresh.values():
            if business in (None, grant.business):
                grant.revoked = True

    def restore(self) -> None:
        for grant in self._refresh.values():
            grant.revoked = False
