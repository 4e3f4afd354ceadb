"""Logging in with a human: by a code that Telegram sends, or by a QR code that another device scans.

    the platform                                  what follows
    ------------------------------------------    -------------------------------------------------------
    PHONE_MIGRATE_n, LoginTokenMigrateTo          the same at data centre n
    SentCode                                      ask_code; says where the code went
    PHONE_CODE_INVALID                            ask_code again
    PHONE_CODE_EXPIRED                            failed: `code_expired`
    SESSION_PASSWORD_NEEDED, wherever             ask_password with the hint, on the same connection
    PASSWORD_HASH_INVALID                         failed: `invalid_password`
    authorizationSignUpRequired and the like      failed, with a word for what the human must do in the app

https://core.telegram.org/api/auth, https://core.telegram.org/api/qr-login, https://core.telegram.org/api/srp.
"""

import base64
from typing import Any, Final

import trio
from telethon.password import compute_check
from telethon.tl import types
from telethon.tl.functions.account import GetPasswordRequest
from telethon.tl.functions.auth import (
    CheckPasswordRequest,
    ExportLoginTokenRequest,
    ImportLoginTokenRequest,
    SendCodeRequest,
    SignInRequest,
)
from telethon.tl.types import auth

from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.contract.login import Authorization, CodeDelivery, Dialog

from .errors import NeedsPassword, RpcRejected
from .introduction import app_of
from .login_session import LoginSession, opened

_MIN_QR_SECONDS: Final = 5.0
_MAX_QR_SECONDS: Final = 60.0
_SRP_ATTEMPTS: Final = 3
_CODE_TYPES: Final = {
    auth.SentCodeTypeApp: "app",
    auth.SentCodeTypeSms: "sms",
    auth.SentCodeTypeSmsWord: "sms_word",
    auth.SentCodeTypeSmsPhrase: "sms_phrase",
    auth.SentCodeTypeFirebaseSms: "sms",
    auth.SentCodeTypeCall: "call",
    auth.SentCodeTypeFlashCall: "flash_call",
    auth.SentCodeTypeMissedCall: "missed_call",
    auth.SentCodeTypeFragmentSms: "fragment",
    auth.SentCodeTypeEmailCode: "email",
}
_NEXT_TYPES: Final = {
    auth.CodeTypeSms: "sms",
    auth.CodeTypeCall: "call",
    auth.CodeTypeFlashCall: "flash_call",
    auth.CodeTypeMissedCall: "missed_call",
    auth.CodeTypeFragmentSms: "fragment",
}


class Login:
    """One login with a human. `phone`: in E.164; empty: by a QR code."""

    def __init__(self, context: ConnectorContext, dialog: Dialog, phone: str = "") -> None:
        self._context = context
        self._dialog = dialog
        self._phone = phone
        self._api_id, self._api_hash = app_of(context)

    async def run(self) -> Authorization:
        """Raises a failure class. The dialog bounds the time."""
        async with opened(self._context) as session:
            try:
                user = await (self._by_code(session) if self._phone else self._by_qr(session))
            except NeedsPassword:
                user = await self._give_password(session)
            return await session.authorized(self._context.session, user)

    # -- by a code ----------------------------------------------------------------------------------------

    async def _by_code(self, session: LoginSession) -> Any:
        settings = types.CodeSettings()
        asked = SendCodeRequest(self._phone, self._api_id, self._api_hash, settings)
        sent = await session.call(asked)
        if isinstance(sent, auth.SentCodeSuccess):
            return _user_of(sent.authorization)
        delivery = _delivery_of(sent)
        refused: str | None = None
        while True:
            code = await self._dialog.ask_code(refused, delivery)
            try:
                answer = await session.call(SignInRequest(self._phone, sent.phone_code_hash, code.strip()))
            except RpcRejected as error:
                if error.name not in ("PHONE_CODE_INVALID", "PHONE_CODE_EMPTY"):
                    raise _login_refusal(error) from None
                refused = "invalid_code"
            else:
                return _user_of(answer)

    # -- by a QR code -------------------------------------------------------------------------------------

    async def _by_qr(self, session: LoginSession) -> Any:
        """Show a token until it expires or is scanned; then ask again: another token, or the login."""
        while True:
            session.scanned = trio.Event()
            asked = ExportLoginTokenRequest(self._api_id, self._api_hash, [])
            answer = await session.call(asked, repeatable=True)
            if isinstance(answer, auth.LoginTokenMigrateTo):
                await session.move(answer.dc_id)
                answer = await session.call(ImportLoginTokenRequest(answer.token))
            if isinstance(answer, auth.LoginTokenSuccess):
                return _user_of(answer.authorization)
            if not isinstance(answer, auth.LoginToken):
                raise Transient("malformed_answer")
            left = answer.expires.timestamp() - session.server_time()
            left = min(max(left, _MIN_QR_SECONDS), _MAX_QR_SECONDS)
            token = base64.urlsafe_b64encode(answer.token).rstrip(b"=").decode()
            await self._dialog.show_qr(f"tg://login?token={token}", left)
            with trio.move_on_after(left):
                await session.scanned.wait()

    # -- the second factor --------------------------------------------------------------------------------

    async def _give_password(self, session: LoginSession) -> Any:
        asked = await session.call(GetPasswordRequest(), repeatable=True)
        password = await self._dialog.ask_password(asked.hint or None)
        for _ in range(_SRP_ATTEMPTS):
            try:
                proof = await trio.to_thread.run_sync(compute_check, asked, password)
            except ValueError:
                raise Rejected("password_not_supported") from None
            try:
                return _user_of(await session.call(CheckPasswordRequest(proof)))
            except RpcRejected as error:
                if error.name == "PASSWORD_HASH_INVALID":
                    raise Rejected("invalid_password", code=error.name) from None
                if error.name != "SRP_ID_INVALID":
                    raise _login_refusal(error) from None
            asked = await session.call(GetPasswordRequest(), repeatable=True)
        raise Transient("password_not_checked")


def _user_of(authorization: Any) -> Any:
    """Raises `Rejected` where there is no account yet."""
    if isinstance(authorization, auth.AuthorizationSignUpRequired):
        detail = "no account has this number; sign up in a Telegram app first"
        raise Rejected("sign_up_required", detail)
    if not isinstance(authorization, auth.Authorization) or not isinstance(authorization.user, types.User):
        raise Transient("malformed_answer")
    return authorization.user


def _delivery_of(sent: Any) -> CodeDelivery:
    """Where the code went. Raises `Rejected` where there will be none."""
    if isinstance(sent, auth.SentCodePaymentRequired):
        raise Rejected("paid_code_required", "Telegram wants to be paid for this code; log in by a QR code")
    kind = sent.type
    if isinstance(kind, auth.SentCodeTypeSetUpEmailRequired):
        detail = "Telegram wants an e-mail address for this login; set it up in a Telegram app first"
        raise Rejected("email_setup_required", detail)
    return CodeDelivery(
        type=_CODE_TYPES.get(type(kind), "unknown"),
        length=getattr(kind, "length", None),
        next_type=_NEXT_TYPES.get(type(sent.next_type)),
        timeout=sent.timeout,
    )


def _login_refusal(error: RpcRejected) -> Rejected:
    """The words of the contract for what ends a login."""
    reason = {"PHONE_CODE_EXPIRED": "code_expired"}.get(error.name, error.name.lower())
    return Rejected(reason, error.detail, code=error.name)
