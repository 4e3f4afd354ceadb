"""Two connections of a channel that have one auth mode: the credentials say which one an account has."""

from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.harness import gateway, settings_of
from unifyport.model.account import Identity
from unifyport.model.structuring import Problems
from unifyport.providers.contract.base import (
    Channel,
    ConnectionSpec,
    ConnectorContext,
    Credential,
    Inbound,
    Link,
)
from unifyport.providers.registry import Registry


class ByToken:
    def __init__(self, context: ConnectorContext) -> None:
        self._name = f"bot {context.credentials['bot_token']}"

    async def login(self) -> Identity:
        return Identity(self._name)

    async def receive(self, link: Link) -> None:
        await trio.sleep_forever()

    async def aclose(self) -> None:
        pass


class ByApp(ByToken):
    def __init__(self, context: ConnectorContext) -> None:
        self._name = f"page {context.credentials['app_id']}"


@attrs.frozen
class Endpoints:
    api_url: str = "https://api.line.me"


BOT = ConnectionSpec(
    "token",
    lambda: ByToken,
    (Credential("bot_token"), Credential("label", required=False)),
    Inbound.ACKED,
    name="bot",
)
PAGE = ConnectionSpec(
    "token",
    lambda: ByApp,
    (
        Credential("app_id", app=True),
        Credential("page_id", required=False),
        Credential("label", required=False),
    ),
    Inbound.ACKED,
    name="page",
)
CHANNEL = Channel("line", Endpoints, (BOT, PAGE))
TAKES = "must be those of one connection, which takes bot_token (bot), or app_id (page)"


@pytest.mark.parametrize(
    ("credentials", "connection"),
    [
        ({"bot_token": "1"}, BOT),
        ({"bot_token": "1", "label": "x"}, BOT),
        ({"bot_token": "1", "app_id": None}, BOT),
        ({"app_id": "1"}, PAGE),
        ({"page_id": "1"}, PAGE),
        ({}, PAGE),  # what it needs may be the app's
        ({"label": "x"}, PAGE),
        ({"bot_token": "1", "app_id": "1"}, None),
    ],
)
def test_credentials_choose(credentials: dict[str, Any], connection: ConnectionSpec | None) -> None:
    assert CHANNEL.connection("token", credentials) is connection


def test_an_auth_mode_of_one_connection_needs_no_choice() -> None:
    alone = Channel("line", Endpoints, (BOT,))
    assert alone.connection("token", {"app_id": "1"}) is BOT
    assert alone.connection("qrcode", {}) is None


async def test_accounts_of_both(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, registry=Registry([CHANNEL]))
    async with gateway(settings, [CHANNEL]) as api:

        async def create(**credentials: str) -> Any:
            return await api("POST", "/v1/accounts", {"provider": "line", "provider_data": credentials})

        for credentials, ref in (({"bot_token": "7"}, "bot 7"), ({"app_id": "8"}, "page 8")):
            made = (await create(**credentials)).json()["data"]
            path = f"/v1/accounts/{made['id']}"
            await api.until(lambda found, ref=ref: found.get("provider_account_ref") == ref, path)  # type: ignore[misc]
        for credentials in ({}, {"bot_token": "7", "app_id": "8"}):
            refused = await create(**credentials)
            assert refused.status_code == 400
            assert TAKES in refused.json()["error"]["message"]
        moved = await api("PATCH", path, {"provider_data": {"bot_token": "9"}})
        assert moved.is_success, moved.text
        await api.until(lambda found: found.get("provider_account_ref") == "bot 9", path)


@pytest.mark.parametrize("lines", ["", 'credentials = { bot_token = "1", app_id = "2" }\n'])
def test_the_file_says_what_each_takes(tmp_path: Path, lines: str) -> None:
    more = f'[[accounts]]\nname = "a"\nprovider = "line"\n{lines}'
    with pytest.raises(Problems) as mistakes:
        settings_of(tmp_path, more, Registry([CHANNEL]))
    assert TAKES in str(mistakes.value)
    app = '[providers.line]\napp_id = "8"\n'
    if not lines:
        assert settings_of(tmp_path, more + app, Registry([CHANNEL])).accounts
