"""How TikTok accounts log in: by consent, by a pasted refresh token; and what ends a login."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.api.tiktok_world import (
    APP,
    APP_SECRET,
    BUSINESS,
    CUSTOMER,
    OTHER,
    World,
    a_world,
    tiktok,
    tiktok_data,
)
from tests.harness import endpoint, free_port, gateway, public, receiver, sandbox, settings_of
from unifyport.providers.tiktok.business import connector
from unifyport.providers.tiktok.business.tokens import REQUIRED_SCOPES


async def running(world: World, account_id: str) -> Any:
    return await world.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account_id}")


async def test_consent(tmp_path: Path) -> None:
    async with a_world(tmp_path, "") as world:
        account_id = await world.account()
        state = await world.api.data("GET", f"/v1/accounts/{account_id}/auth")
        assert state["status"] == "pending_auth"
        shown = await world.consent(account_id)
        assert shown["status"] == "awaiting_code"
        query = dict(parse_qsl(urlsplit(shown["auth_payload"]["page_url"]).query))
        assert (query["client_key"], query["response_type"]) == (APP, "code")
        assert set(REQUIRED_SCOPES) <= set(shown["auth_payload"]["consent"]["scopes"])
        assert "client_secret" not in query
        account = await running(world, account_id)
        assert account["provider_account_ref"] == BUSINESS
        written = await world.write("hello")
        answer = await world.send(account_id, written["conversation_id"])
        assert answer.status_code == 200, answer.text


async def test_consent_that_comes_to_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path, "") as world:
        account_id = await world.account()
        await world.order("webhooks", {"refuses_consent": True})
        await world.consent(account_id)
        assert (await world.auth(account_id, "failed"))["last_error"] == "consent_denied"
        await world.order("webhooks", {"scopes": "user.info.basic,message.list.read,message.list.manage"})
        await world.consent(account_id)
        error = "missing_scope_message_list_send"
        await world.api.until(lambda s: s.get("last_error") == error, f"/v1/accounts/{account_id}/auth")
        await world.order("webhooks", {})
        await world.order("faults", {"kind": "error_500", "method": "token"})
        await world.consent(account_id)
        await world.api.until(
            lambda s: s.get("last_error") == "tiktok_51065", f"/v1/accounts/{account_id}/auth"
        )
        await world.consent(account_id)
        await running(world, account_id)


async def test_a_second_account_of_the_same_business_is_refused_and_the_first_lives_on(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path) as world:
        [first] = await world.online()
        account_id = await world.account()
        await world.consent(account_id)
        state = await world.auth(account_id, "failed")
        assert state["last_error"] == "duplicate_provider_account"
        written = await world.write("still here")
        answer = await world.send(first["id"], written["conversation_id"])
        assert answer.status_code == 200, answer.text


async def test_another_identity_replaces_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path, "") as world:
        account_id = await world.account()
        await world.consent(account_id)
        await running(world, account_id)
        world.tiktok.grants.revoke(BUSINESS)
        written = await world.write("hello")
        await world.refused(account_id, written["conversation_id"])
        await world.auth(account_id, "failed")
        await world.order("webhooks", {"consenting": OTHER})
        await world.consent(account_id)
        await world.api.until(
            lambda s: s.get("last_error") == "identity_changed", f"/v1/accounts/{account_id}/auth"
        )
        await world.order("webhooks", {"consenting": BUSINESS})
        await world.consent(account_id)
        await running(world, account_id)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"refresh_token": "wrong-token"}, "refresh_token_refused"),
        ({"client_secret": "wrong-secret"}, "oauth_client_refused"),
    ],
)
async def test_pasted_credentials_that_are_refused(
    tmp_path: Path, wrong: dict[str, str], reason: str
) -> None:
    async with a_world(tmp_path, tiktok(**wrong)) as world:
        [account] = await world.api.data("GET", "/v1/accounts")
        state = await world.auth(account["id"], "failed")
        assert state["last_error"] == reason
        await world.inbox.until(lambda: len(world.inbox.of("account.auth.failed")) == 1)


async def test_consent_takes_the_place_of_a_pasted_token(tmp_path: Path) -> None:
    async with a_world(tmp_path, "") as world:
        account_id = await world.account(**tiktok_data(refresh_token="wrong-token"))
        await world.auth(account_id, "failed")
        await world.consent(account_id)
        assert (await running(world, account_id))["provider_account_ref"] == BUSINESS


async def test_a_consent_that_is_withdrawn_ends_the_login_and_another_begins_it(tmp_path: Path) -> None:
    async with a_world(tmp_path, "") as world:
        account_id = await world.account()
        await world.consent(account_id)
        await running(world, account_id)
        written = await world.write("hello")
        await world.order("faults", {"kind": "logout", "method": "send"})
        status, error = await world.refused(account_id, written["conversation_id"])
        assert (status, error["outcome"]) == (409, "not_sent")
        state = await world.auth(account_id, "failed")
        assert state["last_error"] == "refresh_token_refused"
        await world.inbox.until(lambda: bool(world.inbox.of("account.auth.required")))
        await world.consent(account_id)
        await running(world, account_id)
        answer = await world.send(account_id, written["conversation_id"])
        assert answer.status_code == 200, answer.text


async def test_a_consent_that_is_withdrawn_is_noticed_without_a_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "CHECK_SECONDS", 0.2)
    async with a_world(tmp_path) as world:
        [account] = await world.online()
        world.tiktok.grants.revoke(BUSINESS)
        assert (await world.auth(account["id"], "failed"))["last_error"] == "refresh_token_refused"
        found = await world.api.data("GET", f"/v1/accounts/{account['id']}/explain")
        assert "consent" in found["action"]


async def test_an_access_token_that_ends_early_costs_nothing(tmp_path: Path) -> None:
    async with a_world(tmp_path) as world:
        [account] = await world.online()
        written = await world.write("hello")
        for token in world.tiktok.grants.good_access_tokens():
            world.tiktok.grants.expire(token)
        answer = await world.send(account["id"], written["conversation_id"])
        assert answer.status_code == 200, answer.text
        assert len(await world.platform.sent("tiktok")) == 1


async def test_deleting_an_account_withdraws_its_consent(tmp_path: Path) -> None:
    async with a_world(tmp_path, "") as world:
        account_id = await world.account()
        await world.consent(account_id)
        await running(world, account_id)
        assert (await world.api("DELETE", f"/v1/accounts/{account_id}")).is_success
        await world.api.until(lambda _: world.tiktok.grants.all_revoked(), "/v1/accounts")


async def test_two_accounts_of_one_app_share_its_webhook(tmp_path: Path) -> None:
    async with a_world(tmp_path, tiktok() + tiktok("branch", OTHER)) as world:
        accounts = {a["provider_account_ref"]: a for a in await world.online(2)}
        address = world.tiktok.apps[APP].callback_url
        assert address in {a["ingress_url"] for a in accounts.values()}
        for business in (BUSINESS, OTHER):
            await world.write(f"to {business}", to=business)
        found = {e["text"]: e["account_id"] for e in world.inbox.of("message.received")}
        assert found == {f"to {b}": accounts[b]["id"] for b in (BUSINESS, OTHER)}
        # an unknown business account of the app: acknowledged, set aside
        world.tiktok.business("stranger").client_key = APP
        await world.order("messages", {"to": "stranger", "text": "who?"})
        await world.api.until(lambda _: world.tiktok.callbacks.pending == 0, "/v1/accounts")
        assert world.tiktok.calls()[-1]["statuses"] == [200]
        assert "unifyport_quarantined_total 1.0" in (await world.api.http.get("/metrics")).text


async def test_another_app_cannot_write_into_an_account_of_this_one(tmp_path: Path) -> None:
    rival = tiktok("rival", OTHER, client_key="client-key-2", client_secret="the-secret-of-a-rival")
    async with a_world(tmp_path, tiktok() + rival) as world:
        await world.online(2)
        business = world.tiktok.business(BUSINESS)
        business.client_key = "client-key-2"
        await world.order("messages", {"to": BUSINESS, "from": CUSTOMER, "text": "forged"})
        await world.api.until(lambda _: bool(world.tiktok.calls()[-1]["statuses"]), "/v1/accounts")
        assert world.tiktok.calls()[-1]["statuses"] == [200]
        assert (await world.api.data("GET", "/v1/events?type=message.received"))["items"] == []


async def test_a_webhook_of_another_program_is_left_alone(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = tiktok() + endpoint(inbox.url) + platform.sandbox.config()
        foreign = {"client_key": APP, "client_secret": APP_SECRET, "callback_url": "https://crm.example/hook"}
        await platform.http.post("/sandbox/tiktok/webhooks", json=foreign)
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            [account] = await api.data("GET", "/v1/accounts")
            path = f"/v1/accounts/{account['id']}"
            await api.until(lambda found: found["why"] == "foreign_webhook", f"{path}/explain", 20)
            apps = platform.sandbox.platforms["tiktok"].apps  # type: ignore[attr-defined]
            assert apps[APP].callback_url == "https://crm.example/hook"
            body = {"provider": "tiktok", "provider_data": tiktok_data(OTHER), "take_over": True}
            made = await api.data("POST", "/v1/accounts", body)
            await api.until(lambda _: apps[APP].callback_url == made["ingress_url"], "/v1/accounts")


async def test_without_a_public_url_there_is_no_consent(tmp_path: Path) -> None:
    async with sandbox() as platform:
        async with gateway(settings_of(tmp_path, platform.sandbox.config())) as api:
            data = {"client_key": APP, "client_secret": APP_SECRET}
            body = {"provider": "tiktok", "region": "global", "provider_data": data}
            account = await api.data("POST", "/v1/accounts", body)
            answer = await api("POST", f"/v1/accounts/{account['id']}/auth/start")
            assert answer.status_code == 400
