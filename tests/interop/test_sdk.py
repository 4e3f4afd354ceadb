"""The official SDK calls every operation, sync and async, in the clear and over TLS;
and every error that is declared.
"""

import contextlib
import json
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest

from tests.api.test_front import TLS, certificate
from tests.harness import (
    CUSTOMER,
    KEY,
    Client,
    Platform,
    account,
    endpoint,
    free_port,
    gateway,
    receiver,
    sandbox,
    settings_of,
    whatsapp,
)
from tests.reference.platform import PHONE, SECRETIVE, TOKEN
from tests.reference.serving import REGISTRY, Running, declared, reference_platform
from tests.reference.texts import texts
from unifyport.api.app import ROUTES
from unifyport.config.settings import Settings
from unifyport.model.account import Account
from unifyport.providers.registry import Registry
from unifyport.storage.contract import PutAccount
from unifyport.storage.sqlite.store import SqliteStore

from . import conformance, peers
from .orders import orders

pytestmark = pytest.mark.interop

BUILT = {route.operation_id for route in ROUTES if not route.extension}
TEXTS = "twitter"  # the channel of an account that can send texts and nothing else
CHANNELS = Registry([*REGISTRY.channels.values(), texts(TEXTS)])
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
    ("markConversationRead", 404, "conversation_not_found"),
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
    "data.take_over",
    "data[].take_over",
    "data.media_fetch",
    "data[].media_fetch",
    "data.regions[].auth_modes",
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


@attrs.define
class World:
    """A gateway with everything that the runs of the SDK want to meet, and what they are given of it."""

    api: Client
    given: dict[str, Any]

    async def lines(self, script: str, **more: Any) -> list[dict[str, Any]]:
        """The run of a script of `python/`, call by call."""
        path = str(Path(__file__).parent / "python" / script)
        found = []
        async with peers.Peer(str(peers.python()), path, json.dumps({**self.given, **more})) as sdk:
            while "end" not in (line := await sdk.line(60)):
                found.append(line)
        return found


@contextlib.asynccontextmanager
async def a_world(directory: Path, mode: str, *, tls: bool) -> AsyncIterator[World]:
    cert = certificate(directory)
    async with sandbox(REGISTRY) as platform, receiver() as inbox, reference_platform() as everything:
        port = free_port()
        public_url = f'public_url = "{"https" if tls else "http"}://127.0.0.1:{port}"'
        settings = settings_of(
            directory,
            whatsapp()
            + account()
            + endpoint(inbox.url)
            + platform.sandbox.config()
            + declared(everything)
            + _texts(everything),
            registry=CHANNELS,
            port=port,
            server=f"{public_url}\n{TLS if tls else ''}",
            security='media_allow = ["127.0.0.1/32"]\nca_file = "cert.pem"\n',
        )
        await _orphan(settings)
        taking = orders(everything.platform, settings.database, cert, directory / "key.pem")
        async with taking as taken, gateway(settings, [*CHANNELS.channels.values()]) as api:
            given = {
                "base_url": str(api.http.base_url).rstrip("/"),
                "api_key": KEY,
                "ca_file": str(cert) if tls else None,
                "mode": mode,
                "shop": await _shop(api, platform, cert if tls else None),
                "customer": CUSTOMER,
                "token": "7777:made-by-the-sdk",
                "hook": inbox.url,
                "everything": await _account(api, "everything"),
                "file": everything.url_of(b"a picture"),
                "phone": PHONE,
                "secretive": SECRETIVE,
                "orders": taken.url,
            }
            yield World(api, given)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "TLS"])
@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_every_operation_succeeds(tmp_path: Path, mode: str, tls: bool) -> None:
    async with a_world(tmp_path, mode, tls=tls) as world:
        lines = await world.lines("sdk_run.py")
    assert {line["operation"] for line in lines} == BUILT
    assert not [line for line in lines if line.get("problems")]
    assert all(line["request_id"] for line in lines)
    refused = [(line["operation"], line["status"], line["code"]) for line in lines if "code" in line]
    assert refused == REFUSED
    assert {line["operation"] for line in lines if "code" not in line} == BUILT
    assert {field for line in lines for field in line.get("additions", [])} <= ADDED
    pages = {line["operation"]: (line["pages"], line["items"]) for line in lines if "pages" in line}
    assert pages == {operation: (-(-items // 2), items) for operation, items in PAGED.items()}


@pytest.mark.parametrize("mode", ["sync", "async"])
async def test_every_declared_error_is_produced(tmp_path: Path, mode: str) -> None:
    """Or it is said why it cannot be; what comes out is docs/conformance.md."""
    async with a_world(tmp_path, mode, tls=False) as world:
        succeeded = await world.lines("sdk_run.py")
        failed = await world.lines("sdk_errors.py", **await _for_errors(world))
    assert all(line["request_id"] for line in failed)
    produced = {(line["operation"], line["status"]) for line in failed if line["status"] == line["wanted"]}
    assert sorted(set(conformance.DECLARED) - produced - set(conformance.REASONS)) == []
    assert sorted(set(conformance.REASONS) & produced) == []  # what can occur needs no excuse
    page = conformance.page(succeeded, failed)
    place = Path(__file__).parents[2] / "docs" / "conformance.md"
    if os.environ.get("UPDATE_DOCS") == "1":
        place.write_text(page)
    assert place.read_text() == page, (
        "docs/conformance.md is not what this run says: scripts/conformance writes it"
    )


async def _for_errors(world: World) -> dict[str, Any]:
    """Accounts in every state that an error needs."""
    api, order = world.api, httpx.AsyncClient(base_url=world.given["orders"], trust_env=False)

    async def made(**body: Any) -> str:
        account = await api.data("POST", "/v1/accounts", {"provider": "line", "region": "global", **body})
        return str(account["id"])

    async def by_session(phone: str) -> str:
        account = await made(auth_mode="session")
        url = (await order.post("/export", json={"phone": phone})).json()["url"]
        await api.data("POST", f"/v1/accounts/{account}/auth/session", {"session_url": url})
        await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account}")
        return account

    stopped = await made(auth_mode="qrcode")
    shown = await api.data("POST", f"/v1/accounts/{stopped}/auth/qr/start")
    await order.post("/scan", json={"qr": shown["auth_payload"]["qr_code"], "phone": "+6590000003"})
    await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{stopped}")
    await api.data("POST", f"/v1/accounts/{stopped}/runtime/stop")
    code = await made(auth_mode="code", provider_data={"phone": "+6590000004"})
    await api.data("POST", f"/v1/accounts/{code}/auth/start")
    await api.data("POST", f"/v1/accounts/{code}/auth/code", {"code": "12345"})
    [declared_key] = [k["id"] for k in await api.data("GET", "/v1/api-keys") if k["origin"] == "file"]
    [declared_endpoint] = [e["id"] for e in await api.data("GET", "/v1/webhook-endpoints")]
    accounts = {each["name"]: each["id"] for each in await api.data("GET", "/v1/accounts")}
    return {
        "stopped": stopped,
        "qr": stopped,
        "code": code,
        "phone": "+6590000004",
        "session": await by_session(PHONE),
        "fresh": await made(auth_mode="qrcode"),
        "texts": await _account(api, "texts"),
        "orphan": accounts["orphan"],
        "declared": world.given["everything"],
        "declared_key": declared_key,
        "endpoint": declared_endpoint,
    }


def _texts(running: Running) -> str:
    return (
        f'\n[[accounts]]\nname = "texts"\nprovider = "{TEXTS}"\ncredentials = {{ token = "{TOKEN}" }}\n'
        f'[providers.{TEXTS}]\napi_url = "{running.url}"\n'
    )


async def _orphan(settings: Settings) -> None:
    """An account whose connection this gateway does not have, as after a return to an older version."""
    store = SqliteStore(settings.database, settings.key_ring, lambda: 0)
    store.open()
    account = Account("acct_orphan", "orphan", "tiktok", "tiktok", "global", "qrcode")
    await store.commit([PutAccount(account)])
    store.close()


async def _shop(api: Client, platform: Platform, cert: Path | None) -> str:
    """The id of the WhatsApp account, with a customer who wrote first."""
    if cert is not None:
        context = ssl.create_default_context(cafile=cert)
        api.http = httpx.AsyncClient(
            base_url=api.http.base_url, headers=api.http.headers, verify=context, trust_env=False
        )
    shop = await api.data("GET", f"/v1/accounts/{await _account(api, 'shop')}")
    await platform.connect(shop["ingress_url"])
    await platform.whatsapp("messages", {"from": CUSTOMER, "text": "hello"})
    await api.until(lambda page: len(page["items"]) == 1, "/v1/events?type=message.received")
    return str(shop["id"])


async def _account(api: Client, name: str) -> str:
    """The id of a declared account, once it is online."""
    [found] = [each for each in await api.data("GET", "/v1/accounts") if each["name"] == name]
    await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{found['id']}")
    return str(found["id"])
