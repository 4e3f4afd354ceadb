"""Workspace: the one that the API key belongs to."""

from unifyport.gateway.workspace import WorkspaceView

from .. import schemas
from ..http.errors import refusal
from ..http.routing import Call, Route

_UPDATE_FAILED = "update_workspace_failed"


def present_workspace(view: WorkspaceView) -> schemas.Workspace:
    return schemas.Workspace(
        name=view.workspace.name,
        status=view.workspace.status,
        account_quota=view.account_quota,
        account_quota_unlimited=view.account_quota == 0,
        metadata=view.workspace.metadata,
    )


async def get_workspace(call: Call) -> schemas.Workspace:
    return present_workspace(await call.gateway.workspace.read_workspace())


async def update_workspace(call: Call) -> schemas.Workspace:
    workspace, body = call.gateway.workspace, call.body
    return present_workspace(await workspace.update_workspace(body.name, body.status, body.metadata))


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
        errors=(refusal(_UPDATE_FAILED),),
    ),
]
