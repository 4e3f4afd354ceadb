"""The official SDK against a running gateway: every operation that is built, sync or async.

argv: a JSON object with base_url, api_key, ca_file (or null), mode, shop (an account that may send), customer,
token (of a bot to be made), hook. One JSON line per call on stdout: what came back, judged by pydantic against
the types that the SDK's own models declare; `additions` are fields that they do not know.
"""

import asyncio
import inspect
import json
import ssl
import sys
import time
from typing import Any

import httpx
from pydantic import TypeAdapter, ValidationError
from unifyport._generated import OPERATIONS, models
from unifyport.errors import UnifyPortApiError

from unifyport import AsyncUnifyPortDeviceClient, UnifyPortDeviceClient

given = json.loads(sys.argv[1])
# The models' alias of any JSON value is recursive, which pydantic cannot take; everything else is judged as declared.
models.JsonValue, models.FreeFormObject = Any, dict[str, Any]


def new_client():
    asynchronous = given["mode"] == "async"
    transport = None
    if given["ca_file"]:
        context = ssl.create_default_context(cafile=given["ca_file"])
        kind = httpx.AsyncHTTPTransport if asynchronous else httpx.HTTPTransport
        transport = kind(verify=context)
    client = AsyncUnifyPortDeviceClient if asynchronous else UnifyPortDeviceClient
    return client(
        base_url=given["base_url"],
        api_key=given["api_key"],
        allow_insecure_http=given["base_url"].startswith("http://"),
        transport=transport,
    )


client = new_client()


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
    schema = OPERATIONS[operation].response_schema
    try:
        model = TypeAdapter(getattr(models, schema))
        model.rebuild(force=True, _types_namespace=vars(models))
        known = model.validate_python(envelope, strict=True)
    except ValidationError as error:
        return [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()], []
    return [], additions(envelope.get("data"), known.get("data")) if envelope else []


async def call(operation, **arguments):
    """One operation; its data, or None where it failed."""
    line = {"operation": operation}
    data = None
    try:
        result = getattr(client, OPERATIONS[operation].python_method)(**arguments)
        if inspect.isawaitable(result):
            result = await result
        line["status"] = result.status
        line["request_id"] = bool(result.request_id)
        if OPERATIONS[operation].response_schema != "None" and result.status != 204:
            line["problems"], line["additions"] = judge(operation, result.data)
            data = result.data["data"]
    except UnifyPortApiError as error:
        line |= {"status": error.status, "code": error.code, "request_id": bool(error.request_id)}
    print(json.dumps(line), flush=True)
    return data


async def until(field, value, operation, **arguments):
    """Poll quietly until the account is where it shall be."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        result = getattr(client, OPERATIONS[operation].python_method)(**arguments)
        result = await result if inspect.isawaitable(result) else result
        if result.data["data"].get(field) == value:
            return
        await asyncio.sleep(0.02)
    raise SystemExit(f"{operation}: {field} never became {value}")


async def main():
    workspace = await call("getWorkspace", x_request_id="order-42")
    await call(
        "updateWorkspace", body={"name": workspace["name"], "status": "active", "metadata": {"a": "b"}}
    )
    made = await call("createApiKey", body={"name": "sdk"})
    await call("listApiKeys")
    key = made["key"]["id"]
    await call("rotateApiKey", key_id=key, body={"name": "sdk 2"})
    await call("updateApiKeyStatus", key_id=key, body={"status": "inactive"})
    await call("listProviderRegions", provider="whatsapp")
    await call("listProviderRegions", provider="signal")

    request = {
        "provider": "telegram",
        "region": "global",
        "auth_mode": "token",
        "name": "made by the SDK",
        "metadata": {"nested": {"a": [1, None]}},
        "provider_data": {"token": given["token"]},
    }
    account = (await call("createAccount", body=request))["id"]
    await call("createAccount", body=request)
    await until("status", "authorized", "getAccountAuthState", account_id=account)
    await call("getAccount", account_id=account)
    await call("listAccounts")
    await call(
        "updateAccount", account_id=account, body={"provider": "telegram", "region": "global", "name": "b"}
    )
    for operation in ("startAccountAuth", "startAccountQrAuth", "checkAccountQrAuth"):
        await call(operation, account_id=account, body={})
    await call("submitAccountAuthCode", account_id=account, body={"code": "123456"})
    await call("submitAccountAuthPassword", account_id=account, body={"password": "x"})
    await call("importAccountAuthSession", account_id=account, body={"session_url": "https://x.example/s"})
    for operation in (
        "refreshAccountRuntime",
        "stopAccountRuntime",
        "startAccountRuntime",
        "reconnectAccountRuntime",
    ):
        await call(operation, account_id=account)
    await until("runtime_status", "running", "getAccount", account_id=account)
    await call("cancelAccountAuth", account_id=account, body={})
    await call("startAccountAuth", account_id=account, body={})
    await until("status", "authorized", "getAccountAuthState", account_id=account)
    await call("getAccountAuthState", account_id=account)

    sent = {"account_id": given["shop"], "to": {"id": given["customer"], "type": "user"}}
    await call("sendMessage", body={**sent, "message": {"type": "text", "text": "from the SDK"}})
    await call("sendMessage", body={**sent, "message": {"type": "text"}})
    await call("markConversationRead", account_id=given["shop"], body={"conversation_id": given["customer"]})
    await call("markConversationRead", account_id=account, body={"conversation_id": given["customer"]})

    hook = {"url": given["hook"], "status": "active", "subscribed_events": ["message.received"]}
    endpoint = (
        await call(
            "createWebhookEndpoint", body={**hook, "signing_secret": "s", "retry_policy": {"max_attempts": 0}}
        )
    )["id"]
    await call("createWebhookEndpoint", body={**hook, "subscribed_events": ["nonsense"]})
    await call("listWebhookEndpoints")
    await call("getWebhookEndpoint", endpoint_id=endpoint)
    await call("updateWebhookEndpoint", endpoint_id=endpoint, body={**hook, "subscribed_events": ["*"]})
    await call("deactivateWebhookEndpoint", endpoint_id=endpoint)
    await call("deleteWebhookEndpoint", endpoint_id=endpoint)
    await call("getWebhookEndpoint", endpoint_id=endpoint)
    await call("deleteAccount", account_id=account)
    await call("getAccount", account_id=account)
    print(json.dumps({"end": True}), flush=True)


asyncio.run(main())
