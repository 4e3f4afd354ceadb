"""One attempt to log an account in, with a human or with an exported session.

It runs beside the supervised connection and never at the same time: the account is not up while it is not logged in.
A step is durable before anybody is told of it, and so is the end: session, identity and `account.auth.succeeded` are one
unit, in which the store also settles which of two accounts has an identity. An attempt is not restarted, neither after a
failure nor after the process has ended.
"""

import enum
import logging
from typing import Any, Protocol

import attrs
import trio

from supervisors import split
from unifyport.model import auth
from unifyport.model.account import Account
from unifyport.model.auth import Trigger
from unifyport.model.runtime_status import RuntimeStatus
from unifyport.model.unit import Announcement, SessionChange
from unifyport.process.redaction import register_fleeting
from unifyport.providers.contract.base import Connector
from unifyport.providers.contract.errors import ChannelError, Rejected
from unifyport.providers.contract.login import (
    Authorization,
    Authorizes,
    ExportedSession,
    ImportsSession,
    LogsOut,
)

from .status import auth_required, auth_succeeded, login_failed

log = logging.getLogger("unifyport.login")

SHOWN_SECONDS = 300.0  # a QR code, with all that follow it, or a code that is shown
ASKED_SECONDS = 600.0  # the answer to a question
FIRST_STEP_SECONDS = 60.0  # until something is shown or asked, and to import a session
CLOSE_SECONDS = 5.0
LOG_OUT_SECONDS = 10.0


class DuplicateAccount(Rejected):
    """Another account of the workspace is this identity."""

    def __init__(self) -> None:
        super().__init__("duplicate_provider_account", "another account has this provider identity")


class LoginChanged(Rejected):
    """The account has got other credentials meanwhile."""

    def __init__(self) -> None:
        super().__init__("credentials_changed", "the account has got other credentials meanwhile")


class NotAsked(Exception):
    """Nobody waits for that now."""


class Wanted(enum.Enum):
    """What a human may be asked for."""

    CODE = "code"
    PASSWORD = "password"  # noqa: S105 (a question, not a secret)


@attrs.define
class Step:
    """What a login has come to, to be committed in one unit. `login`: which one, as of the account's credentials."""

    login: int
    changes: dict[str, Any]
    announcements: list[Announcement] = attrs.field(factory=list)
    session: list[SessionChange] | None = None  # in place of the old one


class Host(Protocol):
    """The account actor, as its login sees it."""

    row: Account

    async def new_connector(self) -> Connector:
        """One without a session. Raises a failure class."""

    async def commit_login(self, step: Step) -> None:
        """Raises `DuplicateAccount`, `LoginChanged`, or another error when it is not durable and will not be."""

    @property
    def runtime_status(self) -> RuntimeStatus: ...
    def qr_url(self, sequence: int, expires_at: int) -> str: ...
    def now_ms(self) -> int: ...


class Login:
    """See the module. It is the `Dialog` of its connector. `steps` grows with everything that callers can see."""

    def __init__(self, host: Host, exported: ExportedSession | None = None) -> None:
        self._host = host
        self._exported = exported
        self.steps = 0
        self.error: BaseException | None = None
        self.ended = False
        self._wanted: Wanted | None = None
        self._answer: str | None = None
        self._bell = trio.Event()
        self._scope = trio.CancelScope()
        self._patience = trio.CancelScope()
        self._gave_up = "login_timeout"  # why, when patience ends
        self._qr_shown = False
        self._recording = False  # it has succeeded, and that is on its way to the disk
        self._number = host.row.login  # whose login it is: of no worth once there are other credentials
        self._desired = host.row.desired

    # -- what callers do ------------------------------------------------------------------------------------------

    def give(self, wanted: Wanted, value: str) -> None:
        """Answer the question. Raises `NotAsked`."""
        if self._wanted is not wanted or self._answer is not None:
            raise NotAsked
        self._answer = value
        self._ring()

    async def moved(self, steps: int) -> None:
        """Wait until there is more than so many steps, or the end."""
        while self.steps <= steps and not self.ended:
            await self._bell.wait()

    async def cancel(self) -> None:
        """Give it up; returns when it is over. One that has succeeded already is waited for."""
        self.abandon()
        while not self.ended:
            await self._bell.wait()

    def abandon(self) -> bool:
        """Give it up, without waiting for the end. False for one that has succeeded already."""
        if self._recording or self.ended:
            return False
        self._scope.cancel()
        return True

    def _ring(self) -> None:
        self._bell.set()
        self._bell = trio.Event()

    # -- the attempt ----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Log in. Nothing but cancellation of a scope outside leaves this."""
        try:
            await self._attempt()
        except Exception as error:
            self.error = error
            log.exception("account %s: the end of its login is not recorded", self._host.row.id)
        finally:
            self.ended, self._wanted = True, None
            self._ring()

    async def _attempt(self) -> None:
        try:
            await self._log_in()
        except BaseException as caught:
            control, errors = split(caught)
            if control is not None:
                raise control from None
            self.error = next((error for error in errors if not isinstance(error, ChannelError)), errors[0])
            reason = self.error.reason if isinstance(self.error, ChannelError) else "internal_error"
            if reason == "internal_error":
                log.error("account %s: its login crashed", self._host.row.id, exc_info=self.error)
            await self._fail(reason)

    async def _log_in(self) -> None:
        connector = await self._host.new_connector()
        try:
            authorization = await self._authorized(connector)
            if authorization is None:
                return
            try:
                # A unit on its way cannot be taken back: what it comes to is waited for, however long that takes.
                await self._succeed(authorization)
            except Rejected:
                if self._exported is None:  # a session that was made just now, and not one that is somebody's
                    await log_out(self._host.row.id, connector)
                raise
        finally:
            await close(self._host.row.id, connector)

    async def _authorized(self, connector: Connector) -> Authorization | None:
        """None when it was given up. Raises `Rejected` when patience has ended, which each step renews."""
        authorization = None
        with self._scope, trio.move_on_after(FIRST_STEP_SECONDS) as self._patience:
            authorization = await self._authorize(connector)
        self._recording = authorization is not None  # from here on there is something to let go of
        if authorization is None and self._patience.cancelled_caught:
            raise Rejected(self._gave_up)
        return authorization

    async def _authorize(self, connector: Connector) -> Authorization:
        if self._exported is not None:
            assert isinstance(connector, ImportsSession), "the API has asked"
            return await connector.import_session(self._exported)
        assert isinstance(connector, Authorizes), "the API has asked"
        return await connector.authorize(self)

    async def _succeed(self, authorization: Authorization) -> None:
        identity, row = authorization.identity, self._host.row
        changes: dict[str, Any] = {
            **self._nothing_shown(Trigger.AUTHORIZED),
            "provider_account_ref": identity.provider_account_ref,
            "profile": identity.profile(),
            "last_error": None,
            "terminal": None,
            "desired": "stopped" if self._was_stopped() else "running",
        }
        announcements = auth_succeeded(attrs.evolve(row, **changes), self._host.now_ms())
        await self._host.commit_login(Step(self._number, changes, announcements, authorization.session))
        self._moved_on()

    def _was_stopped(self) -> bool:
        """Whether somebody has said meanwhile that the account shall stay down."""
        return self._host.row.desired == "stopped" != self._desired

    async def _fail(self, reason: str) -> None:
        if self._host.row.login != self._number:
            return  # other credentials have a state of their own
        changes = {**self._nothing_shown(Trigger.FAILED), "last_error": reason}
        row = attrs.evolve(self._host.row, **changes)
        await self._host.commit_login(
            Step(self._number, changes, login_failed(row, reason, self._host.now_ms()))
        )
        self._moved_on()

    def _nothing_shown(self, trigger: Trigger) -> dict[str, Any]:
        status = auth.next_status(self._host.row.auth_status, trigger)
        return {"auth_status": status, "auth_payload": {}, "auth_expires_at": None}

    def _moved_on(self) -> None:
        self.steps += 1
        self._ring()

    # -- the dialog (`providers.login.Dialog`) --------------------------------------------------------------------

    async def show_qr(self, qr_code: str, lifetime: float) -> None:
        await self._show(Trigger.SHOW_QR, {"qr_code": qr_code}, lifetime, picture=True)
        if not self._qr_shown:  # those that follow it do not make the time longer
            self._qr_shown = True
            self._wait_for(SHOWN_SECONDS, "qrcode_expired")

    async def show_pin(self, pin: str, lifetime: float) -> None:
        shown = {name: value for name, value in self._host.row.auth_payload.items() if name == "qr_code"}
        await self._show(Trigger.SHOW_QR, {**shown, "pin": pin}, lifetime, picture="qr_code" in shown)

    async def show_code(self, verify_code: str, lifetime: float) -> None:
        await self._show(Trigger.WANT_CODE, {"verify_code": verify_code}, lifetime)
        self._wait_for(SHOWN_SECONDS, "code_expired")

    async def ask_code(self, refused: str | None = None) -> str:
        return await self._ask(Wanted.CODE, Trigger.WANT_CODE, "code_expired", refused)

    async def ask_password(self) -> str:
        return await self._ask(Wanted.PASSWORD, Trigger.WANT_PASSWORD, "password_timeout", None)

    def _wait_for(self, seconds: float, reason: str) -> None:
        self._patience.deadline, self._gave_up = trio.current_time() + seconds, reason

    async def _show(
        self, trigger: Trigger, payload: dict[str, Any], lifetime: float, *, picture: bool = False
    ) -> None:
        host = self._host
        for text in payload.values():
            register_fleeting(text)
        sequence, expires_at = host.row.auth_sequence + 1, host.now_ms() + int(lifetime * 1000)
        if picture:
            payload["url"] = host.qr_url(sequence, expires_at)
        await self._step(trigger, {**payload, "sequence": sequence}, sequence, expires_at, None)

    async def _ask(self, wanted: Wanted, trigger: Trigger, late: str, refused: str | None) -> str:
        self._wanted, self._answer = wanted, None
        await self._step(trigger, {}, self._host.row.auth_sequence + 1, None, refused)
        self._wait_for(ASKED_SECONDS, late)
        while self._answer is None:
            await self._bell.wait()
        answer, self._wanted, self._answer = self._answer, None, None
        self._wait_for(FIRST_STEP_SECONDS, "login_timeout")
        return answer

    async def _step(
        self,
        trigger: Trigger,
        payload: dict[str, Any],
        sequence: int,
        expires_at: int | None,
        last_error: str | None,
    ) -> None:
        changes: dict[str, Any] = {
            "auth_status": auth.next_status(self._host.row.auth_status, trigger),
            "auth_payload": payload,
            "auth_sequence": sequence,
            "auth_expires_at": expires_at,
            "last_error": last_error,
            "terminal": None,
        }
        row = attrs.evolve(self._host.row, **changes)
        await self._host.commit_login(
            Step(self._number, changes, auth_required(row, self._host.runtime_status, self._host.now_ms()))
        )
        self._moved_on()


async def close(account_id: str, connector: Connector) -> None:
    """Close it, also while being cancelled. What goes wrong with that changes nothing."""
    try:
        with trio.move_on_after(CLOSE_SECONDS, shield=True):
            await connector.aclose()
    except Exception:
        log.exception("account %s: its connector did not close", account_id)


async def log_out(account_id: str, connector: Connector) -> None:
    """Have the platform let go of a login, if it will. Raises nothing; takes at most `LOG_OUT_SECONDS`."""
    if not isinstance(connector, LogsOut):
        return
    try:
        with trio.move_on_after(LOG_OUT_SECONDS) as scope:
            await connector.log_out()
        if scope.cancelled_caught:
            log.warning("account %s: the platform did not answer to being logged out", account_id)
    except ChannelError as error:
        log.warning("account %s: not logged out at the platform (%s)", account_id, error.reason)
    except Exception:
        log.exception("account %s: logging out crashed", account_id)
