"""The seam between the delivery client and the network: what it needs of a connection, and nothing else.

`sockets.py` is the real thing, `scripted.py` plays receivers in tests, on a mock clock if need be.
"""

from typing import Protocol

from unifyport.net.guard import Address, Target


class DialFailed(Exception):
    """No connection, or none that can be trusted; the text is a machine-readable reason."""


class LocalTrouble(Exception):
    """No connection for a reason of our own (no descriptors, no memory):
    it says nothing about the receiver.
    """


class Wire(Protocol):
    """A connection: TCP, or TLS on it. Errors of the peer or of the network are `OSError`.

    Cancelled in `send` or `receive`: how much went through is unknown, so close it.
    """

    async def send(self, data: bytes) -> None: ...

    async def receive(self) -> bytes:
        """Something, or nothing at the end. Raises `trio.ClosedResourceError` when closed here meanwhile."""

    def stale(self) -> bool:
        """Whether an idle connection is of no more use: closed by the peer, or talking out of turn.

        Never blocks.
        """

    def close(self) -> None:
        """At once; also wakes whoever waits. Again: nothing."""


class Backend(Protocol):
    async def connect(self, target: Target, address: Address) -> Wire:
        """Dial one address of a target; for `https`, the name in it must be proved. Raises `DialFailed`,
        `LocalTrouble`. Cancelled: nothing is left open."""
