"""What a login is made of: its host, its steps as units, how far it has come, and by when it must go on."""

from typing import Any, Protocol

import attrs
import trio

from unifyport.model.account import Account
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.unit import Announcement, SessionChange
from unifyport.process.redaction import ShortLivedSecrets
from unifyport.providers.contract.base import Connector

from .memory_session import MemorySession
from .services import LoginPages


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
    @property
    def login_pages(self) -> LoginPages: ...
    @property
    def secrets(self) -> ShortLivedSecrets: ...

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
    """By when the next step of a login must come; then it fails for `reason`.

    Each question renews it. What is shown renews it once for its reason until a question is answered, so
    that a platform that shows one code after another does not extend the time.
    """

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.reason = ""
        self._shown: set[str] = set()

    def renew(self, seconds: float, reason: str) -> None:
        self.scope.deadline, self.reason = trio.current_time() + seconds, reason

    def renew_once(self, seconds: float, reason: str) -> None:
        if reason not in self._shown:
            self._shown.add(reason)
            self.renew(seconds, reason)

    def begin(self, seconds: float, reason: str) -> None:
        """What follows has its own time: the login begins, or a question is answered."""
        self._shown.clear()
        self.renew(seconds, reason)
