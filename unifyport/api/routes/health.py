"""Health: `/healthz` says that the process answers, `/readyz` that it can do its work."""

import trio

from .. import schemas
from ..http.errors import ApiError, ErrorSpec
from ..http.routing import Call, Route


async def healthz(call: Call) -> schemas.Health:
    await trio.lowlevel.checkpoint()
    return schemas.Health("ok")


async def readyz(call: Call) -> schemas.Health:
    await trio.lowlevel.checkpoint()
    reason = call.gateway.ready()
    if reason is not None:
        raise ApiError(503, "not_ready", reason, retry_after=1)
    return schemas.Health("ready")


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
        errors=(ErrorSpec(503, "not_ready"),),
        public=True,
        extension=True,
    ),
]
