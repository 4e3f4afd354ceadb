"""Error codes that need a state of their own: what is asked for is right,
and the house is not as it should be.
"""

import contextlib
import sqlite3
from pathlib import Path

import httpx
import trio

from tests.harness import Client, account, gateway, sandbox, settings_of
from unifyport.providers import telegram


def code_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_an_action_that_is_none(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        for path in ("auth/dance", "runtime/dance"):
            assert code_of(await api("POST", f"/v1/accounts/acct_1/{path}")) == (400, "unsupported_action")
            stranger = Client(str(api.http.base_url), key="x" * 40)
            assert code_of(await stranger("POST", f"/v1/accounts/acct_1/{path}")) == (401, "invalid_api_key")
        assert code_of(await api("POST", "/v1/accounts/acct_1/dance/now")) == (404, "not_found")
        assert code_of(await api("GET", "/v1/accounts/acct_1/auth/start")) == (405, "invalid_request")


async def test_a_database_that_is_damaged_shows_no_traceback(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    async with gateway(settings) as api:
        with contextlib.closing(sqlite3.connect(settings.database)) as database:
            database.execute("alter table account rename to gone")
        response = await api("GET", "/v1/accounts/acct_1/auth/session")
        assert code_of(response) == (500, "get_session_failed")
        assert response.json()["error"]["message"] == "internal error"
        assert code_of(await api("GET", "/v1/accounts/acct_1/auth")) == (500, "get_auth_state_failed")


async def test_two_who_delete_one_account(tmp_path: Path) -> None:
    async with sandbox() as platform:
        settings = settings_of(tmp_path, platform.sandbox.config())
        async with gateway(settings) as api:
            body = {"provider": "telegram", "provider_data": {"token": "4242:sandbox-token"}}
            made = await api.data("POST", "/v1/accounts", body)
            path = f"/v1/accounts/{made['id']}"
            await api.until(lambda a: a["runtime_status"] == "running", path)
            await platform.post("faults", {"kind": "delay", "method": "sendMessage", "value": 1})
            await platform.write("hello", 7)
            send = {"account_id": made["id"], "to": {"id": "7", "type": "user"}}
            found: list[tuple[int, str]] = []

            async def delete() -> None:
                response = await api("DELETE", path)
                found.append((response.status_code, "") if response.is_success else code_of(response))

            async with trio.open_nursery() as nursery:
                # A send that is under way holds up the first of them.
                nursery.start_soon(
                    api, "POST", "/v1/messages", {**send, "message": {"type": "text", "text": "x"}}
                )
                while not any("sendMessage" in str(c) for c in platform.telegram.connections):
                    await trio.lowlevel.checkpoint()
                nursery.start_soon(delete)
                nursery.start_soon(delete)
            assert sorted(found) == [(204, ""), (409, "account_allocation_busy")]


async def test_more_accounts_than_the_workspace_may_have(tmp_path: Path) -> None:
    async with sandbox() as platform:
        more = platform.sandbox.config() + account() + "[workspace]\naccount_quota = 1\n"
        async with gateway(settings_of(tmp_path, more)) as api:
            body = {"provider": "telegram", "provider_data": {"token": "7:another-token"}}
            refused = await api("POST", "/v1/accounts", body)
            assert code_of(refused) == (409, "workspace_account_quota_exceeded")
            workspace = await api.data("GET", "/v1/workspace")
            assert (workspace["account_quota"], workspace["account_quota_unlimited"]) == (1, False)


async def test_where_no_account_can_be_made(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, '[workspace]\nregions = ["sg", "de"]\n')
    async with gateway(settings, [telegram.CHANNEL]) as api:
        for body in ({"provider": "tiktok"}, {"provider": "telegram", "region": "mars"}):
            assert code_of(await api("POST", "/v1/accounts", body)) == (409, "no_allocatable_server")
        found = await api.data("GET", "/v1/providers/telegram/regions")
        assert [(each["region"], each["supported"], each["allocatable"]) for each in found["regions"]] == [
            ("sg", True, True),
            ("de", True, True),
        ]
        found = await api.data("GET", "/v1/providers/tiktok/regions")
        assert not any(region["allocatable"] for region in found["regions"])
