"""What the played X API knows: its app, users, tokens, messages, files; and its problems."""

import itertools
import secrets
import time
from collections import deque
from typing import Any

import attrs
import msgspec
from quart import Response

from ..http import as_json
from ..platform import KEPT

PROBLEMS = "https://api.x.com/2/problems/"
LIFETIME = 7200  # seconds of an access token
SCOPE = "tweet.read users.read dm.read dm.write media.write offline.access"  # of a token from the console


class Problem(Exception):
    """`{"type", "title", "detail", "status"}` with this status; `type` is the last part of it."""

    def __init__(self, status: int, title: str, detail: str, type_: str = "", **more: Any) -> None:
        super().__init__(detail)
        self.status, self.more = status, more
        self.headers: dict[str, str] = {}
        self.body = {"title": title, "detail": detail, "type": PROBLEMS + type_ if type_ else "about:blank"}

    def response(self, headers: dict[str, str] | None = None) -> Response:
        body = {**self.body, "status": self.status, **self.more}
        answer = Response(msgspec.json.encode(body), self.status, headers)
        answer.content_type = "application/problem+json"
        return answer


def invalid(detail: str) -> Problem:
    errors = [{"message": detail}]
    text = "One or more parameters to your request was invalid."
    return Problem(400, "Invalid Request", text, "invalid-request", errors=errors)


def unauthorized() -> Problem:
    return Problem(401, "Unauthorized", "Unauthorized")


def forbidden(detail: str, type_: str = "") -> Problem:
    return Problem(403, "Forbidden", detail, type_)


def not_found(what: str) -> Problem:
    return Problem(404, "Not Found Error", f"Could not find {what}.", "resource-not-found")


def oauth_error(error: str, status: int = 400) -> Response:
    return as_json({"error": error, "error_description": "the sandbox refuses it"}, status)


@attrs.define
class Token:
    user: str
    expires_at: float


@attrs.define
class File:
    owner: str
    media_type: str
    category: str
    total: int
    pieces: list[bytes] = attrs.field(factory=list)
    done: bool = False
    checks: int = 0  # of its status, until it is processed

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces)


class Directory:
    """Users, conversations and messages. Every decimal id is a user, but those that begin with 404."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.events: deque[dict[str, Any]] = deque(maxlen=KEPT)  # as in `GET /2/dm_events`, oldest first
        self.members: dict[str, set[str]] = {}  # of conversations
        self.files: dict[str, File] = {}
        self.blocked: set[tuple[str, str]] = set()  # (who, whom)
        self._numbers = itertools.count(1)

    def new_id(self) -> str:
        """A growing id, as of a snowflake."""
        return str((int(time.time() * 1000) << 20) + next(self._numbers))

    def exists(self, user: str) -> bool:
        return user.isdigit() and len(user) <= 19 and not user.startswith("404")

    def profile(self, user: str) -> dict[str, Any]:
        name = self.names.get(user, f"User {user}")
        return {
            "id": user,
            "name": name,
            "username": f"user{user}",
            "description": "",
            "profile_image_url": f"https://pbs.twimg.com/profile_images/{user}/example_normal.jpg",
        }

    def pair(self, one: str, other: str) -> str:
        low, high = sorted((one, other), key=int)
        conversation = f"{low}-{high}"
        self.members[conversation] = {one, other}
        return conversation

    def group(self, members: set[str]) -> str:
        conversation = self.new_id()
        self.members[conversation] = members
        return conversation

    def of(self, user: str) -> list[dict[str, Any]]:
        """The events of a user's conversations, newest first."""
        return [
            event
            for event in reversed(self.events)
            if user in self.members.get(event["dm_conversation_id"], ())
        ]


class Tokens:
    """OAuth: access tokens of `lifetime` seconds, and refresh tokens that serve once.

    The first refresh token of a user may be any text `refresh-<user id>…` that was not used before.
    """

    def __init__(self) -> None:
        self.lifetime: float = LIFETIME
        self.scopes: str | None = None  # what a consent grants; None: what is asked for
        self.access: dict[str, Token] = {}
        self.refresh: dict[str, tuple[str, str]] = {}  # -> user and scope
        self.used: set[str] = set()
        self.codes: dict[str, dict[str, str]] = {}
        self.revoked: set[str] = set()  # users

    def issue(self, user: str, scope: str) -> dict[str, Any]:
        access, refresh = f"access-{user}-{secrets.token_hex(8)}", f"refresh-{user}-{secrets.token_hex(8)}"
        self.access[access] = Token(user, time.time() + self.lifetime)
        answer: dict[str, Any] = {
            "token_type": "bearer",
            "expires_in": self.lifetime,
            "access_token": access,
            "scope": scope,
        }
        if "offline.access" in scope.split():
            self.refresh[refresh] = user, scope
            answer["refresh_token"] = refresh
        return answer

    def take(self, refresh: str) -> tuple[str, str] | None:
        """The user and the scope of a refresh token, which then is used up; None: it is void."""
        found = self.refresh.pop(refresh, None)
        if found is None and refresh.startswith("refresh-") and refresh not in self.used:
            found = refresh.split("-")[1], SCOPE
        self.used.add(refresh)
        return None if found is None or found[0] in self.revoked else found

    def user_of(self, access: str) -> str | None:
        token = self.access.get(access)
        if token is None or token.expires_at <= time.time() or token.user in self.revoked:
            return None
        return token.user

    def revoke(self, user: str) -> None:
        """The user takes the app's authorization back."""
        self.revoked.add(user)
