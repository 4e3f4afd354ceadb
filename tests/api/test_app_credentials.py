"""Credentials of an app: in `[providers.<channel>]` or in the account, for everything that needs them."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from tests.harness import Client, gateway, settings_of, write_config
from unifyport.model.account import Identity
from unifyport.model.structuring import Problems
from unifyport.process.redaction import redact
from unifyport.providers.contract.base import (
    WEBHOOK,
    Channel,
    ConnectionSpec,
    ConnectorContext,
    Credential,
    Inbound,
    Link,
)
from unifyport.providers.contract.errors import LoggedOut
from unifyport.providers.contract.ingress import Addressed, InboundHook
from unifyport.providers.registry import Registry

GOOD, OTHER = "app-secret-good-1", "app-secret-other-2"
APP = f'[providers.line]\napp_secret = "{GOOD}"\n'


@attrs.frozen
class Endpoints:
    api_url: str = "https://api.line.me"


class AppConnector:
    """Logs in if the secret of its app is the good one."""

    def __init__(self, context: ConnectorContext) -> None:
        self._credentials = context.credentials

    async def login(self) -> Identity:
        if self._credentials["app_secret"] != GOOD:
            raise LoggedOut("invalid_credentials")
        return Identity(_identify(self._credentials) or "")

    async def receive(self, link: Link) -> None:
        await trio.sleep_forever()

    async def aclose(self) -> None:
        pass


def _identify(credentials: Mapping[str, Any]) -> str | None:
    """The account and the app that it belongs to."""
    return f"{credentials['token']}@{credentials.get('app_id')}"


def _verify(credentials: Mapping[str, Any], headers: Mapping[str, str], body: bytes) -> bool:
    return credentials.get("app_secret") == headers.get("x-secret")


def _parse(body: bytes, identity: str) -> list[Addressed]:
    return []


CHANNEL = Channel(
    "line",
    Endpoints,
    (
        ConnectionSpec(
            "token",
            lambda: AppConnector,
            (
                Credential("token"),
                Credential("app_secret", app=True),
                Credential("app_id", required=False, pattern="[0-9]+", app=True),
            ),
            Inbound.ACKED,
            identify=_identify,
            receive=(WEBHOOK,),
            ingress=InboundHook(_verify, _parse),
        ),
    ),
)
REGISTRY = Registry([CHANNEL])


def declared(name: str = "shop", **credentials: str) -> str:
    given = "".join(f'{key} = "{value}"\n' for key, value in credentials.items())
    return f'\n[[accounts]]\nname = "{name}"\nprovider = "line"\n[accounts.credentials]\n{given}'


@attrs.frozen
class House:
    directory: Path
    api: Client

    async def reload(self, more: str) -> Any:
        write_config(self.directory, more=more)
        return await self.api.data("POST", "/v1/reload", {})

    async def runtime(self, name: str, status: str) -> Any:
        [account] = [each for each in await self.api.data("GET", "/v1/accounts") if each["name"] == name]
        path = f"/v1/accounts/{account['id']}/runtime"
        return await self.api.until(lambda runtime: runtime["runtime_status"] == status, path)

    async def called(self, name: str, secret: str) -> int:
        [account] = [each for each in await self.api.data("GET", "/v1/accounts") if each["name"] == name]
        path = f"/ingress/line/{account['id']}"
        return (await self.api("POST", path, {}, headers={"x-secret": secret})).status_code


@contextlib.asynccontextmanager
async def house(directory: Path, more: str) -> AsyncIterator[House]:
    async with gateway(settings_of(directory, more, REGISTRY), [CHANNEL]) as api:
        yield House(directory, api)


async def create(api: Client, **credentials: str) -> Any:
    return await api("POST", "/v1/accounts", {"provider": "line", "provider_data": credentials})


async def test_an_account_without_them_has_those_of_the_file(tmp_path: Path) -> None:
    async with house(tmp_path, APP + declared(token="t1")) as at:
        await at.runtime("shop", "running")
        assert await at.called("shop", GOOD) == 200
        assert await at.called("shop", OTHER) == 401


async def test_those_of_the_account_win(tmp_path: Path) -> None:
    app = f'[providers.line]\napp_secret = "{OTHER}"\n'
    async with house(tmp_path, app + declared(token="t1", app_secret=GOOD)) as at:
        await at.runtime("shop", "running")
        assert await at.called("shop", GOOD) == 200


async def test_an_account_of_the_api_has_them_too(tmp_path: Path) -> None:
    async with house(tmp_path, APP) as at:
        created = (await create(at.api, token="t1")).json()["data"]
        await at.runtime(created["name"], "running")
        refused = await create(at.api, token="t1")  # the identity is that of the whole credentials
        assert refused.json()["error"]["code"] == "duplicate_provider_account"


async def test_one_that_is_missing_in_both_places_is_named_with_both(tmp_path: Path) -> None:
    with pytest.raises(Problems) as wrong:
        settings_of(tmp_path, declared(token="t1"), REGISTRY)
    [text] = wrong.value.problems
    assert 'accounts "shop".credentials.app_secret: is required, here or in [providers.line]' in text
    async with house(tmp_path, "") as at:
        refused = await create(at.api, token="t1")
        assert refused.status_code == 400
        text = "provider_data.app_secret: is required, here or in [providers.line]"
        assert text in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (
            'ap_id = "s3cret-value"',
            'providers.line.ap_id: unknown key (did you mean "app_id"?)',
        ),
        ('api_ulr = "s3cret-value"', 'providers.line.api_ulr: unknown key (did you mean "api_url"?)'),
        ('app_id = "s3cret-value"', "providers.line.app_id: is not a valid app_id"),
        ("app_secret = 7", "providers.line.app_secret: must be a string, { env"),
        ('app_secret = { env = "NOT_SET_ANYWHERE" }', "environment variable NOT_SET_ANYWHERE is not set"),
        ('app_secret = { file = "nowhere" }', "providers.line.app_secret: file nowhere cannot be read"),
        ('app_secret = "two words"', "providers.line.app_secret: is not a valid app_secret"),
    ],
)
def test_mistakes_in_the_table_show_no_value(tmp_path: Path, table: str, told: str) -> None:
    secret = "" if "app_secret" in table else f'app_secret = "{GOOD}"\n'
    with pytest.raises(Problems) as wrong:
        settings_of(tmp_path, f"[providers.line]\n{secret}{table}\n" + declared(token="t1"), REGISTRY)
    [text] = wrong.value.problems  # and the account that rests on it is not reported, too
    assert told in text
    assert "s3cret" not in text
    assert "two words" not in text


def test_they_are_references_and_are_redacted(tmp_path: Path) -> None:
    (tmp_path / "app").write_text("app-secret-of-a-file\n")
    table = '[providers.line]\napp_secret = { file = "app" }\napi_url = "https://eu.line.me"\n'
    settings = settings_of(tmp_path, table, REGISTRY)
    assert settings.apps == {"line": {"app_secret": "app-secret-of-a-file"}}
    assert settings.providers["line"] == Endpoints("https://eu.line.me")
    assert "of-a-file" not in redact("sent app-secret-of-a-file")


def test_accounts_of_one_app_are_compared_whole(tmp_path: Path) -> None:
    table = APP + 'app_id = "7"\n'
    settings_of(tmp_path, table + declared("a", token="t1") + declared("b", token="t1", app_id="8"), REGISTRY)
    with pytest.raises(Problems, match="has the same identity"):
        twice = declared("a", token="t1") + declared("b", token="t1", app_id="7")
        settings_of(tmp_path, table + twice, REGISTRY)


async def test_a_reload_connects_the_accounts_concerned_again_and_no_other(tmp_path: Path) -> None:
    more = declared(token="t1") + declared("own", token="t2", app_secret=GOOD)
    wrong = f'[providers.line]\napp_secret = "{OTHER}"\n'
    async with house(tmp_path, wrong + more) as at:
        own = await at.runtime("own", "running")
        await at.runtime("shop", "disconnected")  # the secret was refused
        report = await at.reload(APP + more)
        assert (report["options"], report["differences"]) == (["providers.line.app_secret"], [])
        assert GOOD not in str(report)
        await at.runtime("shop", "running")
        assert await at.called("shop", GOOD) == 200
        after = await at.runtime("own", "running")
        assert after["incarnations"] == own["incarnations"]


async def test_a_stopped_account_stays_stopped(tmp_path: Path) -> None:
    more = declared(token="t1")
    async with house(tmp_path, APP + more) as at:
        before = await at.runtime("shop", "running")
        await at.api.data("POST", f"/v1/accounts/{before['account_id']}/runtime/stop")
        await at.reload(APP + 'app_id = "7"\n' + more)
        after = await at.runtime("shop", "stopped")
        assert after["incarnations"] == before["incarnations"]


async def test_the_capability_list_says_which_they_are(tmp_path: Path) -> None:
    async with house(tmp_path, "") as at:
        [channel] = await at.api.data("GET", "/v1/capabilities")
        [connection] = channel["connections"]
        assert connection["provider_data"] == [
            {"name": "token", "required": True, "app": False},
            {"name": "app_secret", "required": True, "app": True},
            {"name": "app_id", "required": False, "app": True},
        ]
