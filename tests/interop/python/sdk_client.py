"""The official SDK, sync or async, as the runs of this directory use it:
each call is one JSON line on stdout.
"""

import inspect
import json
import ssl
from typing import Any

import httpx
from pydantic import TypeAdapter, ValidationError
from unifyport._generated import OPERATIONS, models
from unifyport.errors import UnifyPortApiError

from unifyport import AsyncUnifyPortDeviceClient, UnifyPortDeviceClient

# The models' alias of any JSON value is recursive, which pydantic cannot take; everything else is judged as
# declared.
models.JsonValue, models.FreeFormObject = Any, dict[str, Any]


def new_client(given, api_key=None):
    asynchronous = given["mode"] == "async"
    transport = None
    if given["ca_file"]:
        context = ssl.create_default_context(cafile=given["ca_file"])
        kind = httpx.AsyncHTTPTransport if asynchronous else httpx.HTTPTransport
        transport = kind(verify=context)
    client = AsyncUnifyPortDeviceClient if asynchronous else UnifyPortDeviceClient
    return client(
        base_url=given["base_url"],
        api_key=api_key or given["api_key"],
        allow_insecure_http=given["base_url"].startswith("http://"),
        transport=transport,
    )


def additions(value, known, path="data"):
    """Fields of the answer that the model dropped."""
    if isinstance(value, dict) and isinstance(known, dict):
        return [
            found
            for name, item in value.items()
            for found in (
                [f"{path}.{name}"] if name not in known else additions(item, known[name], f"{path}.{name}")
            )
        ]
    if isinstance(value, list) and isinstance(known, list):
        return [
            f for item, other in zip(value, known, strict=False) for f in additions(item, other, f"{path}[]")
        ]
    return []


def judge(operation, envelope):
    """What is wrong with an answer by the types of the SDK's own models, and what they do not know of it."""
    schema = OPERATIONS[operation].response_schema
    try:
        model = TypeAdapter(getattr(models, schema))
        model.rebuild(force=True, _types_namespace=vars(models))
        known = model.validate_python(envelope, strict=True)
    except ValidationError as error:
        return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()], []
    return [], additions(envelope.get("data"), known.get("data")) if envelope else []


async def invoke(client, operation, **arguments):
    result = getattr(client, OPERATIONS[operation].python_method)(**arguments)
    return await result if inspect.isawaitable(result) else result


async def call(client, operation, **arguments):
    """One operation; its data, or None where it failed."""
    line = {"operation": operation}
    data = None
    try:
        result = await invoke(client, operation, **arguments)
        line["status"] = result.status
        line["request_id"] = bool(result.request_id)
        if OPERATIONS[operation].response_schema != "None" and result.status != 204:
            line["problems"], line["additions"] = judge(operation, result.data)
            data = result.data["data"]
    except UnifyPortApiError as error:
        line |= {"status": error.status, "code": error.code, "request_id": bool(error.request_id)}
    print(json.dumps(line), flush=True)
    return data


def order(given, what, **more):
    """Have the test do something that only the platform, its users or the disk can do."""
    response = httpx.post(f"{given['orders']}/{what}", json=more, trust_env=False, timeout=30)
    response.raise_for_status()
    return response.json()
