"""A login by QR code and PIN with a human (`qr_login.py` has its steps).

A QR code that was not scanned is replaced by that of a new session, until the dialog's time is over. The PIN
is shown only where the platform does not know the certificate of a former login. What the login brings is
kept before the device introduces itself by it: tokens, certificate, and those keys that the server has
registered.
"""

import base64
import binascii
import logging

from unifyport.model.account import Identity
from unifyport.model.json_text import UNREADABLE
from unifyport.model.unit import SessionChange
from unifyport.protocols.letter_sealing import keys
from unifyport.protocols.letter_sealing.errors import LetterSealingError
from unifyport.protocols.letter_sealing.key_chain import open_key_chain
from unifyport.protocols.letter_sealing.keys import KeyPair
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.contract.login import Authorization, Dialog
from unifyport.providers.http import nothing_applied

from . import call_structures as of
from . import tokens as rules
from .chats import is_id, name_of, picture_of
from .gateway import Gateway, Silence
from .own_keys import OwnKeys
from .people import FOUND_BY_USER
from .qr_login import (
    LOGIN_PATH,
    POLL_PATH,
    STEPS,
    Login,
    LoginFailed,
    Step,
    advance,
    arguments,
    refuse,
    sealed_keys,
    silent,
)
from .records import ME, REVISIONS, TOKENS, Me, Records
from .revisions import Revisions
from .structures import Profile
from .talk import Talk
from .token_keeper import TokenKeeper, dump

log = logging.getLogger(__name__)
LONGEST_REGION = 16
LONGEST_CERTIFICATE = 16 * 1024


class Linking:
    """One login with a human."""

    def __init__(self, context: ConnectorContext, gateway: Gateway, dialog: Dialog) -> None:
        self._context = context
        self._gateway = gateway
        self._dialog = dialog

    async def run(self) -> Authorization:
        """Raises a failure class. The dialog bounds the time."""
        certificate = await self._former_certificate()
        while True:
            try:
                login = Login(keys.generate(), certificate)
                while login.step is not Step.DONE:
                    login = await self._advance(login)
                return await self._finish(login)
            except LoginFailed as failed:
                if failed.reason != "login_expired":
                    raise Rejected(failed.reason, code=failed.code or "") from None

    async def _former_certificate(self) -> str:
        """Of the login before, which the platform may still know."""
        former = self._context.former
        stored = await former.get(*ME) if former is not None else None
        if stored is None:
            return ""
        try:
            return Me.load(stored).certificate
        except UNREADABLE:
            log.warning("line: the session of the former login cannot be read")
            return ""

    async def _advance(self, login: Login) -> Login:
        """The login after its next answer; a QR code and a PIN are shown. Raises `LoginFailed`."""
        step = login.step
        try:
            login = await self._ask(login)
        except Silence:
            return silent(login)
        if step is Step.QR_CODE:
            await self._dialog.show_qr(login.url, login.lifetime)
        elif step is Step.PIN:
            await self._dialog.show_pin(login.pin, login.lifetime)
        return login

    async def _ask(self, login: Login) -> Login:
        call, device = STEPS[login.step], self._gateway.device
        asked = arguments(login, device.system, self._gateway.name)
        with nothing_applied():
            if call.poll:
                result, _ = await self._gateway.poll(
                    POLL_PATH,
                    call.name,
                    asked,
                    call.result,
                    access=login.session,
                    seconds=login.poll_seconds,
                )
            else:
                result, _ = await self._gateway.call(LOGIN_PATH, call.name, asked, call.result)
        error, success = getattr(result, "error", None), getattr(result, "success", None)
        return refuse(login, error) if error is not None else advance(login, success)

    # -- the end --------------------------------------------------------------------------------------------

    async def _finish(self, login: Login) -> Authorization:
        answer = login.answer
        assert answer is not None
        assert answer.mid is not None
        assert answer.tokens is not None
        if not is_id(answer.mid) or len(answer.certificate or "") > LONGEST_CERTIFICATE:
            raise Transient("malformed_answer")
        me = Me.new(answer.mid, answer.certificate or login.certificate)
        try:
            tokens = rules.issued(answer.tokens, self._context.clock.now_ms() / 1000)
        except ValueError:
            raise Transient("malformed_answer") from None
        records = Records(self._context.session)
        await records.commit([SessionChange(*ME, me.dump()), SessionChange(*TOKENS, dump(tokens))])
        keeper = TokenKeeper(self._context, self._gateway, me.login)
        talk = Talk(self._gateway, keeper)
        await self._mark(talk, records)
        await OwnKeys(talk, records, self._context.clock).adopt(_pairs_of(login))
        profile = await talk.read("getProfile", of.ReasonArguments(FOUND_BY_USER))
        return Authorization(identity_of(profile, self._context.endpoints.device_picture_url))

    async def _mark(self, talk: Talk, records: Records) -> None:
        """Operations are read from the login on."""
        newest: int = await talk.read("getLastOpRevision", of.NoArguments())
        begin = Revisions(max(newest, 0), at=self._context.clock.now_ms())
        await records.commit([SessionChange(*REVISIONS, begin.dump())])


def _pairs_of(login: Login) -> list[KeyPair]:
    """The pairs of the phone's key chain; empty where it sent none that can be opened."""
    assert login.answer is not None
    found = sealed_keys(login.answer)
    if found is None:
        return []
    try:
        sealed, sender = (
            base64.b64decode(found[name], validate=True) for name in ("encryptedKeyChain", "publicKey")
        )
        return open_key_chain(sealed, login.device, sender)
    except (LetterSealingError, binascii.Error, ValueError):
        return []


def identity_of(profile: Profile, picture_url: str) -> Identity:
    """The account as the platform describes it. Raises `Transient` for a profile without a mid."""
    if not is_id(profile.mid):
        raise Transient("malformed_answer")
    assert profile.mid is not None
    return Identity(
        profile.mid,
        display_name=name_of(profile.display_name),
        picture_url=picture_of(profile.picture_path, picture_url),
        bio=name_of(profile.status_message),
        region=(profile.region or "")[:LONGEST_REGION],
    )
