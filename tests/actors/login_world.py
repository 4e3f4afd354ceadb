"""A login without an account actor: a host whose road may refuse, and a connector that follows a script."""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trio

from actors.account.login import Login
from actors.account.login_parts import Step
from actors.account.memory_session import MemorySession
from actors.account.services import LoginPages
from unifyport.model.account import Account, Identity
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.unit import SessionChange
from unifyport.process.redaction import ShortLivedSecrets
from unifyport.providers.contract.login import Authorization, Authorizes, Dialog, LogsOut

Script = Callable[[Dialog], Awaitable[Authorization]]
DONE = Authorization(Identity("me", display_name="Me"))
SESSION = [SessionChange("device", b"key", b"x")]


class ScriptedConnector(Authorizes, LogsOut):
    def __init__(self, script: Script) -> None:
        self._script = script
        self.closed = self.logged_out = 0

    async def authorize(self, dialog: Dialog) -> Authorization:
        return await self._script(dialog)

    async def log_out(self) -> None:
        self.logged_out += 1

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        self.closed += 1


class ScriptedHost:
    """An account actor whose road may refuse, or never answer."""

    def __init__(self, script: Script) -> None:
        self.row = Account("acct_1", "a", "line", "line", "global", "qrcode")
        self.made = ScriptedConnector(script)
        self.steps: list[Step] = []
        self.refuses: Exception | None = None
        self.refuses_all = False  # every step, not only the success
        self.takes = 0.0  # seconds of each commit
        self.runtime_status = RuntimeStatus.UNKNOWN
        self.login_pages = LoginPages()
        self.secrets = ShortLivedSecrets()

    async def new_connector(self, session: MemorySession) -> Any:
        await session.commit(SESSION)
        return self.made

    async def commit_login(self, step: Step) -> None:
        await trio.sleep(self.takes)
        if self.refuses is not None and (step.session is not None or self.refuses_all):
            raise self.refuses
        self.steps.append(step)
        self.row = attrs.evolve(self.row, **step.changes)

    def qr_url(self, sequence: int, expires_at: int) -> str:
        return f"https://gateway.example/qr/{sequence}.png"

    def now_ms(self) -> int:
        return int(trio.current_time() * 1000)

    @property
    def statuses(self) -> list[str]:
        return [step.changes["auth_status"].value for step in self.steps]


async def finished(host: ScriptedHost) -> tuple[Login, float]:
    """The login, and how long it took."""
    login, began = Login(host), trio.current_time()
    await login.run()
    assert login.ended
    assert host.made.closed == 1
    return login, trio.current_time() - began
