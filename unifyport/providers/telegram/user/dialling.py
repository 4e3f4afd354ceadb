"""Opens connections with data centres, and makes an authorization key where there is none.

The transport is the obfuscated one in the intermediate framing, as official clients on desktops use it.
"""

from collections.abc import Callable

import trio

from unifyport.net.tcp import NotOpened, open_tcp
from unifyport.net.wire import Wire
from unifyport.protocols.mtproto.encryption import Role, open_plain, seal_plain
from unifyport.protocols.mtproto.errors import MTProtoError, TransportFailure
from unifyport.protocols.mtproto.exchange import Agreed, ClientExchange
from unifyport.protocols.mtproto.identifiers import MessageIds
from unifyport.protocols.mtproto.transports import ClientTransport, Framing
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import RateLimited, Transient

from .addresses import Kind, WrongTable, read_data_centres
from .connection import Connection
from .keys import AuthRecord

EXCHANGE_SECONDS = 30.0
_REFUSED_SECONDS = 60.0


class Dialler:
    """Opens the connections of one account, all through its proxy."""

    def __init__(self, context: ConnectorContext) -> None:
        """Raises `Transient` for a configuration that cannot be read."""
        self._context = context
        try:
            self._data_centres = read_data_centres(context.endpoints)
        except WrongTable as error:
            raise Transient("configuration_error", cause=str(error)) from None

    def now(self) -> float:
        return self._context.clock.now_ms() / 1000

    def knows(self, dc: int) -> bool:
        return self._data_centres.find(dc) is not None

    def is_cdn(self, dc: int) -> bool:
        return not self.knows(dc) and self._data_centres.find(dc, Kind.CDN) is not None

    async def connect(
        self, dc: int, auth: AuthRecord | None, kind: Kind = Kind.MAIN
    ) -> tuple[Connection, AuthRecord]:
        """A connection under `auth`, or under a key that is made for it; and that key.

        Raises `Transient`, `RateLimited`. Cancelled: closed.
        """
        place = self._data_centres.find(dc, kind)
        if place is None:
            raise Transient(f"unknown_data_centre_{dc}")
        context = self._context
        try:
            wire = await open_tcp(place.host, place.port, context.ssl_context, proxy=context.proxy)
        except NotOpened as error:
            where = f"data centre {dc}, {place.host}:{place.port}"
            raise Transient(f"not_connected: {error}", cause=where) from None
        transport = ClientTransport(
            Framing.INTERMEDIATE, obfuscated=True, dc=dc if kind is Kind.MAIN else -dc
        )
        try:
            if auth is None:
                auth = await self._make_key(wire, transport, dc)
            return Connection(dc, wire, transport, auth, now=self.now), auth
        except BaseException:
            wire.close()
            raise

    async def _make_key(self, wire: Wire, transport: ClientTransport, dc: int) -> AuthRecord:
        exchange = ClientExchange(self._data_centres.keys, dc=dc)
        try:
            with trio.fail_after(EXCHANGE_SECONDS):
                agreed = await _exchange(wire, transport, exchange, self.now)
        except trio.TooSlowError:
            raise Transient("no_answer") from None
        except (OSError, trio.ClosedResourceError):
            raise Transient("connection_lost") from None
        except TransportFailure as error:
            if error.code == 429:
                raise RateLimited(_REFUSED_SECONDS, "too_many_connections") from None
            raise Transient(f"transport_error_{min(error.code, 99_999)}") from None
        except MTProtoError as error:
            raise Transient("key_exchange_failed", cause=str(error)) from None
        return AuthRecord(agreed.key.value, agreed.salt, agreed.time_offset)


async def _exchange(
    wire: Wire, transport: ClientTransport, exchange: ClientExchange, now: Callable[[], float]
) -> Agreed:
    ids = MessageIds(Role.CLIENT)
    step: bytes | Agreed = exchange.start()
    packets: list[bytes] = []
    while isinstance(step, bytes):
        await wire.send(transport.send(seal_plain(ids.make(now()), step)))
        while not packets:
            data = await wire.receive()
            if not data:
                raise OSError("closed")
            packets += transport.receive(data)
        _, body = open_plain(packets.pop(0))
        step = await trio.to_thread.run_sync(exchange.receive, body, now())
    return step
