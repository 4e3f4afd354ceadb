"""The connection that a login uses: it moves to the data centre that the platform names, and is opened again
under the same key when it is lost while the human is busy.
"""

import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import trio
from telethon.tl import TLRequest, types

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError, LoggedOut, RateLimited, Rejected, Transient
from unifyport.providers.contract.login import Authorization
from unifyport.providers.contract.session import MAX_CHANGES, Session

from .addresses import FIRST
from .beginning import beginning
from .connection import Connection
from .dialling import Dialler
from .dialogs import Call
from .errors import Migrate
from .keys import AuthRecord, Me, auth_key, dump
from .opening import me_of
from .records import AUTH, ME
from .rpc import Rpc, read_object

log = logging.getLogger(__name__)
_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 1.0
_MAX_MOVES: Final = 4
_UNKNOWN_YET: Final = "auth_key_unregistered"


class LoginSession:
    """The calls of one login, at data centre `dc`. Used as `async with opened(...)`."""

    def __init__(self, context: ConnectorContext, nursery: trio.Nursery) -> None:
        self.dc = FIRST
        self.scanned = trio.Event()  # `updateLoginToken`, or a lost connection: the token is asked for anew
        self._context = context
        self._nursery = nursery
        self._dialler = Dialler(context)
        self._auth: AuthRecord | None = None
        self._connection: Connection | None = None
        self._rpc: Rpc | None = None
        self._moved = False

    async def call(self, request: TLRequest, *, repeatable: bool = False) -> Any:
        """As `Rpc.call`, wherever the platform wants it. Raises failure classes.

        A key that has just moved to another data centre is unknown there for a second or two.
        """
        moves = attempts = 0
        while True:
            try:
                return await (await self._connected()).call(request, repeatable=repeatable)
            except Migrate as migrate:
                moves += 1
                if moves > _MAX_MOVES:
                    raise Rejected("migration_loop") from None
                await self.move(migrate.dc)
            except LoggedOut as error:
                attempts += 1
                if not (self._moved and error.reason == _UNKNOWN_YET and attempts < _ATTEMPTS):
                    raise Rejected(error.reason) from None
                await trio.sleep(_PAUSE_SECONDS)
            except Transient as error:
                attempts += 1
                if (error.maybe_applied and not repeatable) or attempts >= _ATTEMPTS:
                    raise
                await trio.sleep(_PAUSE_SECONDS)

    async def move(self, dc: int) -> None:
        """Go on at another data centre, under a new key. Raises `Rejected` for one that is not configured."""
        if not self._dialler.knows(dc):
            raise Rejected("unknown_data_centre", f"Telegram names data centre {dc}, which is not configured")
        self.close()
        self.dc, self._auth, self._rpc, self._moved = dc, None, None, True

    def server_time(self) -> float:
        assert self._rpc is not None
        return self._rpc.server_time()

    async def authorized(self, session: Session, user: Any) -> Authorization:
        """Keep the key: `user` is who it is."""
        assert self._auth is not None
        me = me_of(user, self.dc)
        await keep(session, me, self._auth)
        await note_beginning(session, self.call)
        return Authorization(me.identity)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _connected(self) -> Rpc:
        if self._connection is None or self._connection.failure is not None or self._rpc is None:
            connection, self._auth = await self._dialler.connect(self.dc, self._auth)
            connection.listener = self
            self._connection, self._rpc = connection, Rpc(self._context, connection)
            self._nursery.start_soon(self._serve, connection)
        return self._rpc

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.run()
        except ChannelError as error:
            log.info("telegram: the connection of a login has ended: %s", error.reason)
        self.scanned.set()

    # -- what the connection hears ------------------------------------------------------------------------

    def push(self, body: bytes) -> None:
        try:
            update = read_object(body)
        except ValueError:
            return
        if any(isinstance(each, types.UpdateLoginToken) for each in _updates_in(update)):
            self.scanned.set()

    def gap(self) -> None:
        """Updates of a login are repeated by asking."""

    def keep(self, salt: int, time_offset: float) -> None:
        if self._auth is not None:
            self._auth.salt, self._auth.time_offset = salt, time_offset


@contextlib.asynccontextmanager
async def opened(context: ConnectorContext) -> AsyncIterator[LoginSession]:
    """A session for a login; its connection is closed at the end."""
    async with trio.open_nursery() as nursery:
        session = LoginSession(context, nursery)
        try:
            yield session
        finally:
            session.close()
            nursery.cancel_scope.cancel()


async def keep(session: Session, me: Me, auth: AuthRecord) -> None:
    """The two records with which an account connects."""
    await session.commit([SessionChange(AUTH, auth_key(me.dc), dump(auth)), SessionChange(ME, b"", dump(me))])


async def note_beginning(session: Session, call: Call) -> None:
    """Keep where the account's updates are now. What fails is done by the first connection."""
    try:
        changes = await beginning(call)
    except (Transient, RateLimited) as error:
        log.warning("telegram: the state of updates is not known yet: %s", error.reason)
        return
    for start in range(0, len(changes), MAX_CHANGES):
        await session.commit(changes[start : start + MAX_CHANGES])


def _updates_in(update: Any) -> list[Any]:
    if isinstance(update, types.UpdateShort):
        return [update.update]
    return list(getattr(update, "updates", None) or ())
