"""A connection that the commands of a connector wait for: they may come before it can be used."""

from typing import Protocol, TypeVar

import trio

from unifyport.providers.contract.errors import Transient

READY_SECONDS = 20.0


class CanBeLost(Protocol):
    @property
    def lost(self) -> trio.Event: ...


L = TypeVar("L", bound=CanBeLost)


async def usable(link: L | None, ready: trio.Event) -> L:
    """The connection, once `ready` is set, which its end sets as well. Raises `Transient`."""
    with trio.move_on_after(READY_SECONDS):
        await ready.wait()
    if link is None or link.lost.is_set() or not ready.is_set():
        raise Transient("connection_lost")
    return link
