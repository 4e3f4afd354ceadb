"""API keys: the secret is in one answer only."""

from collections.abc import Awaitable, Callable
from typing import Any

from supervisors import map_in_slices
from unifyport.gateway.api_keys import NewSecret
from unifyport.model.times import rfc3339
from unifyport.storage.contract import ApiKey

from .. import schemas
from ..http.errors import NOT_FOUND, refusal
from ..http.routing import Call, Route

_TAG = "API Keys"


def present_key(key: ApiKey) -> schemas.APIKey:
    return schemas.APIKey(
        id=key.id,
        name=key.name,
        key_prefix=key.prefix,
        status=key.status,  # type: ignore[arg-type]
        origin=key.origin,  # type: ignore[arg-type]
        created_at=rfc3339(key.created_at),
        last_used_at=None if key.last_used_at is None else rfc3339(key.last_used_at),
        expires_at=None if key.expires_at is None else rfc3339(key.expires_at),
    )


def present_secret(made: NewSecret) -> schemas.APIKeyCreateResult:
    return schemas.APIKeyCreateResult(api_key=made.secret, key=present_key(made.key))


async def list_keys(call: Call) -> list[schemas.APIKey]:
    return await map_in_slices(present_key, await call.gateway.api_keys.list_keys())


async def create_key(call: Call) -> schemas.APIKeyCreateResult:
    body = call.body
    return present_secret(await call.gateway.api_keys.create_key(body.name, body.prefix, body.expires_at))


async def rotate_key(call: Call) -> schemas.APIKeyCreateResult:
    keys, body = call.gateway.api_keys, call.body
    made = await keys.rotate_key(call.path["key_id"], body.name, body.prefix, body.expires_at)
    return present_secret(made)


async def update_status(call: Call) -> schemas.APIKey:
    keys, status = call.gateway.api_keys, call.body.status
    return present_key(await keys.change_status(call.path["key_id"], status, owner=call.owner))


async def delete_key(call: Call) -> None:
    await call.gateway.api_keys.delete_key(call.path["key_id"], owner=call.owner)


def _write(
    operation_id: str,
    method: Any,
    path: str,
    handler: Callable[[Call], Awaitable[Any]],
    summary: str,
    code: str,
    data: type,
    body: type,
    **more: Any,
) -> Route:
    errors = (refusal(code), *((NOT_FOUND,) if "{" in path else ()))
    return Route(operation_id, method, path, handler, _TAG, summary, code, data, body, errors=errors, **more)


ROUTES = [
    Route(
        "listApiKeys",
        "GET",
        "/v1/api-keys",
        list_keys,
        _TAG,
        "List all keys, without their secrets",
        "list_api_keys_failed",
        list[schemas.APIKey],
    ),
    _write(
        "createApiKey",
        "POST",
        "/v1/api-keys",
        create_key,
        "Create a key; its secret is in this answer only",
        "create_api_key_failed",
        schemas.APIKeyCreateResult,
        schemas.APIKeyCreateRequest,
        success=201,
    ),
    _write(
        "updateApiKeyStatus",
        "PATCH",
        "/v1/api-keys/{key_id}",
        update_status,
        "Activate or deactivate a key",
        "update_api_key_failed",
        schemas.APIKey,
        schemas.APIKeyStatusUpdateRequest,
    ),
    Route(
        "deleteApiKey",
        "DELETE",
        "/v1/api-keys/{key_id}",
        delete_key,
        _TAG,
        "Delete a key",
        "delete_api_key_failed",
        success=204,
        errors=(refusal("delete_api_key_failed"), NOT_FOUND),
        extension=True,
    ),
    _write(
        "rotateApiKey",
        "POST",
        "/v1/api-keys/{key_id}/rotate",
        rotate_key,
        "Give a key a new secret; the old one is dead at once",
        "rotate_api_key_failed",
        schemas.APIKeyCreateResult,
        schemas.APIKeyCreateRequest,
    ),
]
