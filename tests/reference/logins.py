"""The reference platform's doors: how a new device gets in.

What its app and its users do is methods of `Logins`.

An attempt is followed by `wait_login(attempt, seen)`, which answers as soon as there is news after news
number `seen`: `{"number", "is": "qr" | "digits" | "code_sent" | "password" | "in" | "over", ...}`. A device
that is in has a key.
"""

import secrets
from typing import Any

import attrs
import trio


class Refused(Exception):
    """The platform's own word for why not."""


@attrs.define
class User:
    id: str
    name: str
    phone: str
    password: str | None = None
    code: str = "12345"  # what the platform texts him


@attrs.define
class Attempt:
    id: str
    kind: str
    user: User | None = None  # whose it is, once that is known
    news: list[dict[str, Any]] = attrs.field(factory=list)
    qr: str = ""
    bell: trio.Event = attrs.field(factory=trio.Event)

    def tell(self, what: str, **more: Any) -> None:
        self.news.append({"number": len(self.news) + 1, "is": what, **more})
        self.bell.set()
        self.bell = trio.Event()


class Logins:
    """`users` by phone.

    `qr_seconds`: what a QR code says of its life; a new one comes when somebody asks for it.
    """

    def __init__(self, users: list[User]) -> None:
        self.users = {user.phone: user for user in users}
        self.devices: dict[str, User] = {}  # key -> whose
        self.logged_out: list[str] = []
        self.attempts: dict[str, Attempt] = {}
        self.qr_seconds = 20.0

    # -- what a device does ----------------------------------------------------------------------------------

    def begin(self, kind: str, phone: str | None = None) -> str:
        attempt = Attempt(f"attempt-{len(self.attempts) + 1}", kind)
        self.attempts[attempt.id] = attempt
        if kind == "qr":
            self.new_qr(attempt.id)
            return attempt.id
        attempt.user = self.users.get(phone or "")
        if attempt.user is None:
            raise Refused("no such number")
        if kind == "typed":
            attempt.qr = f"{len(self.attempts):04d}-{secrets.token_hex(2).upper()}"
            attempt.tell("digits", digits=attempt.qr, seconds=180)
        else:
            attempt.tell("code_sent")
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
        self._let_in(found)

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
        """Somebody's app scans a QR code, or he types the digits that are shown into it."""
        [found] = [attempt for attempt in self.attempts.values() if attempt.qr == qr]
        found.user = self.users[phone]
        self._past_the_door(found)

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

    def _past_the_door(self, found: Attempt) -> None:
        assert found.user is not None
        if found.user.password is not None:
            found.tell("password")
        else:
            self._let_in(found)

    def _let_in(self, found: Attempt) -> None:
        assert found.user is not None
        found.tell("in", key=self._key(found.user))

    def _key(self, user: User) -> str:
        key = f"device-{secrets.token_hex(16)}"
        self.devices[key] = user
        return key
