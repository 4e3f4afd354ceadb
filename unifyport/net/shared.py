"""What all clients for calls share within a run of trio: a resolver, and a sweeper with its task."""

import attrs
import trio

from .guard import Resolver
from .sweeper import Sweeper

TICK = 0.5  # seconds; a call may end so much later than its time-out
MAX_IDLE = 1024  # idle connections of all accounts


@attrs.frozen
class Shared:
    resolver: Resolver
    sweeper: Sweeper


_OF_THIS_RUN: trio.lowlevel.RunVar[Shared] = trio.lowlevel.RunVar("shared by clients")


def shared() -> Shared:
    """Made on the first call; the sweeper's task ends with the run."""
    try:
        return _OF_THIS_RUN.get()
    except LookupError:
        made = Shared(Resolver(), Sweeper(TICK, MAX_IDLE))
        _OF_THIS_RUN.set(made)
        trio.lowlevel.spawn_system_task(made.sweeper.run)
        return made
