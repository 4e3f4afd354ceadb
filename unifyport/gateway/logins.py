"""Use cases of logins: where the login of an account stands, and the steps that a human takes.

An account with a token needs no human: its steps are to present the credentials again (`start`) and to drop
the login (`cancel`). For the others the steps drive a `Login` (`actors/account/login.py`). Each method
returns at the login's next step, or after `STEP_SECONDS` with its current state.

    auth mode    begins with        then
    token        (by itself)        start, where it has no token or the token was refused; give_password where
                                    the platform asks for a passcode
    qrcode       start_by_qr        check_qr to see how it goes; give_password where there is a second factor
    code         start              give_code, unless a code was shown to be typed on the phone; give_password
    session      import_session     (by itself)
"""

from typing import Any

import attrs
import trio

from actors.account.actor import AccountActor
from actors.account.dialog import PUBLIC_URL_MISSING
from actors.account.explanation import refused_calls
from actors.account.failures import LeaseLost, NotDurable
from actors.account.login import Login, LoginChanged
from actors.account.question import AnswerTooLong, NotAsked, NotConfirmed
from actors.accounts import Accounts, AlreadyAuthorized
from unifyport.model import auth
from unifyport.model.account import ACTIVE, Account, AuthStatus
from unifyport.model.auth import MAX_ANSWER, MAX_PASSKEY_ANSWER, Wanted
from unifyport.model.texts import is_one_line
from unifyport.process.clock import Clock
from unifyport.providers.contract.base import ConnectionSpec
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected
from unifyport.providers.contract.login import Authorizes, ExportedSession, ImportsSession
from unifyport.providers.registry import Registry
from unifyport.storage.contract import StoreUnavailable

from .accounts import AccountUseCases
from .errors import (
    AUTHORIZED,
    DUPLICATE,
    INVALID_REQUEST,
    NOT_BOUND,
    RATE_LIMITED,
    UNSUPPORTED_AUTH_MODE,
    OperationFailure,
    UseCaseError,
    binding,
    invalid,
    not_bound,
)
from .lookup import AccountLookup
from .session_files import SessionFiles, read_session
from .writes import TimedWriter

STEP_SECONDS = 25.0  # the official SDK gives up after 30 s
_QR, _SESSION = "qrcode", "session"  # auth modes


@attrs.frozen
class LoginState:
    """Where a login stands. `payload` is what is shown to the human, until `expires_at` (unix ms)."""

    account_id: str
    status: AuthStatus
    fields: list[auth.Field]
    payload: dict[str, Any]
    expires_at: int | None
    last_error: str | None


@attrs.frozen(kw_only=True)
class SessionImport:
    """An exported session: at `url`, or `session` as text or as an object of its platform's tools.

    `proxies`: the proxy by the name of the field that gives one, if the account is to have another one.
    """

    url: str | None = None
    session: Any = None
    pin: str | None = None
    proxies: dict[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class LoginUseCases:
    """Every method raises `UseCaseError` and `StoreUnavailable`. Cancelled: only the waiting ends."""

    _registry: Registry
    _accounts: Accounts
    _lookup: AccountLookup
    _changes: AccountUseCases
    _writes: TimedWriter
    _files: SessionFiles
    _clock: Clock

    async def read_state(self, account_id: str) -> LoginState:
        """What has expired is left out: it cannot be used any more."""
        account = await self._lookup.find_stored(account_id)
        actor = self._accounts.actor(account.id)
        refused = None
        if actor is not None:
            account = actor.row  # changes included that are not durable yet
            refused = refused_calls(actor.calls)
        imports = pin = False
        if actor is not None and issubclass(actor.connector_class, ImportsSession):
            imports, pin = True, actor.connector_class.takes_pin
        payload, expires_at = account.auth_payload, account.auth_expires_at
        fields = auth.fields_of(account.auth_status, payload, imports=imports, pin=pin)
        if expires_at is not None and self._clock.has_passed(expires_at):
            payload = {}
        return LoginState(
            account.id,
            account.auth_status,
            list(fields),
            payload,
            expires_at if payload else None,
            account.last_error or refused,
        )

    # -- the steps -------------------------------------------------------------------------------------------

    async def start(self, account_id: str) -> LoginState:
        """Present the credentials of a token account again; begin the login of any other account.

        Where the platform has refused the token and a human can log in, that login begins.
        """
        account, connection = await self._lookup.find_bound(account_id)
        interactive = self._registry.is_interactive(
            connection, self._lookup.credentials_of(account, connection)
        )
        authorizes = issubclass(self._registry.connector(connection), Authorizes)
        _require_mode(connection, authorizes or not interactive, "auth/session begins this login")
        account = await self._find_startable(account_id)
        if interactive or (authorizes and account.auth_status is not AuthStatus.PENDING_AUTH):
            return await self._begin(account)
        with binding():
            await self._accounts.log_in_again(account.id)
        return await self.read_state(account_id)

    async def start_by_qr(self, account_id: str) -> LoginState:
        """Begin a login by QR code, or begin it again."""
        await self._find_by_qr(account_id)
        return await self._begin(await self._find_startable(account_id))

    async def check_qr(self, account_id: str) -> LoginState:
        """How a login by QR code goes, with the code that is shown now."""
        account = await self._find_by_qr(account_id)
        if account.auth_status is AuthStatus.PENDING_AUTH:
            raise UseCaseError(INVALID_REQUEST, "no login is under way; auth/qr/start begins one")
        return await self.read_state(account_id)

    async def give_code(self, account_id: str, code: object) -> LoginState:
        """Give the code that the platform has sent to the human, or the result of a passkey."""
        return await self._give(account_id, Wanted.CODE, code)

    async def give_password(
        self, account_id: str, password: object, *, confirm_last_guesses: bool = False
    ) -> LoginState:
        """Give the password of the second factor, or the passcode.

        `confirm_last_guesses`: the caller knows that the platform locks the account after a few wrong ones.
        """
        return await self._give(account_id, Wanted.PASSWORD, password, confirmed=confirm_last_guesses)

    async def import_session(self, account_id: str, given: SessionImport) -> LoginState:
        """Log in with a session that was exported elsewhere."""
        _, connection = await self._lookup.find_bound(account_id)
        fits = issubclass(self._registry.connector(connection), ImportsSession)
        _require_mode(connection, fits, f"this step belongs to auth_mode {_SESSION}")
        account = await self._find_startable(account_id)
        secrets = self._actor(account).secrets
        pin = None if given.pin is None else _check_answer("pin", given.pin)
        secrets.register(pin)
        if (given.url is None) == (given.session is None):
            raise invalid("session_url", "is required (or session, and not both)")
        if given.url is None:
            data = read_session(given.session, secrets)
        else:
            data = await self._files.fetch(given.url, secrets)
        for field, value in given.proxies.items():
            await self._changes.change_proxy(account.id, field, value)
        return await self._begin(account, ExportedSession(data, pin))

    async def cancel(self, account_id: str) -> LoginState:
        """Give up a login that is under way, or drop the one that there is."""
        account, _ = await self._lookup.find_bound(account_id)
        with binding():
            try:
                await self._accounts.log_out(account.id)
            except LoginChanged:
                raise UseCaseError(NOT_BOUND, "the account has got other credentials meanwhile") from None
            except LeaseLost:
                raise not_bound() from None
            except NotDurable as error:
                raise StoreUnavailable(str(error)) from None
        return await self.read_state(account_id)

    # -- their parts -----------------------------------------------------------------------------------------

    async def _find_by_qr(self, account_id: str) -> Account:
        account, connection = await self._lookup.find_bound(account_id)
        _require_mode(connection, connection.auth_mode == _QR, f"this step belongs to auth_mode {_QR}")
        return account

    async def _find_startable(self, account_id: str) -> Account:
        """The account of a login that may begin."""
        account, _ = await self._lookup.find_bound(account_id)
        if account.auth_status is AuthStatus.AUTHORIZED:
            raise _already_authorized()
        if account.status != ACTIVE:
            raise UseCaseError(NOT_BOUND, f"the account's status is {account.status}")
        self._actor(account)
        return account

    def _actor(self, account: Account) -> AccountActor:
        """Raises `UseCaseError` if this process does not run the account."""
        actor = self._accounts.actor(account.id)
        if actor is None:
            raise not_bound()
        return actor

    async def _begin(self, account: Account, exported: ExportedSession | None = None) -> LoginState:
        try:
            with binding():
                login = await self._accounts.begin_login(account.id, exported)
        except AlreadyAuthorized:
            raise _already_authorized() from None
        return await self._wait_for_step(account.id, login, 0)

    async def _give(
        self, account_id: str, wanted: Wanted, answer: object, *, confirmed: bool = False
    ) -> LoginState:
        longest = MAX_PASSKEY_ANSWER if wanted is Wanted.CODE else MAX_ANSWER
        value = _check_answer(wanted.value, answer, longest)
        account, connection = await self._lookup.find_bound(account_id)
        fits = issubclass(self._registry.connector(connection), Authorizes)
        _require_mode(connection, fits, f"this login asks for no {wanted.value}")
        if account.auth_status is AuthStatus.AUTHORIZED:
            raise _already_authorized()
        actor = self._accounts.actor(account.id)
        login = actor.login if actor is not None else None
        try:
            if actor is None or login is None:
                raise NotAsked
            steps = login.steps
            login.give(wanted, value, confirmed=confirmed)
            actor.secrets.register(value)
        except NotAsked:
            raise invalid(wanted.value, f"is not asked for; the login is {account.auth_status}") from None
        except AnswerTooLong as too_long:
            raise _bad_answer(wanted.value, too_long.limit) from None
        except NotConfirmed as last:
            text = f"must be true: {last.guesses_left} guesses are left before the platform locks"
            raise invalid("confirm_last_guesses", text) from None
        return await self._wait_for_step(account_id, login, steps)

    async def _wait_for_step(self, account_id: str, login: Login, steps: int) -> LoginState:
        """Where the login stands once it has made more than `steps` steps.

        A refusal by the platform is a state of the login. What kept the gateway from asking the platform is
        an error of this step, and a state as well.
        """
        with trio.move_on_after(STEP_SECONDS):
            await login.wait_for_step(steps)
            actor = self._accounts.actor(account_id)
            while login.ended and login.error is None and actor is not None:
                async with actor.login_turn:  # another call may have abandoned this login and begun its own
                    newest = actor.login
                if newest is None or newest is login:
                    break
                login = newest
                await login.wait_for_step(0)
        if login.steps <= steps and not login.ended and self._writes.unavailable is not None:
            raise StoreUnavailable(self._writes.unavailable)
        error = login.error
        if isinstance(error, RateLimited):
            raise UseCaseError(RATE_LIMITED, "the platform told us to wait", retry_after=error.retry_after)
        if isinstance(error, ChannelError) and error.reason == DUPLICATE:
            raise UseCaseError(DUPLICATE, "another account has this provider identity")
        if isinstance(error, ChannelError) and error.reason == PUBLIC_URL_MISSING:
            raise UseCaseError(INVALID_REQUEST, "this login needs server.public_url in the file")
        if isinstance(error, NotDurable):
            raise StoreUnavailable(str(error))
        if isinstance(error, LeaseLost):
            raise not_bound()
        if error is not None and not isinstance(error, Rejected | LoggedOut):
            reason = error.reason if isinstance(error, ChannelError) else "internal_error"
            raise UseCaseError(OperationFailure.FAILED, f"the login failed: {reason}", reason=reason)
        return await self.read_state(account_id)


def _require_mode(connection: ConnectionSpec, fits: bool, why: str) -> None:
    if not fits:
        raise UseCaseError(UNSUPPORTED_AUTH_MODE, f"{why}; the account has auth_mode {connection.auth_mode}")


def _check_answer(name: str, value: object, longest: int = MAX_ANSWER) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not is_one_line(value):
        raise _bad_answer(name, longest)
    return value


def _bad_answer(name: str, longest: int) -> UseCaseError:
    return invalid(name, f"is required, 1 to {longest} printable characters")


def _already_authorized() -> UseCaseError:
    return UseCaseError(AUTHORIZED, "the account is logged in; auth/cancel drops that login")
