"""The official SDK calls every operation that is built, sync and async, in the clear and over TLS."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_front import TLS, certificate
from tests.harness import (
    CUSTOMER,
    KEY,
    Receiver,
    free_port,
    gateway,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
)
from tests.reference.serving import REGISTRY, declared, reference_platform
from unifyport.api.app import ROUTES

from . import peers

pytestmark = pytest.mark.interop

BUILT = {route.operation_id for route in ROUTES if not route.extension}
# What is refused on purpose in the run: (operation, status, code), in the order of the calls.
REFUSED = [
    ("listProviderRegions", 400, "invalid_provider"),
    ("createAccount", 409, "duplicate_provider_account"),
    ("startAccountAuth", 409, "account_already_authorized"),
    ("startAccountQrAuth", 400, "unsupported_provider_auth_mode"),
    ("checkAccountQrAuth", 400, "unsupported_provider_auth_mode"),
    ("submitAccountAuthCode", 400, "unsupported_provider_auth_mode"),
    ("submitAccountAuthPassword", 400, "unsupported_provider_auth_mode"),
    ("importAccountAuthSession", 400, "unsupported_provider_auth_mode"),
    ("sendMessage", 400, "invalid_request"),
    ("markConversationRead", 501, "unsupported_by_provider"),
    ("listConversations", 400, "invalid_conversation_type"),
    ("getConversation", 404, "conversation_not_found"),
    ("markConversationRead", 400, "invalid_request"),
    ("muteConversation", 400, "invalid_request"),
    ("markConversationUnread", 404, "conversation_not_found"),
    ("unmuteConversation", 404, "conversation_not_found"),
    ("pinConversation", 404, "conversation_not_found"),
    ("unpinConversation", 404, "conversation_not_found"),
    ("getContact", 404, "contact_not_found"),
    ("getGroup", 404, "group_not_found"),
    ("updateGroupInfo", 400, "invalid_request"),
    ("revokeMessage", 500, "revoke_message_failed"),
    ("createWebhookEndpoint", 400, "create_webhook_endpoint_failed"),
    ("getWebhookEndpoint", 404, "not_found"),
    ("getAccount", 404, "not_found"),
]
# Fields that we add to the contract's.
ADDED = {
    "data.command_id",
    "data.origin",
    "data.receive",
    "data.ingress_url",
    *(f"{key}.{name}" for key in ("data", "data.key", "data[]") for name in ("created_at", "last_used_at")),
    "data.key.origin",
    "data[].origin",
    "data[].receive",
    "data[].ingress_url",
    "data[].name",
    *(f"data{many}.{name}" for many in ("", "[]") for name in ("delivery", "expired")),
    *("data.runtime", "data.failing_since"),
}
PAGED = {
    "listConversations": 5,
    "listConversationMembers": 5,
    "listContacts": 5,
    "listGroups": 3,
}  # their items


@pytest.mark.parametrize("tls", [False, True], ids=["http", "TLS"])
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_the_official_sdk(tmp_path: Path, mode: str, tls: bool) -> None:
    cert = certificate(tmp_path) if tls else None
    async with sandbox() as platform, receiver() as inbox, reference_platform() as everything:
        port = free_port()
        public_url = f'public_url = "{"https" if tls else "http"}://127.0.0.1:{port}"'
        settings = settings_of(
            tmp_path,
            whatsapp() + platform.sandbox.config() + declared(everything),
            registry=REGISTRY,
            port=port,
            server=f"{public_url}\n{TLS if tls else ''}",
        )
        async with gateway(settings, [*REGISTRY.channels.values()]) as api:
            shop = await _shop(api, platform, inbox, cert)
            can_do_everything = await _account(api, "everything")
            lines = []
            given = {
                "base_url": str(api.http.base_url).rstrip("/"),
                "api_key": KEY,
                "ca_file": None if cert is None else str(cert),
                "mode": mode,
                "shop": shop,
                "customer": CUSTOMER,
                "token": "7777:made-by-the-sdk",
                "hook": inbox.url,
                "everything": can_do_everything,
            }
            script = str(Path(__file__).parent / "python" / "sdk_run.py")
            async with peers.Peer(str(peers.python()), script, json.dumps(given)) as sdk:
                while "end" not in (line := await sdk.line()):
                    lines.append(line)
    assert {line["operation"] for line in lines} == BUILT
    assert not [line for line in lines if line.get("problems")]
    assert all(line["request_id"] for line in lines)
    refused = [(line["operation"], line["status"], line["code"]) for line in lines if "code" in line]
    assert refused == REFUSED
    succeeded = {line["operation"] for line in lines if "code" not in line}
    never = {operation for operation, _, _ in REFUSED} - succeeded
    assert BUILT - succeeded == never  # the five steps that a token account has not
    assert len(never) == 5
    assert {field for line in lines for field in line.get("additions", [])} <= ADDED
    pages = {line["operation"]: (line["pages"], line["items"]) for line in lines if "pages" in line}
    assert pages == {operation: (-(-items // 2), items) for operation, items in PAGED.items()}


async def _shop(api: Any, platform: Any, inbox: Receiver, cert: Path | None) -> str:
    """The id of the WhatsApp account, with a customer who wrote first."""
    if cert is not None:
        import ssl

        import httpx

        context = ssl.create_default_context(cafile=cert)
        api.http = httpx.AsyncClient(
            base_url=api.http.base_url, headers=api.http.headers, verify=context, trust_env=False
        )
    shop = await api.data("GET", f"/v1/accounts/{await _account(api, 'shop')}")
    await platform.connect(shop["ingress_url"])
    await platform.whatsapp("messages", {"from": CUSTOMER, "text": "hello"})
    await api.until(lambda page: len(page["items"]) == 1, "/v1/events?type=message.received")
    return str(shop["id"])


async def _account(api: Any, name: str) -> str:
    """The id of a declared account, once it is online."""
    [found] = [each for each in await api.data("GET", "/v1/accounts") if each["name"] == name]
    await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{found['id']}")
    return str(found["id"])
