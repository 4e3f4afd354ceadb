"""How many accounts of the process make prekeys at a time.

812 keys are almost a MiB until they are stored and encoded. Many accounts that are linked, or come back, at
the same time would raise the memory of the process for good.
"""

import trio

AT_A_TIME = 4

_OF_THIS_RUN: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("accounts that make prekeys")


def making() -> trio.CapacityLimiter:
    """Shared by all accounts within a run of trio. Nothing waits for the platform while it is held."""
    try:
        return _OF_THIS_RUN.get()
    except LookupError:
        made = trio.CapacityLimiter(AT_A_TIME)
        _OF_THIS_RUN.set(made)
        return made
