"""The dialog of one login: what it shows and asks, each step durable before anyone is told of it."""

import enum
from typing import Any, Protocol

import attrs
import trio

from unifyport.model import auth
from unifyport.model.account import Account
from unifyport.model.auth import Trigger
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.unit import Announcement, SessionChange
from unifyport.process.redaction import register_fleeting
from unifyport.providers.contract.base import Connector

from .memory_session import MemorySession
from .status import auth_required

SHOWN_SECONDS = 300.0  # a QR code with all that follow it, or a code that is shown
ASKED_SECONDS = 600.0  # the answer to a question
FIRST_STEP_SECONDS = 60.0  # until something is shown or asked, and for importing a session


class NotAsked(Exception):
    """The login does not ask for that now."""


class Wanted(enum.Enum):
    """What a person may be asked for."""

    CODE = "code"
    PASSWORD = "password"  # noqa: S105 (a question, not a secret)


@attrs.define
class Step:
    """What a login has come to, for one unit. `login`: the number of the credentials that it belongs to."""

    login: int
    changes: dict[str, Any]
    announcements: list[Announcement] = attrs.field(factory=list)
    session: list[SessionChange] | None = None  # replaces the whole session; None leaves it as it is


class Host(Protocol):
    """The account, as its login sees it."""

    @property
    def row(self) -> Account: ...
    @property
    def runtime_status(self) -> RuntimeStatus: ...

    async def new_connector(self, session: MemorySession) -> Connector:
        """One for this login, which keeps its state in `session`. Raises a failure class."""

    async def commit_login(self, step: Step) -> None:
        """Raises `DuplicateAccount`, `LoginChanged`, or another error; then the step is not durable."""

    def qr_url(self, sequence: int, expires_at: int) -> str: ...
    def now_ms(self) -> int: ...


class Progress:
    """How far a login has come. `steps` grows with everything that callers can see."""

    def __init__(self) -> None:
        self.steps = 0
        self.ended = False
        self._changed = trio.Event()

    def advance(self) -> None:
        """Count a step and wake those that wait."""
        self.steps += 1
        self.wake()

    def end(self) -> None:
        self.ended = True
        self.wake()

    def wake(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def wait(self) -> None:
        """Wait for the next change of any kind."""
        await self._changed.wait()


class StepDeadline:
    """By when the next step of a login must come. Each step renews it; then it fails for `reason`."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.reason = ""

    def renew(self, seconds: float, reason: str) -> None:
        self.scope.deadline, self.reason = trio.current_time() + seconds, reason


class LoginDialog:
    """Implements `providers.contract.login.Dialog`. `login`: the number of the credentials."""

    def __init__(self, host: Host, login: int, progress: Progress, deadline: StepDeadline) -> None:
        self._host = host
        self._login = login
        self._progress = progress
        self._deadline = deadline
        self._wanted: Wanted | None = None
        self._answer: str | None = None
        self._qr_shown = False

    def give(self, wanted: Wanted, value: str) -> None:
        """Answer the question. Raises `NotAsked`."""
        if self._wanted is not wanted or self._answer is not None:
            raise NotAsked
        self._answer = value
        self._progress.wake()

    def close(self) -> None:
        """The login has ended: no answer is taken any more."""
        self._wanted = None

    async def show_qr(self, qr_code: str, lifetime: float) -> None:
        await self._show(Trigger.SHOW_QR, {"qr_code": qr_code}, lifetime, picture=True)
        if not self._qr_shown:  # the codes that follow it do not extend the time
            self._qr_shown = True
            self._deadline.renew(SHOWN_SECONDS, "qrcode_expired")

    async def show_pin(self, pin: str, lifetime: float) -> None:
        shown = {name: value for name, value in self._host.row.auth_payload.items() if name == "qr_code"}
        await self._show(Trigger.SHOW_QR, {**shown, "pin": pin}, lifetime, picture="qr_code" in shown)

    async def show_code(self, verify_code: str, lifetime: float) -> None:
        await self._show(Trigger.WANT_CODE, {"verify_code": verify_code}, lifetime)
        self._deadline.renew(SHOWN_SECONDS, "code_expired")

    async def ask_code(self, refused: str | None = None) -> str:
        return await self._ask(Wanted.CODE, Trigger.WANT_CODE, "code_expired", refused)

    async def ask_password(self) -> str:
        return await self._ask(Wanted.PASSWORD, Trigger.WANT_PASSWORD, "password_timeout", None)

    async def _show(
        self, trigger: Trigger, payload: dict[str, Any], lifetime: float, *, picture: bool = False
    ) -> None:
        host = self._host
        for text in payload.values():
            register_fleeting(text)
        sequence, expires_at = host.row.auth_sequence + 1, host.now_ms() + int(lifetime * 1000)
        if picture:
            payload["url"] = host.qr_url(sequence, expires_at)
        await self._commit_step(
            trigger, auth_payload={**payload, "sequence": sequence}, auth_expires_at=expires_at
        )

    async def _ask(self, wanted: Wanted, trigger: Trigger, late: str, refused: str | None) -> str:
        self._wanted, self._answer = wanted, None
        await self._commit_step(trigger, auth_payload={}, auth_expires_at=None, last_error=refused)
        self._deadline.renew(ASKED_SECONDS, late)
        while self._answer is None:
            await self._progress.wait()
        answer, self._wanted, self._answer = self._answer, None, None
        self._deadline.renew(FIRST_STEP_SECONDS, "login_timeout")
        return answer

    async def _commit_step(self, trigger: Trigger, *, last_error: str | None = None, **shown: Any) -> None:
        row = self._host.row
        changes: dict[str, Any] = {
            "auth_status": auth.next_status(row.auth_status, trigger),
            "auth_sequence": row.auth_sequence + 1,
            "last_error": last_error,
            "terminal": None,
            **shown,
        }
        announcements = auth_required(
            attrs.evolve(row, **changes), self._host.runtime_status, self._host.now_ms()
        )
        await self._host.commit_login(Step(self._login, changes, announcements))
        self._progress.advance()
