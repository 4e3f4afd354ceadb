"""The connection of a logged-in account: what reads it, and the parts that work on it.

connection    reads answers and updates, acknowledges, pings
updates       the update box: gaps, order, and what becomes an event (`updates.py`)
media         connections with other data centres
"""

import logging

import trio

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.base import ConnectorContext, Link
from unifyport.providers.contract.errors import ChannelError, Transient, worst
from unifyport.providers.records import Records

from .addresses import Kind, parse_table
from .changes import Changes
from .chats import Chats
from .connection import Connection
from .groups import Groups
from .keys import AuthRecord, Me, auth_key, dump
from .lists import Lists
from .media import Media
from .media_connections import MediaConnections
from .peers import Peers
from .records import AUTH, ME
from .rpc import Rpc, read_object
from .sends import Sends
from .updates import Updates

log = logging.getLogger(__name__)


class UserLink:
    """One connection, from its login on. `lost` is set at its end."""

    def __init__(
        self,
        context: ConnectorContext,
        records: Records,
        connection: Connection,
        rpc: Rpc,
        *,
        media: MediaConnections,
        me: Me,
        auth: AuthRecord,
    ) -> None:
        self.context = context
        self.records = records
        self.rpc = rpc
        self.me = me
        self.lost = trio.Event()
        self._connection = connection
        self._media = media
        self._auth = auth
        self._kept = trio.Event()
        self.peers = Peers(records)
        self.chats = Chats(self)
        self.media = Media(self)
        self.changes = Changes(self)
        self.lists = Lists(self)
        self.groups = Groups(self)
        self.updates = Updates(self)
        self.sends = Sends(self)
        connection.listener = self

    async def run(self, link: Link, ready: trio.Event) -> None:
        """Until the connection is lost. Raises a failure class. `ready` is set when sends may begin."""
        failure: ChannelError = Transient("connection_lost")
        self._connection.observed = link.observed
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._connection.run)
                self._media.nursery = nursery
                nursery.start_soon(self._keep_records)
                nursery.start_soon(self.updates.run, link)
                ready.set()
        except* ChannelError as group:
            failure = worst(group)
        finally:
            self._media.nursery = None
            self.close()
        raise failure

    @property
    def has_cdn(self) -> bool:
        """Whether files may be fetched from data centres of others."""
        return bool(parse_table(self.context.endpoints.user_dc_addresses)[Kind.CDN])

    async def probe(self) -> None:
        await self._connection.ping()

    def close(self) -> None:
        self.lost.set()
        self._connection.close()

    # -- what the connection hears ------------------------------------------------------------------------

    def push(self, body: bytes) -> None:
        try:
            update = read_object(body)
        except ValueError as error:  # what it held is a gap in the counters, and is asked for
            log.warning("telegram: an update of %d bytes: %s", len(body), error)
            self.updates.gap()
            return
        self.updates.push(update)

    def gap(self) -> None:
        self.updates.gap()

    def keep(self, salt: int, time_offset: float) -> None:
        self._auth.salt, self._auth.time_offset = salt, time_offset
        self._kept.set()

    async def _keep_records(self) -> None:
        """Who the account is, and the salt and clock of its key as they change."""
        await self.records.commit([SessionChange(ME, b"", dump(self.me))])
        while True:
            await self._kept.wait()
            self._kept = trio.Event()
            await self.records.commit([SessionChange(AUTH, auth_key(self.me.dc), dump(self._auth))])
