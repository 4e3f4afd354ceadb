"""Health: `/healthz` says that the process answers, `/readyz` that it can do its work."""

import trio

from unifyport.gateway import errors as codes
from unifyport.gateway.errors import UseCaseError

from .. import schemas
from ..http.errors import error
from ..http.routing import Call, Route


async def healthz(call: Call) -> schemas.Health:
    await trio.lowlevel.checkpoint()
    return schemas.Health("ok")


async def readyz(call: Call) -> schemas.Health:
    await trio.lowlevel.checkpoint()
    reason = call.gateway.ready()
    if reason is not None:
        raise UseCaseError(codes.NOT_READY, reason, retry_after=1)
    return schemas.Health("ready", call.gateway.clock.read().doubt)


ROUTES = [
    Route(
        "healthz",
        "GET",
        "/healthz",
        healthz,
        "Operations",
        "The process answers",
        "not_ready",
        schemas.Health,
        public=True,
        extension=True,
    ),
    Route(
        "readyz",
        "GET",
        "/readyz",
        readyz,
        "Operations",
        "Storage takes writes and accounts are running",
        "not_ready",
        schemas.Health,
        errors=(error(codes.NOT_READY),),
        public=True,
        extension=True,
    ),
]
