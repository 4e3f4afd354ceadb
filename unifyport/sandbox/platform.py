"""The interface of a local platform: its wire protocols, and the customers' side for the control port.

A connection's declaration names its platform (`ConnectionSpec.sandbox`); `loading.py` loads it. The platform
lists the protocols that it speaks, each a `WireProtocol` with a loopback port of its own: `http.py` makes one
from an application, `sockets.py` makes WebSocket and raw TCP protocols. All protocols of a platform share its
faults and its record of calls.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Literal, Protocol

import attrs
import trio

from .faults import Faults
from .serving import authority_of

KEPT = 10_000  # sent messages and connections remembered

Kind = Literal["http", "websocket", "tcp"]
_SCHEMES: dict[Kind, str] = {"http": "http://", "websocket": "ws://", "tcp": ""}


@attrs.frozen
class WireProtocol:
    """One protocol of a platform, on a port of its own.

    `endpoints`: the fields of the channel's `Endpoints` that get its address, at least one. `serve` accepts
    connections until it is cancelled, and then closes the listener.
    """

    name: str
    kind: Kind
    endpoints: tuple[str, ...]
    serve: Callable[[trio.SocketListener], Awaitable[None]]

    def address_at(self, listener: trio.SocketListener) -> str:
        """`http://host:port`, `ws://host:port`, or `host:port` for raw TCP."""
        return _SCHEMES[self.kind] + authority_of(listener)


class Platform(Protocol):
    """The methods of a platform that the control port calls.

    A platform may also have `push`, `connect` and `receipt`, with the parameters and result of `receive`.
    """

    # Part of the control routes: the channel's name, or `<channel>-<connection>` for a second platform of it.
    name: str

    @property
    def protocols(self) -> Sequence[WireProtocol]: ...

    @property
    def connections(self) -> Iterable[dict[str, Any]]:
        """Every call and every opened connection, oldest first."""

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        """The keys of `[providers.<channel>]` that point a gateway at it. `addresses`: by protocol name."""

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes. Returns the platform's ids. Raises `ValueError`, as all orders do."""

    def sent(self) -> list[dict[str, Any]]:
        """What the gateway sent, in the platform's terms, oldest first."""

    def calls(self) -> list[dict[str, Any]]:
        """The webhook calls that the platform made, with their answers."""

    def order_fault(self, order: dict[str, Any]) -> None: ...

    def restore(self) -> None:
        """Forget all faults."""

    async def run(self) -> None:
        """Do the platform's own work, such as calling webhooks, until cancelled."""


class OpenConnection(Protocol):
    """An open connection of a socket protocol, which a `disconnect` fault resets."""

    protocol: str

    def reset(self) -> None: ...


class LocalPlatform:
    """What all local platforms share: protocols, faults that can be ordered, and a record of calls."""

    name: str

    def __init__(self) -> None:
        self.faults = Faults()
        self.connections: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.protocols: list[WireProtocol] = []
        self.open: set[OpenConnection] = set()  # of socket protocols

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        """The address of each protocol, in the fields that it declares. A subclass may add trust anchors."""
        return {
            field: addresses[protocol.name] for protocol in self.protocols for field in protocol.endpoints
        }

    def remember(self, peer: str, account: str, method: str) -> None:
        """Record a call, or a connection that was opened: `method` is then the protocol's name."""
        self.connections.append({"at": time.time(), "peer": peer, "account": account, "method": method})

    def order_fault(self, order: dict[str, Any]) -> None:
        """Add a fault. Raises `ValueError`.

        A `disconnect` resets the open connections (only of the protocol that `method` names, if given). If
        none is open, it applies to the next call or connection.
        """
        fault = self.faults.add(order)
        if fault.kind != "disconnect":
            return
        met = [connection for connection in self.open if fault.method in (None, connection.protocol.lower())]
        for connection in met:
            connection.reset()
        if met:
            fault.count -= 1

    def restore(self) -> None:
        """Forget all faults."""
        self.faults.clear()

    def calls(self) -> list[dict[str, Any]]:
        """Overridden by platforms that call webhooks."""
        return []

    async def run(self) -> None:
        """Overridden by platforms that have work of their own."""
        await trio.lowlevel.checkpoint()
