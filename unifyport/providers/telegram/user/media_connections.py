"""Connections with other data centres than the account's own, and with a CDN, for files.

A data centre takes the account after its authorization was exported from its own one and imported there
(https://core.telegram.org/api/datacenter#working-with-a-session-in-another-data-center); the key of that
connection is kept, so that this is done once. A connection closes after `IDLE_SECONDS` without a call.
"""

import logging
from typing import TYPE_CHECKING, Final

import trio
from telethon.tl.functions.auth import ExportAuthorizationRequest, ImportAuthorizationRequest
from telethon.tl.functions.help import GetConfigRequest

from unifyport.model.unit import SessionChange
from unifyport.protocols.mtproto.rpc_errors import ErrorClass
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import ChannelError, LoggedOut, Transient
from unifyport.providers.records import Records

from .addresses import Kind
from .connection import Connection
from .dialling import Dialler
from .errors import failure_of
from .introduction import introduce
from .keys import AuthRecord, auth_key, dump, load_auth
from .listener import Refused
from .records import AUTH

if TYPE_CHECKING:
    from .rpc import Rpc

log = logging.getLogger(__name__)
IDLE_SECONDS: Final = 60.0
_MOST: Final = 8  # connections with other data centres at a time


class MediaConnections:
    """Opened on demand, while there is a `nursery`, which serves them."""

    def __init__(self, context: ConnectorContext, dialler: Dialler, records: Records) -> None:
        self._context = context
        self._dialler = dialler
        self._records = records
        self._open: dict[int, Connection] = {}
        self._opening: dict[int, trio.Lock] = {}
        self.nursery: trio.Nursery | None = None

    async def get(self, dc: int, rpc: "Rpc") -> Connection:
        """A connection that may be used. Raises failure classes."""
        lock = self._opening.setdefault(dc, trio.Lock())
        async with lock:
            found = self._open.get(dc)
            if found is not None and found.failure is None:
                return found
            if self.nursery is None or len(self._open) >= _MOST:
                raise Transient(f"no_connection_with_data_centre_{dc}")
            connection = await self._connect_anew(dc, rpc)
            if self.nursery is None:  # the account's own connection has ended meanwhile
                connection.close()
                raise Transient("connection_lost")
            self._open[dc] = connection
            self.nursery.start_soon(self._serve, connection)
            return connection

    async def forget(self, dc: int) -> None:
        """That data centre does not know the account any more."""
        connection = self._open.pop(dc, None)
        if connection is not None:
            connection.close()
        await self._records.commit([SessionChange(AUTH, auth_key(dc), None)])

    async def _connect_anew(self, dc: int, rpc: "Rpc") -> Connection:
        """`_connect`; with a new key where the data centre does not know ours any more."""
        try:
            return await self._connect(dc, rpc)
        except LoggedOut:
            if rpc.failure is not None:  # the account's own login is void
                raise
            await self.forget(dc)
        try:
            return await self._connect(dc, rpc)
        except LoggedOut as error:
            if rpc.failure is not None:
                raise
            raise Transient("media_key_unknown", cause=error.reason) from None

    async def _connect(self, dc: int, rpc: "Rpc") -> Connection:
        stored = await self._records.get(AUTH, auth_key(dc))
        auth = load_auth(stored) if stored is not None else None
        if self._dialler.is_cdn(dc):
            return await self._connect_to_cdn(dc, auth)
        connection, auth = await self._dialler.connect(dc, auth, Kind.MEDIA)
        try:
            if not auth.is_used or not await self._is_known(connection):
                await self._bring_account(connection, auth, rpc)
            return connection
        except BaseException:
            connection.close()
            raise

    async def _connect_to_cdn(self, dc: int, auth: AuthRecord | None) -> Connection:
        """A CDN takes no login: the token of a file suffices."""
        connection, made = await self._dialler.connect(dc, auth, Kind.CDN)
        try:
            await connection.call(introduce(self._context, GetConfigRequest()))
            if auth is None:
                await self._records.commit([SessionChange(AUTH, auth_key(dc), dump(made))])
            return connection
        except Refused as refused:
            connection.close()
            raise failure_of(refused.error) from None
        except BaseException:
            connection.close()
            raise

    async def _is_known(self, connection: Connection) -> bool:
        try:
            await connection.call(introduce(self._context, GetConfigRequest()))
        except Refused as refused:
            if refused.error.kind is ErrorClass.UNAUTHORIZED:
                return False
            raise failure_of(refused.error) from None
        return True

    async def _bring_account(self, connection: Connection, auth: AuthRecord, rpc: "Rpc") -> None:
        exported = await rpc.call(ExportAuthorizationRequest(connection.dc))
        request = ImportAuthorizationRequest(exported.id, exported.bytes)
        try:
            await connection.call(introduce(self._context, request))
        except Refused as refused:
            failure = failure_of(refused.error)
            if isinstance(failure, LoggedOut):
                raise Transient("media_login_refused", cause=failure.reason) from None
            raise failure from None
        auth.is_used = True
        await self._records.commit([SessionChange(AUTH, auth_key(connection.dc), dump(auth))])

    async def _serve(self, connection: Connection) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._close_when_idle, connection)
                await connection.run()
        except* ChannelError as group:
            log.info("telegram: the connection with data centre %d has ended: %r", connection.dc, group)
        finally:
            if self._open.get(connection.dc) is connection:
                del self._open[connection.dc]
            if isinstance(connection.failure, LoggedOut):
                await self.forget(connection.dc)

    async def _close_when_idle(self, connection: Connection) -> None:
        while True:
            idle_at = connection.used_at + IDLE_SECONDS
            if trio.current_time() >= idle_at:
                connection.close()
                return
            await trio.sleep_until(idle_at)
