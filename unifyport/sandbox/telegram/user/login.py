"""Logins: by a code, by a QR code, with a password, and on another data centre.

https://core.telegram.org/api/auth, https://core.telegram.org/api/qr-login, https://core.telegram.org/api/srp.
"""

import os
import time
from typing import TYPE_CHECKING, Any, Final

import attrs
from telethon.tl import functions as F
from telethon.tl import types as T
from telethon.tl.types import account, auth

from .authorizations import Authorization
from .directory import Person
from .errors import Refused, bad
from .password import Challenge, no_password
from .peers import user

if TYPE_CHECKING:
    from .server import Call, Server

CODE_DIGITS: Final = 5
CODE_SECONDS: Final = 300.0
TOKEN_SECONDS: Final = 30.0


@attrs.define(eq=False)
class Code:
    phone: str
    value: str
    hash: str
    expires: float


@attrs.define(eq=False)
class Token:
    """Shown as a QR code. `person`: whose phone has scanned it."""

    authorization: Authorization
    expires: float
    person: Person | None = None


class Logins:
    """`code_seconds`, `token_seconds`: how long they are good. `next_type`: how a code may be sent again."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self.codes: dict[str, Code] = {}  # by phone number
        self.tokens: dict[bytes, Token] = {}
        self.code_seconds = CODE_SECONDS
        self.token_seconds = TOKEN_SECONDS
        self.code_type: Any = T.auth.SentCodeTypeApp(CODE_DIGITS)
        self.exported: dict[tuple[int, bytes], Person] = {}
        server.handlers |= {
            F.auth.SendCodeRequest: self._send_code,
            F.auth.ResendCodeRequest: self._resend_code,
            F.auth.CancelCodeRequest: self._cancel_code,
            F.auth.SignInRequest: self._sign_in,
            F.auth.CheckPasswordRequest: self._check_password,
            F.auth.ExportLoginTokenRequest: self._export_token,
            F.auth.ImportLoginTokenRequest: self._import_token,
            F.auth.AcceptLoginTokenRequest: self._accept_token,
            F.auth.LogOutRequest: self._log_out,
            F.auth.ExportAuthorizationRequest: self._export,
            F.auth.ImportAuthorizationRequest: self._import,
            F.account.GetPasswordRequest: self._get_password,
            F.account.GetAuthorizationsRequest: self._authorizations,
        }

    # -- code ------------------------------------------------------------------------------------------------

    def _send_code(self, call: "Call", query: Any) -> Any:
        person = self._at_home(call, query.phone_number)
        digits = person.phone if person is not None else query.phone_number.lstrip("+")
        value = "".join(str(byte % 10) for byte in os.urandom(CODE_DIGITS))
        code = Code(digits, value, os.urandom(9).hex(), time.time() + self.code_seconds)
        self.codes[digits] = code
        return self._sent(code)

    def _at_home(self, call: "Call", phone: str) -> Person | None:
        if not phone.lstrip("+").isdigit():
            raise bad("PHONE_NUMBER_INVALID")
        person = self._server.directory.by_phone(phone)
        if person is not None and person.deleted:
            raise bad("PHONE_NUMBER_BANNED")
        if person is not None and person.dc != call.centre.dc:
            raise Refused(303, f"PHONE_MIGRATE_{person.dc}")
        return person

    def _sent(self, code: Code) -> Any:
        return auth.SentCode(self.code_type, code.hash, next_type=auth.CodeTypeSms(), timeout=60)

    def _code(self, query: Any) -> Code:
        code = self.codes.get(query.phone_number.lstrip("+"))
        if code is None or code.hash != query.phone_code_hash:
            raise bad("PHONE_CODE_HASH_EMPTY" if not query.phone_code_hash else "PHONE_CODE_EXPIRED")
        return code

    def _resend_code(self, call: "Call", query: Any) -> Any:
        return self._sent(self._code(query))

    def _cancel_code(self, call: "Call", query: Any) -> bool:
        self.codes.pop(self._code(query).phone, None)
        return True

    def _sign_in(self, call: "Call", query: Any) -> Any:
        person = self._at_home(call, query.phone_number)
        code = self._code(query)
        if not query.phone_code:
            raise bad("PHONE_CODE_EMPTY")
        if time.time() > code.expires:
            raise bad("PHONE_CODE_EXPIRED")
        if query.phone_code != code.value:
            raise bad("PHONE_CODE_INVALID")
        if person is None:
            return auth.AuthorizationSignUpRequired()
        self.codes.pop(code.phone, None)
        return self._enter(call, person)

    # -- password --------------------------------------------------------------------------------------------

    def _enter(self, call: "Call", person: Person) -> Any:
        """Log in, or ask for the password."""
        if person.password is not None:
            call.authorization.waiting = person
            raise Refused(401, "SESSION_PASSWORD_NEEDED")
        return self._admit(call, person)

    def _admit(self, call: "Call", person: Person) -> Any:
        authorization = call.authorization
        authorization.log_out()
        authorization.person = person
        person.authorizations.append(authorization)
        return auth.Authorization(user=user(self._server, person, person))

    def _get_password(self, call: "Call", query: Any) -> Any:
        authorization = call.authorization
        person = authorization.waiting or call.person
        if person.password is None:
            return no_password()
        authorization.challenge = Challenge(person)
        return authorization.challenge.describe()

    def _check_password(self, call: "Call", query: Any) -> Any:
        authorization = call.authorization
        if authorization.waiting is None:
            raise Refused(401, "AUTH_KEY_UNREGISTERED")
        challenge, authorization.challenge = authorization.challenge, None
        if challenge is None:
            raise bad("SRP_ID_INVALID")
        challenge.check(query.password)
        return self._admit(call, authorization.waiting)

    # -- QR code ---------------------------------------------------------------------------------------------

    def _export_token(self, call: "Call", query: Any) -> Any:
        authorization = call.authorization
        token = self.tokens.get(authorization.token or b"")
        if token is not None and token.person is not None:
            person = token.person
            if person.dc != call.centre.dc:
                return auth.LoginTokenMigrateTo(person.dc, authorization.token)
            del self.tokens[authorization.token or b""]
            return auth.LoginTokenSuccess(self._enter(call, person))
        if authorization.waiting is not None:
            raise Refused(401, "SESSION_PASSWORD_NEEDED")
        self.tokens.pop(authorization.token or b"", None)
        authorization.token = os.urandom(32)
        expires = time.time() + self.token_seconds
        self.tokens[authorization.token] = Token(authorization, expires)
        return auth.LoginToken(int(expires), authorization.token)

    def _import_token(self, call: "Call", query: Any) -> Any:
        token = self.tokens.get(query.token)
        if token is None:
            raise bad("AUTH_TOKEN_INVALID")
        if token.person is None:
            raise bad("AUTH_TOKEN_EXCEPTION")
        if token.person.dc != call.centre.dc:
            return auth.LoginTokenMigrateTo(token.person.dc, query.token)
        del self.tokens[query.token]
        return auth.LoginTokenSuccess(self._enter(call, token.person))

    def scan(self, value: bytes, person: Person) -> Authorization:
        """A phone accepts a QR code. Raises `Refused`."""
        token = self.tokens.get(value)
        if token is None:
            raise bad("AUTH_TOKEN_INVALID")
        if time.time() > token.expires:
            raise bad("AUTH_TOKEN_EXPIRED")
        if token.person is not None:
            raise bad("AUTH_TOKEN_ALREADY_ACCEPTED")
        token.person = person
        update = bytes(T.UpdateShort(T.UpdateLoginToken(), self._server.now))
        for session in token.authorization.sessions.values():
            session.push(update)
        return token.authorization

    def _accept_token(self, call: "Call", query: Any) -> Any:
        return _device(self.scan(query.token, call.person), call)

    # -- devices, other data centres -------------------------------------------------------------------------

    def _log_out(self, call: "Call", query: Any) -> Any:
        call.person  # noqa: B018
        call.authorization.log_out()
        return auth.LoggedOut()

    def _export(self, call: "Call", query: Any) -> Any:
        if query.dc_id not in self._server.centres:
            raise bad("DC_ID_INVALID")
        secret = os.urandom(32)
        self.exported[query.dc_id, secret] = call.person
        return auth.ExportedAuthorization(call.person.id, secret)

    def _import(self, call: "Call", query: Any) -> Any:
        person = self.exported.pop((call.centre.dc, query.bytes), None)
        if person is None or person.id != query.id:
            raise bad("AUTH_BYTES_INVALID")
        answer = self._admit(call, person)
        call.authorization.home = person.dc == call.centre.dc
        return answer

    def _authorizations(self, call: "Call", query: Any) -> Any:
        devices = [_device(each, call) for each in call.person.authorizations if each.home]
        return account.Authorizations(authorization_ttl_days=180, authorizations=devices)


def _device(authorization: Authorization, call: "Call") -> Any:
    return T.Authorization(
        hash=0 if authorization is call.authorization else authorization.hash,
        device_model=authorization.device,
        platform="",
        system_version="",
        api_id=1,
        app_name="",
        app_version="",
        date_created=authorization.created,
        date_active=authorization.created,
        ip="127.0.0.1",
        country="",
        region="",
        current=authorization is call.authorization or None,
    )
