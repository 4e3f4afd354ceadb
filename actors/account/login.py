"""One attempt to log an account in, by a person's steps or with an exported session.

It runs beside the supervised connection and never at the same time: an account is not up while it is not
logged in. Each step is durable before it is shown, and so is the end: session, identity and
`account.auth.succeeded` are one unit, in which the store also settles which of two accounts has an identity.
An attempt is not restarted, neither after a failure nor after the process has ended.
"""

import logging
import traceback
from collections.abc import Mapping
from typing import Any

import attrs
import trio

from supervisors import split
from unifyport.model import auth
from unifyport.model.auth import LoginOutcome, PasskeyPage, Wanted
from unifyport.model.times import rfc3339
from unifyport.providers.contract.base import Connector
from unifyport.providers.contract.errors import ChannelError, RateLimited, Rejected
from unifyport.providers.contract.login import (
    Authorization,
    Authorizes,
    ExportedSession,
    ImportsSession,
)

from .connectors import close, log_out
from .dialog import FIRST_STEP_SECONDS, LoginDialog
from .failures import LEASE_LOST, LeaseLost, NotDurable
from .login_changes import changes_to_show_nothing, known_guesses, shown_of_failure
from .login_parts import Host, Progress, Step, StepDeadline
from .memory_session import MemorySession
from .state import DUPLICATE
from .status import auth_succeeded, login_failed

log = logging.getLogger("unifyport.login")

_BUG = "internal_error"


class DuplicateAccount(Rejected):
    """Another account of the workspace has this provider identity."""

    def __init__(self) -> None:
        super().__init__(DUPLICATE, "another account has this provider identity")


class LoginChanged(Rejected):
    """The account has got other credentials meanwhile."""

    def __init__(self) -> None:
        super().__init__("credentials_changed", "the account has got other credentials meanwhile")


class IdentityChanged(Rejected):
    """The human has logged in with another identity than the account has; nothing is replaced."""

    def __init__(self) -> None:
        super().__init__("identity_changed", "the account belongs to another provider identity")


class Login:
    """`exported`: the session to import; None: a person logs in through the dialog."""

    def __init__(self, host: Host, exported: ExportedSession | None = None) -> None:
        self.error: BaseException | None = None
        self._host = host
        self._exported = exported
        self.number = host.row.login  # void once the account has other credentials
        self._desired = host.row.desired
        self._progress = Progress()
        self._deadline = StepDeadline()
        self._dialog = LoginDialog(host, self.number, self._progress, self._deadline)
        self._session = MemorySession({})
        self._scope = trio.CancelScope()
        self._guesses_left = known_guesses(host.row.auth_payload)
        self._recording = False  # it has succeeded, and that is on its way to the disk

    # -- what callers do ------------------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """How many steps callers can see by now."""
        return self._progress.steps

    @property
    def ended(self) -> bool:
        return self._progress.ended

    def give(self, wanted: Wanted, value: str, *, confirmed: bool = False) -> None:
        """See `LoginDialog.give`."""
        self._dialog.give(wanted, value, confirmed=confirmed)

    def give_callback(self, state: str, parameters: Mapping[str, str]) -> None:
        """See `LoginDialog.give_callback`."""
        self._dialog.give_callback(state, parameters)

    def find_page(self, token: str) -> PasskeyPage:
        """See `LoginDialog.find_page`."""
        return self._dialog.find_page(token)

    async def wait_for_step(self, steps: int) -> None:
        """Wait until there are more than `steps` steps, or the end."""
        while self.steps <= steps and not self.ended:
            await self._progress.wait()

    async def abandon_and_wait(self) -> None:
        """Give it up and wait for its end. A login that has succeeded already is recorded first."""
        self.abandon()
        while not self.ended:
            await self._progress.wait()

    def abandon(self) -> bool:
        """Give it up without waiting for its end. False for a login that has succeeded already."""
        if self._recording or self.ended:
            return False
        self._scope.cancel()
        return True

    # -- the attempt ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Log in. Only the cancellation of an outer scope leaves this; errors are in `error`."""
        try:
            await self._attempt()
        except (LeaseLost, NotDurable, LoginChanged) as error:
            self.error = error
            reason = _reason_of(error)
            log.warning("account %s: the end of its login is not recorded (%s)", self._host.row.id, reason)
        except Exception as error:
            self.error = error
            log.exception("account %s: the end of its login is not recorded", self._host.row.id)
        finally:
            self._dialog.close()
            self._progress.end()

    async def _attempt(self) -> None:
        try:
            await self._log_in()
        except BaseException as caught:
            control, errors = split(caught)
            if control is not None:
                raise control from None
            self.error = next((error for error in errors if _reason_of(error) == _BUG), errors[0])
        if self.error is not None:  # outside the handler: what `_fail` raises has no context to be logged
            if _reason_of(self.error) == _BUG:
                self._log_bug(self.error)
            await self._fail(self.error)

    async def _log_in(self) -> None:
        connector = await self._host.new_connector(self._session)
        try:
            authorization = await self._authorize_in_time(connector)
            if authorization is None:
                return
            try:
                # A unit that was handed over cannot be withdrawn: await its outcome without a limit.
                await self._succeed(authorization)
            except Rejected:
                if (
                    self._exported is None
                ):  # this login made the session; an imported one belongs to the caller
                    await log_out(self._host.row.id, connector)
                raise
        finally:
            await close(self._host.row.id, connector)

    async def _authorize_in_time(self, connector: Connector) -> Authorization | None:
        """None when it was given up. Raises `Rejected` when its time is over."""
        authorization = None
        self._deadline.renew(FIRST_STEP_SECONDS, "login_timeout")
        with self._scope, self._deadline.scope:
            authorization = await self._authorize(connector)
        self._recording = authorization is not None  # from here on there is a session to log out
        if authorization is None and self._deadline.scope.cancelled_caught:
            raise Rejected(self._deadline.reason)
        return authorization

    async def _authorize(self, connector: Connector) -> Authorization:
        authorization: object
        if self._exported is not None:
            assert isinstance(connector, ImportsSession), "the use case checks this"
            authorization = await connector.import_session(self._exported)
        else:
            assert isinstance(connector, Authorizes), "the use case checks this"
            authorization = await connector.authorize(self._dialog)
        if not isinstance(authorization, Authorization):
            raise TypeError("a login returns an Authorization")
        return authorization

    async def _succeed(self, authorization: Authorization) -> None:
        identity, row = authorization.identity, self._host.row
        if row.profile and row.provider_account_ref not in (None, identity.provider_account_ref):
            raise IdentityChanged
        stopped_meanwhile = row.desired == "stopped" != self._desired
        changes: dict[str, Any] = {
            **self._end_of_login(LoginOutcome.AUTHORIZED),
            "provider_account_ref": identity.provider_account_ref,
            "profile": identity.profile(),
            "last_error": None,
            "terminal": None,
            "desired": "stopped" if stopped_meanwhile else "running",
        }
        announcements = auth_succeeded(attrs.evolve(row, **changes), self._host.now_ms())
        session = self._session.changes()
        await self._host.commit_login(Step(self.number, changes, announcements, session))
        self._progress.advance()

    async def _fail(self, error: BaseException) -> None:
        if self._host.row.login != self.number or isinstance(error, LeaseLost | LoginChanged):
            return  # the row belongs to other credentials, or to another process
        reason = _reason_of(error)
        changes = {**self._end_of_login(LoginOutcome.FAILED), "last_error": reason}
        changes["auth_payload"] = shown_of_failure(error)
        if self._guesses_left is not None:  # a login that succeeds, or is cancelled, forgets it
            changes["auth_payload"].setdefault("guesses_left", self._guesses_left)
        if isinstance(error, RateLimited):
            changes["auth_payload"] |= {
                "retry_at": rfc3339(self._host.now_ms() + int(error.retry_after * 1000))
            }
        row = attrs.evolve(self._host.row, **changes)
        announcements = login_failed(row, reason, self._host.now_ms())
        await self._host.commit_login(Step(self.number, changes, announcements))
        if reason != _BUG:  # which is logged already
            log.warning("account %r: the login failed (%s)", row.name, reason, extra={"account_id": row.id})
        self._progress.advance()

    def _log_bug(self, error: BaseException) -> None:
        """With the traceback; of an import without the text of the error, which may quote the session."""
        account_id = self._host.row.id
        if self._exported is None:
            log.error("account %s: its login crashed", account_id, exc_info=error)
            return
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("account %s: its import crashed: %s\n%s", account_id, type(error).__name__, where)

    def _end_of_login(self, outcome: LoginOutcome) -> dict[str, Any]:
        return {
            "auth_status": auth.next_status(self._host.row.auth_status, outcome),
            **changes_to_show_nothing(),
        }


def _reason_of(error: BaseException) -> str:
    """The word for callers and logs; `internal_error` for a bug."""
    match error:
        case ChannelError(reason=reason):
            return reason
        case NotDurable():
            return "not_durable"
        case LeaseLost():
            return LEASE_LOST
    return _BUG
