"""API keys: the secret is shown once, a hash is kept, and a dead key is dead at once."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from unifyport.config.declared import hash_key, new_key
from unifyport.gateway.gateway import Gateway, WriteRefused
from unifyport.model.account import Origin
from unifyport.model.ids import new_id
from unifyport.model.texts import is_one_line
from unifyport.model.times import rfc3339
from unifyport.storage.contract import ApiKey, PutApiKey

from .. import schemas
from ..http.errors import NOT_FOUND, ApiError, ErrorSpec, not_found
from ..http.routing import Call, Route

DEFAULT_PREFIX = "dk_live"
ACTIVE, INACTIVE = "active", "inactive"
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,31}")
_MAX_NAME = 200

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
    )


async def list_keys(call: Call) -> list[schemas.APIKey]:
    return [present_key(key) for key in await call.gateway.store.api_keys()]


async def create_key(call: Call) -> schemas.APIKeyCreateResult:
    code = "create_api_key_failed"
    prefix = call.body.prefix or DEFAULT_PREFIX
    _check(call.body, prefix, code)
    record = ApiKey(
        new_id("ak"), call.body.name, prefix, b"", created_at=call.gateway.now_ms(), origin=Origin.API
    )
    return await _with_new_secret(call.gateway, record, code)


async def rotate_key(call: Call) -> schemas.APIKeyCreateResult:
    """The same key with another secret; the old one is dead at once."""
    code = "rotate_api_key_failed"
    async with call.gateway.changing_keys:
        record = await _own(call, code)
        prefix = call.body.prefix or record.prefix
        _check(call.body, prefix, code)
        record = attrs.evolve(record, name=call.body.name, prefix=prefix)
        return await _with_new_secret(call.gateway, record, code)


async def update_status(call: Call) -> schemas.APIKey:
    code = "update_api_key_failed"
    async with call.gateway.changing_keys:
        record = await _own(call, code)
        if call.body.status == INACTIVE and record.status == ACTIVE:
            others = [key for key in await call.gateway.store.api_keys() if key.id != record.id]
            if not any(key.status == ACTIVE for key in others):
                raise ApiError(400, code, "this is the last active key: nobody could undo that")
        record = attrs.evolve(record, status=call.body.status)
        await _put(call.gateway, record, code)
    return present_key(record)


async def _with_new_secret(gateway: Gateway, record: ApiKey, code: str) -> schemas.APIKeyCreateResult:
    key = new_key(record.prefix)
    record = attrs.evolve(record, hash=hash_key(key))
    await _put(gateway, record, code)
    return schemas.APIKeyCreateResult(api_key=key, key=present_key(record))


async def _put(gateway: Gateway, record: ApiKey, code: str) -> None:
    try:
        await gateway.write(PutApiKey(record))
    except WriteRefused as refused:
        raise ApiError(400, code, f"not written: {refused.reason}") from None


async def _own(call: Call, code: str) -> ApiKey:
    """The key in the path, if it may be changed here."""
    for key in await call.gateway.store.api_keys():
        if key.id == call.path["key_id"]:
            if key.origin == Origin.FILE:
                raise ApiError(400, code, "this key is declared in the configuration file")
            return key
    raise not_found("API key")


def _check(body: Any, prefix: str, code: str) -> None:
    problems = []
    if not 0 < len(body.name) <= _MAX_NAME or not is_one_line(body.name):
        problems.append(f"name: must be 1 to {_MAX_NAME} printable characters")
    if not _PREFIX.fullmatch(prefix):
        problems.append("prefix: must be 1 to 32 letters, digits and _")
    if problems:
        raise ApiError(400, code, "; ".join(problems), problems=problems)


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
    errors = (ErrorSpec(400, code), *((NOT_FOUND,) if "{" in path else ()))
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
