"""The supervision tree, as an operator reads it: who supervises whom, and how they are."""

import trio

from supervisors import Node
from unifyport.gateway.gateway import Gateway

from .. import schemas
from ..http.routing import Call, Route


def _show(gateway: Gateway, node: Node) -> schemas.SupervisedChild:
    return schemas.SupervisedChild(
        id=node.id,
        phase=node.phase,
        since=gateway.wall_time(node.since),
        incarnations=node.incarnations,
        strategy=node.strategy,
        counts=node.counts if node.strategy is not None else None,
        children=[_show(gateway, child) for child in node.children] if node.strategy is not None else None,
    )


async def list_supervisors(call: Call) -> list[schemas.SupervisedChild]:
    await trio.lowlevel.checkpoint()
    return [_show(call.gateway, node) for node in call.gateway.supervision_tree()]


ROUTES = [
    Route(
        "listSupervisors",
        "GET",
        "/v1/supervisors",
        list_supervisors,
        "Supervision",
        "Read the supervision tree; crowds of more than 100 are counted, not listed",
        "list_supervisors_failed",
        list[schemas.SupervisedChild],
        extension=True,
    )
]
