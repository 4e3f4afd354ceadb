"""The connection of a personal account: a thin shell around `link.py`, which has its parts.

What reads Telethon's classes is imported when an account needs it, not with this module.
"""

from typing import TYPE_CHECKING

import trio

from unifyport.model.account import Identity
from unifyport.providers.contract.base import AnswersProbes, ConnectorContext, Link
from unifyport.providers.contract.errors import LoggedOut, Rejected
from unifyport.providers.contract.login import (
    Authorization,
    Authorizes,
    Dialog,
    ExportedSession,
    ExportsSession,
    ImportsSession,
    LogsOut,
)
from unifyport.providers.records import Records
from unifyport.providers.usable import usable

from .actions import UserActions
from .addresses import read_data_centres
from .keys import auth_key, load_auth, load_me
from .records import AUTH, ME
from .session_formats import to_telethon

if TYPE_CHECKING:
    from .link import UserLink


class UserConnector(UserActions, AnswersProbes, LogsOut, ExportsSession):
    """An account that is logged in."""

    def __init__(self, context: ConnectorContext) -> None:
        self._context = context
        self._records = Records(context.session)
        self._link: UserLink | None = None
        self._ready = trio.Event()

    async def login(self) -> Identity:
        from .opening import open_link

        self._link = await open_link(self._context, self._records)
        return self._link.me.identity

    async def receive(self, link: Link) -> None:
        assert self._link is not None, "login comes first"
        try:
            await self._link.run(link, self._ready)
        finally:
            self._ready.set()

    async def probe(self) -> None:
        await (await self._up()).probe()

    async def aclose(self) -> None:
        if self._link is not None:
            self._link.close()
        await trio.lowlevel.cancel_shielded_checkpoint()

    async def log_out(self) -> None:
        """End the login. One that the platform does not know any more has ended already."""
        from telethon.tl.functions.auth import LogOutRequest

        from .opening import open_link

        try:
            link = await open_link(self._context, self._records)
            try:
                await link.rpc.call(LogOutRequest())
            finally:
                link.close()
        except LoggedOut:
            return

    async def export_session(self) -> str:
        """A string that Telethon reads."""
        stored = await self._records.get(ME)
        me = load_me(stored) if stored is not None else None
        auth = await self._records.get(AUTH, auth_key(me.dc)) if me is not None else None
        place = read_data_centres(self._context.endpoints).find(me.dc) if me is not None else None
        if me is None or auth is None or place is None:
            raise Rejected("not_logged_in")
        try:
            return to_telethon(me.dc, load_auth(auth).key, place.host, place.port)
        except ValueError:  # the table names a host, and the string has room for an address only
            raise Rejected("address_not_literal") from None

    async def _up(self) -> "UserLink":
        """The connection, once it can be used. Raises `Transient`."""
        return await usable(self._link, self._ready)


class CodeConnector(UserConnector, Authorizes):
    """Logged in by a code that Telegram sends to the phone number."""

    async def authorize(self, dialog: Dialog) -> Authorization:
        from unifyport.providers.telegram import PHONE

        from .login import Login

        phone = PHONE.read(self._context.credentials)
        if phone is None:
            raise Rejected("phone_missing")
        return await Login(self._context, dialog, phone).run()


class QrConnector(UserConnector, Authorizes):
    """Logged in by a QR code that a device of the account scans."""

    async def authorize(self, dialog: Dialog) -> Authorization:
        from .login import Login

        return await Login(self._context, dialog).run()


class SessionConnector(UserConnector, ImportsSession):
    """Logged in by a session that another program has exported."""

    async def import_session(self, exported: ExportedSession) -> Authorization:
        from .import_session import import_session

        return await import_session(self._context, exported)
