"""The gateway at a glance, in one request: what `unifyport status` shows."""

import attrs
import trio

from supervisors import map_in_slices
from unifyport.gateway.errors import invalid
from unifyport.gateway.status import AccountStatus, EndpointStatus
from unifyport.model.times import rfc3339
from unifyport.version import VERSION

from .. import schemas
from ..http.errors import INVALID_REQUEST
from ..http.paging import CURSOR, limit_of, limit_query
from ..http.routing import Call, Query, Route

MOST = 1000  # accounts of a page: what an operator looks at in one request
_FLAGS = ("true", "false", "")


async def get_status(call: Call) -> schemas.GatewayStatus:
    await trio.lowlevel.checkpoint()
    query = call.query
    if (problems := query.get("problems", "")) not in _FLAGS:
        raise invalid("problems", "must be true or false")
    words, problems_only, after = query.get("q", ""), problems == "true", None
    purpose = f"status {problems_only} {words}"
    if cursor := query.get("cursor"):
        well, number = call.cursors.read(purpose, cursor, count=2)
        after = (bool(well), number)
    found = await call.gateway.status.read(
        words, limit_of(query, MOST), problems_only=problems_only, after=after
    )
    return schemas.GatewayStatus(
        ready=found.not_ready is None,
        version=VERSION,
        counts=dict(found.counts),
        problems=found.problems,
        accounts=await map_in_slices(_present_account, found.accounts),
        matching=found.matching,
        has_more=found.last is not None,
        next_cursor="" if found.last is None else call.cursors.write(purpose, *map(int, found.last)),
        endpoint_count=found.endpoint_count,
        endpoint_problems=found.endpoint_problems,
        endpoints=await map_in_slices(_present_endpoint, found.endpoints),
        not_ready=found.not_ready,
    )


def _present_endpoint(endpoint: EndpointStatus) -> schemas.EndpointStatus:
    since = endpoint.failing_since
    return schemas.EndpointStatus(
        id=endpoint.id,
        name=endpoint.name,
        status=endpoint.status,
        reason=endpoint.reason,
        last_error=endpoint.last_error,
        breaker_open=endpoint.breaker_open,
        failing_since=None if since is None else rfc3339(since),
    )


def _present_account(account: AccountStatus) -> schemas.AccountStatus:
    return schemas.AccountStatus(**attrs.asdict(account, recurse=False))


ROUTES = [
    Route(
        "getStatus",
        "GET",
        "/v1/status",
        get_status,
        "Operations",
        "The gateway, its accounts and its endpoints at a glance, problems first",
        "get_status_failed",
        schemas.GatewayStatus,
        query=(
            Query("q", description="only accounts whose id, name, provider or runtime status has this in it"),
            Query("problems", more={"enum": [*_FLAGS]}),
            limit_query(MOST),
            CURSOR,
        ),
        errors=(INVALID_REQUEST,),
        extension=True,
    ),
]
