"""The reference platform's doors: how a new device gets in.

What its app and its users do is methods of `Logins`.

An attempt is followed by `wait_login(attempt, seen)`, which answers as soon as there is news after news
number `seen`: `{"number", "is", ...}`, where `is` is `qr`, `pin`, `digits`, `confirm`, `code_sent`,
`consent`, `passkey`, `password`, `passcode`, `in` or `over`. A device that is in has a key.
"""

import json
import secrets
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import attrs
import trio

from unifyport.model.pkce import challenge_of

ORIGIN = "https://reference.example"
SCOPES = ["messages.read", "messages.write"]


class Refused(Exception):
    """The platform's own word for why not."""


@attrs.define
class User:
    id: str
    name: str
    phone: str
    password: str | None = None
    code: str = "12345"  # what the platform texts him
    hint: str | None = None  # what he wrote down of the password
    passcode: str | None = None
    guesses: int = 5  # that are left before the platform locks
    passkey: str | None = None  # the id of his credential
    confirms: bool = False  # must tap in the app after he has scanned
    pin: str | None = None  # must be compared after he has scanned


@attrs.define
class Attempt:
    id: str
    kind: str
    user: User | None = None  # whose it is, once that is known
    news: list[dict[str, Any]] = attrs.field(factory=list)
    qr: str = ""
    challenge: str = ""  # of a passkey
    code: tuple[str, str, str] | None = None  # of consent: itself, its S256 challenge, its redirect URI
    bell: trio.Event = attrs.field(factory=trio.Event)

    def tell(self, what: str, **more: Any) -> None:
        self.news.append({"number": len(self.news) + 1, "is": what, **more})
        self.bell.set()
        self.bell = trio.Event()


class Logins:
    """`users` by phone.

    `qr_seconds`: what a QR code says of its life; it is replaced only when a test calls `new_qr`.
    """

    def __init__(self, users: list[User]) -> None:
        self.users = {user.phone: user for user in users}
        self.devices: dict[str, User] = {}  # key -> whose
        self.logged_out: list[str] = []
        self.attempts: dict[str, Attempt] = {}
        self.qr_seconds = 20.0
        self.new_challenge = lambda: secrets.token_urlsafe(32)

    # -- what a device does ----------------------------------------------------------------------------------

    def begin(self, kind: str, phone: str | None = None) -> str:
        attempt = Attempt(f"attempt-{len(self.attempts) + 1}", kind)
        self.attempts[attempt.id] = attempt
        if kind == "qr":
            self.new_qr(attempt.id)
            return attempt.id
        if kind == "consent":
            attempt.tell("consent", page=f"{ORIGIN}/authorize", scopes=SCOPES)
            return attempt.id
        attempt.user = self.users.get(phone or "")
        if attempt.user is None:
            raise Refused("no such number")
        if kind == "typed":
            attempt.qr = f"{len(self.attempts):04d}-{secrets.token_hex(2).upper()}"
            attempt.tell("digits", digits=attempt.qr, seconds=180)
        else:
            attempt.tell("code_sent", how={"type": "sms", "length": 5, "next_type": "call", "timeout": 60})
        return attempt.id

    async def wait(self, attempt: str, seen: int) -> dict[str, Any]:
        """The next piece of news; an empty one after a while."""
        found = self.attempts[attempt]
        with trio.move_on_after(5):
            while len(found.news) <= seen:
                await found.bell.wait()
            return found.news[seen]
        return {"number": seen, "is": "nothing"}

    def give_code(self, attempt: str, code: str) -> None:
        found = self.attempts[attempt]
        assert found.user is not None
        if code != found.user.code:
            raise Refused("wrong code")
        self._past_the_door(found)

    def give_password(self, attempt: str, password: str) -> None:
        found = self.attempts[attempt]
        assert found.user is not None
        if password != found.user.password:
            raise Refused("wrong password")
        self._past_the_door(found, after="password")

    def give_passcode(self, attempt: str, passcode: str) -> int | None:
        """None: it is right. Else the guesses that are left."""
        found = self.attempts[attempt]
        assert found.user is not None
        if passcode == found.user.passcode:
            self._past_the_door(found, after="passcode")
            return None
        found.user.guesses -= 1
        return found.user.guesses

    def give_passkey(self, attempt: str, result: str) -> None:
        found = self.attempts[attempt]
        assert found.user is not None
        if json.loads(result) != {"id": found.user.passkey, "challenge": found.challenge}:
            raise Refused("wrong passkey")
        self._past_the_door(found, after="passkey")

    def exchange(self, attempt: str, code: str, verifier: str, redirect_uri: str) -> None:
        found = self.attempts[attempt]
        if found.code != (code, challenge_of(verifier), redirect_uri):
            raise Refused("invalid grant")
        self._past_the_door(found)

    def log_out(self, key: str) -> None:
        self.devices.pop(key, None)
        self.logged_out.append(key)

    # -- what people do --------------------------------------------------------------------------------------

    def new_qr(self, attempt: str) -> str:
        """The code is replaced, as it is now and then."""
        found = self.attempts[attempt]
        found.qr = f"ref:{secrets.token_hex(8)}"
        found.tell("qr", code=found.qr, seconds=self.qr_seconds)
        return found.qr

    def scan(self, qr: str, phone: str) -> None:
        """A user's app scans a QR code, or the user types the digits that are shown into it."""
        [found] = [attempt for attempt in self.attempts.values() if attempt.qr == qr]
        found.user = user = self.users[phone]
        if user.pin is not None:
            found.tell("pin", pin=user.pin, seconds=60)
        if user.confirms:
            found.tell("confirm", name=user.name, picture=f"{ORIGIN}/1.png")
        if user.pin is None and not user.confirms:
            self._past_the_door(found)

    def confirm(self, attempt: str) -> None:
        """He taps in the app, or says that the PIN is the same."""
        self._past_the_door(self.attempts[attempt])

    def consent(self, page_url: str, phone: str, *, yes: bool = True) -> str:
        """He decides on the platform's page: the path and query that his browser is sent to."""
        query = dict(parse_qsl(urlsplit(page_url).query))
        found = self.attempts[self.newest]
        found.user = self.users[phone]
        code = f"4/{secrets.token_urlsafe(24)}"
        found.code = (code, query["code_challenge"], query["redirect_uri"])
        answer = {"code": code} if yes else {"error": "access_denied"}
        callback = urlsplit(query["redirect_uri"]).path
        return f"{callback}?{urlencode({**answer, 'state': query['state']})}"

    def give_up(self, attempt: str) -> None:
        """The platform has had enough of it."""
        self.attempts[attempt].tell("over", why="too many codes")

    def unlink(self, key: str) -> None:
        """The user removes the device in his app."""
        self.devices.pop(key, None)

    def export(self, phone: str) -> str:
        """A session of a device elsewhere."""
        return self._key(self.users[phone])

    @property
    def newest(self) -> str:
        return next(reversed(self.attempts))

    def _past_the_door(self, found: Attempt, after: str = "") -> None:
        """The next thing that the platform wants of this user, in this order."""
        user = found.user
        assert user is not None
        wants = {"passkey": user.passkey, "password": user.password, "passcode": user.passcode}
        names = list(wants)
        left = names[names.index(after) + 1 :] if after else names
        match next((name for name in left if wants[name] is not None), None):
            case "passkey":
                found.challenge = self.new_challenge()
                options = {"challenge": found.challenge, "rpId": "reference.example"}
                found.tell("passkey", origin=ORIGIN, options=options)
            case "password":
                found.tell("password", hint=user.hint)
            case "passcode":
                found.tell("passcode", guesses=user.guesses)
            case None:
                self._let_in(found)

    def _let_in(self, found: Attempt) -> None:
        assert found.user is not None
        found.tell("in", key=self._key(found.user))

    def _key(self, user: User) -> str:
        key = f"device-{secrets.token_hex(16)}"
        self.devices[key] = user
        return key
