"""Workspace: who the API key belongs to."""

from unifyport.gateway.gateway import Gateway
from unifyport.model.texts import is_one_line
from unifyport.storage.contract import PutWorkspace, Workspace

from .. import schemas
from ..http.errors import ApiError, ErrorSpec
from ..http.routing import Call, Route

_MAX_TEXT = 200
_UPDATE_FAILED = "update_workspace_failed"


def present_workspace(gateway: Gateway, workspace: Workspace) -> schemas.Workspace:
    quota = gateway.settings.workspace.account_quota
    return schemas.Workspace(
        name=workspace.name,
        status=workspace.status,
        account_quota=quota,
        account_quota_unlimited=quota == 0,
        metadata=workspace.metadata,
    )


async def get_workspace(call: Call) -> schemas.Workspace:
    return present_workspace(call.gateway, await call.gateway.store.workspace())


async def update_workspace(call: Call) -> schemas.Workspace:
    """Name and status are replaced, metadata only where it is given.

    A name from the file stays the file's.
    """
    gateway, body = call.gateway, call.body
    problems = [
        f"{name}: must be 1 to {_MAX_TEXT} printable characters"
        for name in ("name", "status")
        if not 0 < len(getattr(body, name)) <= _MAX_TEXT or not is_one_line(getattr(body, name))
    ]
    declared = gateway.settings.workspace.name
    if declared is not None and body.name != declared:
        problems.append("name: is declared in the configuration file")
    if problems:
        raise ApiError(400, _UPDATE_FAILED, "; ".join(problems), problems=problems)
    known = await gateway.store.workspace()
    metadata = known.metadata if body.metadata is None else body.metadata
    await gateway.write(PutWorkspace(body.name, body.status, metadata))
    return present_workspace(gateway, Workspace(body.name, body.status, metadata))


ROUTES = [
    Route(
        "getWorkspace",
        "GET",
        "/v1/workspace",
        get_workspace,
        "Workspace",
        "Read the workspace that the API key belongs to",
        "get_workspace_failed",
        schemas.Workspace,
    ),
    Route(
        "updateWorkspace",
        "PATCH",
        "/v1/workspace",
        update_workspace,
        "Workspace",
        "Change the workspace's name, status or metadata",
        _UPDATE_FAILED,
        schemas.Workspace,
        schemas.WorkspaceUpdateRequest,
        errors=(ErrorSpec(400, _UPDATE_FAILED),),
    ),
]
