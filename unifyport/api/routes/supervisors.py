"""The supervision tree, as an operator reads it: each supervisor, its children, and their phases."""

import trio

from supervisors import Node
from unifyport.gateway.runtime import SupervisionTree

from .. import schemas
from ..http.routing import Call, Route


def _present(supervision: SupervisionTree, node: Node) -> schemas.SupervisedChild:
    children = [_present(supervision, child) for child in node.children]
    return schemas.SupervisedChild(
        id=node.id,
        phase=node.phase,
        since=supervision.wall_time(node.since),
        incarnations=node.incarnations,
        strategy=node.strategy,
        counts=node.counts if node.strategy is not None else None,
        children=children if node.strategy is not None else None,
    )


async def list_supervisors(call: Call) -> list[schemas.SupervisedChild]:
    await trio.lowlevel.checkpoint()
    supervision = call.gateway.supervision
    return [_present(supervision, node) for node in supervision.read_tree()]


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
