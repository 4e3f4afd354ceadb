"""Sessions of the web application: cookies, the CSRF token, and why a request is refused.

The codes are those of https://github.com/mautrix/twitter (`errors.go`), a client of the web application.
"""

import secrets

import attrs
from quart import Response, request

from ...http import as_json

FAILURES = {
    "expired": (401, 32, "Could not authenticate you."),
    "locked": (403, 326, "To protect our users from spam, this account is temporarily locked."),
    "suspended": (403, 64, "Your account is suspended and is not permitted to access this feature."),
    "inactive": (403, 141, "User has been deactivated."),
}


class WebRefusal(Exception):
    """An answer with `errors`. `csrf`: the token that it sets, where the request had an old one."""

    def __init__(self, status: int, code: int, message: str, csrf: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.csrf = status, code, message, csrf

    def response(self) -> Response:
        answer = as_json({"errors": [{"code": self.code, "message": self.message}]}, self.status)
        if self.csrf:
            _set_csrf(answer, self.csrf)
        return answer


@attrs.define
class WebSession:
    """`csrf`: the newest CSRF token. `next_csrf`: the one that the next answer sets. `failure`: of
    `FAILURES`.
    """

    user: str
    auth_token: str = attrs.field(factory=lambda: secrets.token_hex(20))
    csrf: str = attrs.field(factory=lambda: secrets.token_hex(80))
    next_csrf: str = ""
    failure: str = ""

    @property
    def cookies(self) -> dict[str, str]:
        """What a browser exports."""
        return {"auth_token": self.auth_token, "ct0": self.csrf, "twid": f"u%3D{self.user}"}


class Sessions:
    def __init__(self) -> None:
        self._open: dict[str, WebSession] = {}  # by auth_token

    def open(self, user: str) -> WebSession:
        session = WebSession(user)
        self._open[session.auth_token] = session
        return session

    def of(self, user: str) -> list[WebSession]:
        return [session for session in self._open.values() if session.user == user]

    def close(self, user: str) -> None:
        """End all sessions of a user."""
        for session in self.of(user):
            del self._open[session.auth_token]

    def session(self, *, file: bool = False) -> WebSession:
        """The session of the request. `file`: of one that an image of a page makes, which has the cookies
        only. Raises `WebRefusal`.
        """
        session = self._open.get(request.cookies.get("auth_token", ""))
        if session is None or not (file or request.headers.get("Authorization", "").startswith("Bearer ")):
            raise WebRefusal(*FAILURES["expired"])
        if session.failure:
            raise WebRefusal(*FAILURES[session.failure])
        if file:
            return session
        header = request.headers.get("x-csrf-token", "")
        if not header or header != request.cookies.get("ct0") or header != session.csrf:
            known = session.csrf if header and header == request.cookies.get("ct0") else ""
            raise WebRefusal(403, 353, "This request requires a matching csrf cookie and header.", known)
        if request.headers.get("x-twitter-auth-type") != "OAuth2Session":
            raise WebRefusal(401, 32, "Could not authenticate you.")
        if not request.headers.get("x-client-transaction-id"):
            raise WebRefusal(404, 34, "Sorry, that page does not exist.")
        return session


def renewed(session: WebSession, answer: Response) -> Response:
    """An answer that also sets a new CSRF token, if one is due; the former one is refused from then on."""
    if session.next_csrf:
        session.csrf, session.next_csrf = session.next_csrf, ""
        _set_csrf(answer, session.csrf)
    return answer


def _set_csrf(answer: Response, token: str) -> None:
    answer.headers.add("set-cookie", f"ct0={token}; Path=/; Max-Age=21600; SameSite=Lax")
