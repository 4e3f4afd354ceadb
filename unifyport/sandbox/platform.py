"""What a local platform is: the wire protocols that it speaks, and the customers' side for the control
port.

A connection's declaration names its platform (`ConnectionSpec.sandbox`); `loading.py` finds it there. The
platform lists the protocols that it speaks, each a `WireProtocol` with a loopback port of its own:
`http.py` makes one of an application, `sockets.py` makes WebSocket and raw TCP. All share the faults and
the memory of calls.
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

    `endpoints`: the fields of the channel's `Endpoints` that hold its address, at least one. `serve` accepts
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
    """What the sandbox asks of a platform.

    A platform may also have `push`, `connect` and `receipt`, which take and return what `receive` does.
    """

    # In the control routes: the channel's name, or `<channel>-<connection>` for a channel's second platform.
    name: str

    @property
    def protocols(self) -> Sequence[WireProtocol]: ...

    @property
    def connections(self) -> Iterable[dict[str, Any]]:
        """Every call and every connection seen, oldest first."""

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        """What `[providers.<channel>]` must hold to reach it, by the addresses of its protocols."""

    def receive(self, order: dict[str, Any]) -> dict[str, Any]:
        """A customer writes. Returns the platform's ids. Raises `ValueError`, as all orders do."""

    def sent(self) -> list[dict[str, Any]]:
        """What the gateway sent, in the platform's terms, oldest first."""

    def calls(self) -> list[dict[str, Any]]:
        """The webhooks that the platform called, and what they answered."""

    def order_fault(self, order: dict[str, Any]) -> None: ...

    def restore(self) -> None:
        """Forget all faults."""

    async def run(self) -> None:
        """What the platform does by itself, until cancelled."""


class OpenConnection(Protocol):
    """A connection of a socket protocol, as a `disconnect` reaches it."""

    protocol: str

    def reset(self) -> None: ...


class LocalPlatform:
    """What all local platforms share: protocols, faults that can be ordered, and a memory of who called."""

    name: str

    def __init__(self) -> None:
        self.faults = Faults()
        self.connections: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.protocols: list[WireProtocol] = []
        self.open: set[OpenConnection] = set()  # of socket protocols

    def endpoints(self, addresses: dict[str, str]) -> dict[str, str]:
        """The address of each protocol, in the fields that it declares; a platform adds its trust anchors."""
        return {
            field: addresses[protocol.name] for protocol in self.protocols for field in protocol.endpoints
        }

    def remember(self, peer: str, account: str, method: str) -> None:
        """One call, or one connection that was opened: `method` is then the protocol's name."""
        self.connections.append({"at": time.time(), "peer": peer, "account": account, "method": method})

    def order_fault(self, order: dict[str, Any]) -> None:
        """Add a fault. Raises `ValueError`.

        A `disconnect` resets the open connections, of the protocol that `method` names if given;
        where none is open, it meets the next call or connection.
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
        """A platform that calls webhooks overrides this."""
        return []

    async def run(self) -> None:
        """A platform that does something by itself overrides this."""
        await trio.lowlevel.checkpoint()
