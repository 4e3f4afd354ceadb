"""The login by QR code: the pages of id.zalo.me, and what the phone does with a code.

    waiting_scan --scan--> scanned --confirm--> confirmed
                              `----decline--> declined

A code expires 100 s after it was made, or by an order. The confirmation sets a `zpw_sek` of `zalo.me` that is
good for `checksession` alone; the redirect from there to chat.zalo.me sets the session's own, of
`chat.zalo.me`, and removes the other in the same answer.
"""

import os
from typing import Any, Literal

import attrs
import trio

from ...platform import KEPT
from .world import Refused, User

LIFE_SECONDS = 100.0
POLL_SECONDS = 20.0  # how long a wait is held
WAIT, DECLINED, EXPIRED = 8, -13, -14  # the last one is ours: Zalo's is not known
VERSION = "5.5.9"
PAGE = f'<!doctype html><script src="https://stc-zlogin.zdn.vn/main-{VERSION}.js"></script>'

State = Literal["new", "scanned", "confirmed", "declined", "expired"]


@attrs.define(eq=False)
class QrCode:
    """`code` names it in requests, `token` is what the phone reads."""

    code: str = attrs.field(factory=lambda: os.urandom(16).hex())
    token: str = attrs.field(factory=lambda: f"https://zaloapp.com/qr/l/{os.urandom(12).hex()}")
    state: State = "new"
    user: User | None = None
    made: float = attrs.field(factory=trio.current_time)
    changed: trio.Event = attrs.field(factory=trio.Event)

    def current(self) -> State:
        if self.state in ("new", "scanned") and trio.current_time() > self.made + LIFE_SECONDS:
            self.move("expired")
        return self.state

    def move(self, state: State) -> None:
        self.state = state
        self.changed.set()
        self.changed = trio.Event()


class QrCodes:
    """All codes. The phone's side raises `ValueError`, the requests' side `Refused`."""

    def __init__(self) -> None:
        self.by_code: dict[str, QrCode] = {}

    def make(self) -> dict[str, Any]:
        made = QrCode()
        self.by_code[made.code] = made
        if len(self.by_code) > KEPT:
            self.by_code.pop(next(iter(self.by_code)))
        return {
            "code": made.code,
            "image": "data:image/png;base64,iVBORw0KGgo=",
            "token": made.token,
            "options": {"enabledCheckOCR": False, "enabledMultiLayer": False},
        }

    async def wait_for_scan(self, form: dict[str, str]) -> dict[str, Any]:
        found = self._find(form)
        await self._changed(found, "new")
        if found.current() == "new":
            raise Refused(WAIT, "waiting")
        if found.state == "expired" or found.user is None:
            raise Refused(EXPIRED, "The QR code has expired")
        return {"avatar": found.user.picture, "display_name": found.user.name}

    async def wait_for_answer(self, form: dict[str, str]) -> User:
        """Who has confirmed."""
        found = self._find(form)
        if form.get("gAction") != "CONFIRM_QR" or found.current() == "new":
            raise Refused(-1, "the code was not scanned")
        await self._changed(found, "scanned")
        match found.current():
            case "scanned":
                raise Refused(WAIT, "waiting")
            case "declined":
                raise Refused(DECLINED, "declined")
            case "confirmed":
                assert found.user is not None
                return found.user
        raise Refused(EXPIRED, "The QR code has expired")

    def scan(self, token: str, user: User) -> None:
        found = self._shown(token)
        if found.current() != "new":
            raise ValueError(f"qr: the code is {found.state}")
        found.user = user
        found.move("scanned")

    def decide(self, token: str, state: Literal["confirmed", "declined"]) -> None:
        found = self._shown(token)
        if found.current() != "scanned":
            raise ValueError(f"qr: the code is {found.state}")
        found.move(state)

    def expire(self, token: str) -> None:
        self._shown(token).move("expired")

    def _shown(self, token: str) -> QrCode:
        for found in self.by_code.values():
            if found.token == token:
                return found
        raise ValueError("qr: there is no such code")

    def _find(self, form: dict[str, str]) -> QrCode:
        found = self.by_code.get(form.get("code", ""))
        if found is None or form.get("v") != VERSION or not form.get("continue"):
            raise Refused(-1, "the form is not complete")
        return found

    async def _changed(self, found: QrCode, state: State) -> None:
        """Hold the request until the code has left `state`, at most for the length of a poll."""
        with trio.move_on_after(POLL_SECONDS):
            while found.current() == state:
                with trio.move_on_at(found.made + LIFE_SECONDS + 0.01):
                    await found.changed.wait()
        await trio.lowlevel.checkpoint()
