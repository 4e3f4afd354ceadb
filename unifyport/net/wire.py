"""The seam between the HTTP clients and the network: all that they need of a connection.

`sockets.py` implements it. `unifyport/delivery/scripted.py` plays peers in tests, also on a mock clock.
"""

from typing import Protocol

from unifyport.net.guard import Address, Target


class DialFailed(Exception):
    """No connection, or no trusted certificate; the text is a machine-readable reason."""


class LocalTrouble(Exception):
    """No connection for a reason on this machine (no descriptors, no memory), not on the peer's side."""


class NothingSent(OSError):
    """The connection was lost before any byte of this `send` was accepted."""


class Wire(Protocol):
    """A connection: TCP, or TLS on it. Errors of the peer or of the network are `OSError`.

    Cancelled in `send` or `receive`: it is unknown how much was transferred, so close the connection.
    """

    async def send(self, data: bytes) -> None:
        """Raises `NothingSent` if it is certain that the peer gets no byte of `data`, otherwise `OSError`."""

    async def receive(self) -> bytes:
        """At least one byte; empty at the end. Raises `trio.ClosedResourceError` if it is closed here."""

    def stale(self) -> bool:
        """Whether an idle connection is unusable: the peer closed it, or sent something. Never blocks."""

    def close(self) -> None:
        """Close at once, and wake a task that waits in `receive` or `send`. May be called again."""


class Backend(Protocol):
    async def connect(self, target: Target, address: Address) -> Wire:
        """Dial one address of a target; for `https`, verify the name in the certificate.

        Raises `DialFailed`, `LocalTrouble`. Cancelled: nothing is left open.
        """
