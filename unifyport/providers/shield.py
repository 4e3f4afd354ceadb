"""Work that a cancellation interrupts only after a while, such as a request whose answer must not be lost."""

from collections.abc import Awaitable, Callable

import trio

from .contract.errors import ChannelError


async def shielded(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    """Run `work`; it is cancelled from outside only after `seconds`. Raises what it raises."""
    failure: ChannelError | None = None
    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.shield = True
        nursery.start_soon(_lift, nursery.cancel_scope, seconds)
        try:
            await work()
        except ChannelError as error:
            failure = error
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _lift(scope: trio.CancelScope, seconds: float) -> None:
    await trio.sleep(seconds)
    scope.shield = False
