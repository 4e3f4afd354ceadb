"""A connector that can do one thing: everything else is refused from what it declares,
before anybody is asked.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.harness import Client, gateway, settings_of
from unifyport.api.app import ROUTES
from unifyport.model.account import Identity
from unifyport.model.message import OutboundText
from unifyport.providers.contract.base import (
    Channel,
    ConnectionSpec,
    ConnectorContext,
    Credential,
    Inbound,
    Link,
)
from unifyport.providers.contract.capabilities import CAPABILITIES, SendsText, Sent
from unifyport.providers.contract.errors import Rejected, Transient
from unifyport.providers.registry import Registry

NAME = "tiktok"


# What a nursery in a connector may let out, by the text that is sent.
ERRORS: dict[str, BaseException] = {
    "a network that is away": BaseExceptionGroup("", [Transient("read_error", maybe_applied=True)]),
    "nothing left": BaseExceptionGroup("", [BaseExceptionGroup("", [Transient("connect_error")])]),
    "several": BaseExceptionGroup("", [Transient("connect_error"), Transient("timeout", maybe_applied=True)]),
    "refused": BaseExceptionGroup("", [Rejected("no", "the platform says no")]),
    "a bug": BaseExceptionGroup("", [Transient("connect_error"), ZeroDivisionError()]),
}
OUTCOMES = {
    "a network that is away": (500, "unknown"),
    "nothing left": (409, "not_sent"),
    "several": (500, "unknown"),
    "refused": (500, "rejected"),
    "a bug": (500, "unknown"),
}


class Endpoints:
    """It is nowhere."""


class TextConnector(SendsText):
    """Sends texts, and nothing else."""

    def __init__(self, context: ConnectorContext) -> None:
        self._number = 0

    async def login(self) -> Identity:
        await trio.lowlevel.checkpoint()
        return Identity("me")

    async def receive(self, link: Link) -> None:
        await trio.sleep_forever()

    async def send_text(self, message: OutboundText) -> Sent:
        await trio.lowlevel.checkpoint()
        if message.text in ERRORS:
            raise ERRORS[message.text]
        self._number += 1
        return Sent(f"message-{self._number}")

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


CHANNEL = Channel(
    NAME,
    Endpoints,
    (ConnectionSpec("token", lambda: TextConnector, (Credential("token"),), Inbound.VOLATILE),),
)


@pytest.fixture
async def texts(tmp_path: Path) -> AsyncIterator[tuple[Client, str]]:
    """The API, and an account of the channel."""
    declared = f'[[accounts]]\nname = "a"\nprovider = "{NAME}"\ncredentials = {{ token = "secret-token" }}\n'
    settings = settings_of(tmp_path, declared, registry=Registry([CHANNEL]))
    async with contextlib.AsyncExitStack() as stack:
        api = await stack.enter_async_context(gateway(settings, [CHANNEL]))
        [account] = await api.until(lambda all_: all_[0]["runtime_status"] == "running", "/v1/accounts")
        yield api, account["id"]


async def test_types_that_it_cannot_send(texts: tuple[Client, str]) -> None:
    api, account = texts
    contact: dict[str, Any] = {"type": "contact", "contacts": [{"name": "Mei"}]}
    files = [
        {"type": kind, "url": "https://files.example/a"}
        for kind in ("image", "video", "audio", "document", "file")
    ]
    send = {"account_id": account, "to": {"id": "1", "type": "user"}}
    for message in (contact, *files):
        response = await api("POST", "/v1/messages", {**send, "message": message})
        assert (response.status_code, response.json()["error"]["code"]) == (400, "unsupported_message_type")
    text = {**send, "message": {"type": "text", "text": "x"}}
    assert (await api.data("POST", "/v1/messages", text))["message_id"] == "message-1"
    reply = await api("POST", "/v1/messages", {**text, "reply_to": {"reply_token": "x"}})
    assert (reply.status_code, reply.json()["error"]["code"]) == (501, "unsupported_by_provider")


@pytest.mark.parametrize("text", ERRORS)
async def test_errors_out_of_a_nursery_are_what_they_hold(texts: tuple[Client, str], text: str) -> None:
    api, account = texts
    send = {
        "account_id": account,
        "to": {"id": "1", "type": "user"},
        "message": {"type": "text", "text": text},
    }
    response = await api("POST", "/v1/messages", send)
    assert (response.status_code, response.json()["error"]["outcome"]) == OUTCOMES[text]
    assert (await api.data("GET", f"/v1/accounts/{account}"))["runtime_status"] == "running"


BODIES: dict[str, dict[str, Any]] = {
    "setConversationLabelMembers": {"label_id": "1", "action": "add", "conversation_ids": ["1"]},
    "upsertConversationLabel": {"name": "1"},
    "deleteConversationLabel": {"label_id": "1"},
    "setContactNote": {"contact_id": "1", "note": ""},
    "blockContact": {"contact_id": "1"},
    "unblockContact": {"contact_id": "1"},
    "createGroup": {"name": "1"},
    "updateGroupMembers": {"group_id": "1", "action": "add", "member_id": "1"},
    "updateGroupInfo": {"group_id": "1", "name": "1"},
    "updateGroupJoinRequests": {"group_id": "1", "action": "approve", "member_ids": ["1"]},
    "setGroupJoinApprovalMode": {"group_id": "1", "enabled": True},
    "leaveGroup": {"group_id": "1"},
    "pinMessage": {"conversation_id": "1", "message_id": "1", "pinned": True},
    "editMessage": {"conversation_id": "1", "message_id": "1", "content": "1"},
    "revokeMessage": {"conversation_id": "1", "message_id": "1"},
    "reactMessage": {"conversation_id": "1", "message_id": "1"},
}
DERIVED = [route for route in ROUTES if any(error.status == 501 for error in route.declared)]


@pytest.mark.parametrize(
    "route", [route for route in DERIVED if route.operation_id != "sendMessage"], ids=lambda r: r.operation_id
)
async def test_what_it_does_not_declare_is_501(texts: tuple[Client, str], route: Any) -> None:
    api, account = texts
    query = "?conversation_id=1&contact_id=1&group_id=1" if route.method == "GET" else ""
    body = None
    if route.method == "POST":
        body = {"account_id": account, **BODIES.get(route.operation_id, {"conversation_id": "1"})}
    response = await api(route.method, route.path.format(account_id=account) + query, body)
    assert (response.status_code, response.json()["error"]["code"]) == (501, "unsupported_by_provider")


async def test_what_it_declares_is_what_is_shown(texts: tuple[Client, str]) -> None:
    api, _ = texts
    [channel] = await api.data("GET", "/v1/capabilities")
    [connection] = channel["connections"]
    assert connection["capabilities"] == ["send_text"]
    assert connection["message_types"] == ["text"]
    assert connection["inbound"] == "volatile"


def test_a_connector_that_can_do_everything_declares_all_of_it() -> None:
    from tests.reference.device import reference

    channel = reference()
    for connection in channel.connections:
        assert Registry([channel]).capabilities(connection) == list(CAPABILITIES)
