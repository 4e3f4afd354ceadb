"""The login by QR code, and the import of a session: what makes the records of a session.

A code lives for 100 s; then another one is shown in its place, until the dialog ends the login. The
person who has scanned it is shown by name, as the app asks for a confirmation. See `login_steps.py`.
"""

import hashlib
import logging
import secrets
import uuid

import trio

from unifyport.model.account import Identity
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError, LoggedOut, Rejected, Transient
from unifyport.providers.contract.login import Authorization, Dialog, ExportedSession

from . import cookies, login_steps, lookups
from .calls import USER_AGENT, Call, Device, Session, read_answer
from .login_info import info_call, read_info
from .login_steps import MAX_NAME, QR_SECONDS, QrCode, picture_of
from .records import COOKIES, device_change, proxy_change
from .shapes import inner_object, text_of
from .transport import Transport

log = logging.getLogger(__name__)
POLL_SECONDS = 110.0  # a long poll is ended by the platform before that
AGAIN_SECONDS = 0.5  # between two polls, so that one that is answered at once makes no storm


class Linking:
    """One login with a human."""

    def __init__(self, context: ConnectorContext, dialog: Dialog) -> None:
        self._context = context
        self._dialog = dialog
        self._transport = Transport(context, new_device(), cookies.new_jar())

    async def run(self) -> Authorization:
        """Raises a failure class. The dialog bounds the time."""
        try:
            version = login_steps.version_of(await self._ask(login_steps.page_call()))
            for call in login_steps.prepare_calls(version):
                await self._ask(call)
            while not await self._show_one(version):
                continue
            await self._ask(login_steps.check_call())
            name, picture = login_steps.user_of(await self._ask(login_steps.user_call()))
            session = await log_in(self._transport, self._context.clock.now_ms())
            await keep(self._context, self._transport)
            return Authorization(Identity(session.uid, display_name=name, picture_url=picture))
        finally:
            await self._transport.aclose()

    async def _show_one(self, version: str) -> bool:
        """Show a code; whether it was scanned and confirmed in its time."""
        code = login_steps.qr_of(await self._ask(login_steps.generate_call(version)))
        self._context.secrets.register(code.code)
        await self._dialog.show_qr(code.text, QR_SECONDS)
        with trio.move_on_after(QR_SECONDS):
            return await self._wait_for_phone(version, code)
        return False

    async def _wait_for_phone(self, version: str, code: QrCode) -> bool:
        """False: the platform does not know the code any more. Raises `Rejected("login_declined")`."""
        try:
            while True:
                scanned = login_steps.scan_of(await self._poll(login_steps.scan_call(version, code.code)))
                if scanned is not None:
                    break
                await trio.sleep(AGAIN_SECONDS)
            await self._dialog.confirm_on_phone(scanned.display_name, scanned.picture_url)
            while not login_steps.confirm_of(await self._poll(login_steps.confirm_call(version, code.code))):
                await trio.sleep(AGAIN_SECONDS)
            return True
        except Rejected as refused:
            if refused.reason == "login_declined":
                raise
            await trio.sleep(AGAIN_SECONDS)
            return False

    async def _ask(self, call: Call) -> bytes:
        return await self._transport.ask(call)

    async def _poll(self, call: Call) -> bytes:
        return await self._transport.ask(call, timeout=POLL_SECONDS)


def new_device() -> Device:
    """As the web client makes one: `imei` is a random id and a hash of the user agent."""
    digest = hashlib.md5(USER_AGENT.encode(), usedforsecurity=False).hexdigest()
    return Device(f"{uuid.uuid4()}-{digest}", USER_AGENT)


async def log_in(transport: Transport, now_ms: int) -> Session:
    """Ask for the login info. Raises `LoggedOut` for a session that has ended, else `Transient`."""
    call, cipher = info_call(transport.device, now_ms, secrets.token_hex(6))
    return read_info(await transport.ask(call), cipher, transport.device)


async def keep(context: ConnectorContext, transport: Transport) -> None:
    """Make the records of a session that was proved."""
    await context.session.commit(
        [
            device_change(transport.device),
            SessionChange(COOKIES, b"", cookies.stored(transport.jar)),
            proxy_change(context.proxy),
        ]
    )


async def _own_profile(transport: Transport, session: Session) -> Identity:
    """The account, with name and picture if Zalo says them. Raises `LoggedOut`."""
    try:
        data = read_answer(await transport.ask(lookups.me_call(session)), session.cipher)
    except LoggedOut:
        raise
    except ChannelError as error:
        log.info("zalo: the profile of the account was not told: %s", error.reason)
        return Identity(session.uid)
    shown = inner_object(inner_object(data).get("profile"))
    name = text_of(shown.get("displayName")) or text_of(shown.get("zaloName"))
    return Identity(session.uid, display_name=name[:MAX_NAME], picture_url=picture_of(shown.get("avatar")))


async def import_session(context: ConnectorContext, exported: ExportedSession) -> Authorization:
    """Raises `Rejected("invalid_session")`, also for one that Zalo does not take; `Transient`."""
    imported = cookies.read_export(exported.data)
    transport = Transport(context, imported.device, imported.jar)
    try:
        session = await log_in(transport, context.clock.now_ms())
        identity = await _own_profile(transport, session)
        await keep(context, transport)
        return Authorization(identity)
    except LoggedOut:
        raise Rejected("invalid_session", "Zalo does not accept this session any more") from None
    except Transient as failed:
        if failed.reason.startswith("login_refused_"):
            raise Rejected("invalid_session", "Zalo does not accept this session") from None
        raise
    finally:
        await transport.aclose()
