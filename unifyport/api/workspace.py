"""Workspace: who the API key belongs to."""

from . import schemas
from .routing import Call, Route


async def get_workspace(call: Call) -> schemas.Workspace:
    workspace = await call.gateway.store.workspace()
    quota = call.gateway.settings.workspace.account_quota
    return schemas.Workspace(
        name=workspace.name,
        status=workspace.status,
        account_quota=quota,
        account_quota_unlimited=quota == 0,
        metadata=workspace.metadata,
    )


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
    )
]
