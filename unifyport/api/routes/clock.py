"""The wall clock of the gateway: whether it is in doubt, and the operator's word that it is right."""

import trio

from unifyport.gateway.clock import ClockState

from .. import schemas
from ..http.routing import Call, Route


def present_clock(state: ClockState) -> schemas.Clock:
    return schemas.Clock(
        in_doubt=state.doubt is not None,
        steps=state.steps,
        doubt=state.doubt,
        ends_in=None if state.ends_in is None else round(state.ends_in),
    )


async def read(call: Call) -> schemas.Clock:
    await trio.lowlevel.checkpoint()
    return present_clock(call.gateway.clock.read())


async def accept(call: Call) -> schemas.Clock:
    await trio.lowlevel.checkpoint()
    return present_clock(call.gateway.clock.accept())


ROUTES = [
    Route(
        "getClock",
        "GET",
        "/v1/clock",
        read,
        "Operations",
        "Whether the wall clock is in doubt, and why",
        "get_clock_failed",
        schemas.Clock,
        extension=True,
    ),
    Route(
        "acceptClock",
        "POST",
        "/v1/clock/accept",
        accept,
        "Operations",
        "Say that the wall clock is right: doubt ends at once",
        "accept_clock_failed",
        schemas.Clock,
        extension=True,
    ),
]
