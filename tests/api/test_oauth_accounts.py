"""Accounts that consent by OAuth: how they log in, and that the tokens of an idle one stay fresh."""

from pathlib import Path

import trio

from tests.api.oauth_world import world


async def test_an_account_without_a_token_waits_for_consent_and_runs_then(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        account = await at.create()
        assert (await at.auth(account, "pending_auth"))["account_id"] == account
        await at.consent(account, "user-1")
        assert (await at.running(account))["provider_account_ref"] == "user-1"
        await at.api("POST", f"/v1/accounts/{account}/runtime/reconnect")  # with what is on the disk
        await at.running(account)
        assert at.grants.refreshes == 0


async def test_two_accounts_of_one_app_have_their_own_tokens(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        for user in ("user-1", "user-2"):
            account = await at.create()
            await at.consent(account, user)
            assert (await at.running(account))["provider_account_ref"] == user
            await at.api("POST", f"/v1/accounts/{account}/runtime/reconnect")
            assert (await at.running(account))["provider_account_ref"] == user


async def test_an_account_with_a_refresh_token_needs_no_human(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        account = await at.create(refresh_token=at.grants.seed("user-1"))
        assert (await at.running(account))["provider_account_ref"] == "user-1"


async def test_the_tokens_of_an_idle_account_are_refreshed_ahead_of_their_expiry(tmp_path: Path) -> None:
    async with world(tmp_path, lifetime=1.5) as at:
        account = await at.create()
        await at.consent(account, "user-1")
        before = await at.api.data("GET", f"/v1/accounts/{account}/runtime")
        await at.refreshed(3)
        after = await at.api.data("GET", f"/v1/accounts/{account}/runtime")
        assert after["incarnations"] == before["incarnations"]
        assert len(at.grants.refresh_tokens) == 1  # each was used once


async def test_an_authorization_that_was_removed_ends_the_connection_and_says_what_to_do(
    tmp_path: Path,
) -> None:
    async with world(tmp_path, lifetime=1.5) as at:
        account = await at.create(refresh_token=at.grants.seed("user-1"))
        await at.running(account)
        at.grants.remove("user-1")
        assert (await at.auth(account, "failed"))["last_error"] == "refresh_token_refused"
        path = f"/v1/accounts/{account}"
        explained = await at.api.data("GET", f"{path}/explain")
        assert "unifyport login" in explained["action"]
        assert "provider_data" in explained["action"]
        await at.inbox.until(lambda: at.inbox.of("account.auth.required"))
        assert at.inbox.of("account.auth.failed")
        await at.consent(account, "user-1")  # in place of the refresh token in the credentials, which is dead
        await at.running(account)
        refreshes = at.grants.refreshes
        await at.refreshed(refreshes + 2)
        await at.running(account)


async def test_another_user_may_not_take_an_accounts_place(tmp_path: Path) -> None:
    async with world(tmp_path, lifetime=1.5) as at:
        account = await at.create()
        await at.consent(account, "user-1")
        await at.running(account)
        at.grants.remove("user-1")
        await at.auth(account, "failed")
        shown = await at.api.data("POST", f"/v1/accounts/{account}/auth/start")
        await at.api("GET", at.grants.consent(shown["auth_payload"]["page_url"], "user-2"))
        assert (await at.auth(account, "failed"))["last_error"] == "identity_changed"


async def test_a_new_refresh_token_in_the_credentials_voids_the_consent(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        account = await at.create(refresh_token=at.grants.seed("user-1"))
        await at.running(account)
        seed = at.grants.seed("user-1")
        await at.api.data("PATCH", f"/v1/accounts/{account}", {"provider_data": {"refresh_token": seed}})
        await at.refreshed(2)
        await at.running(account)
        assert seed not in at.grants.refresh_tokens


async def test_new_tokens_by_patch_while_a_refresh_is_under_way(tmp_path: Path) -> None:
    async with world(tmp_path, lifetime=1.5) as at:
        account = await at.create(refresh_token=at.grants.seed("user-1"))
        await at.running(account)
        at.grants.held = held = trio.Event()
        with trio.fail_after(10):
            while not at.grants.waiting:
                await at.grants.news.wait()
        seed = at.grants.seed("user-1")
        await at.api.data("PATCH", f"/v1/accounts/{account}", {"provider_data": {"refresh_token": seed}})
        at.grants.held = None
        held.set()
        await at.refreshed(at.grants.refreshes + 3)
        await at.running(account)
        assert seed not in at.grants.refresh_tokens
        assert (await at.auth(account, "authorized"))["account_id"] == account


async def test_a_wrong_secret_of_the_app_costs_no_consent(tmp_path: Path) -> None:
    async with world(tmp_path, lifetime=1.5) as at:
        account = await at.create()
        await at.consent(account, "user-1")
        await at.running(account)
        at.grants.secret = "another-secret-of-the-app"  # it was rotated at the platform
        path = f"/v1/accounts/{account}"
        explained = await at.api.until(lambda e: e["why"] == "oauth_client_refused", f"{path}/explain", 20)
        assert "[providers.<channel>]" in explained["action"]
        assert (await at.api.data("GET", f"{path}/auth"))["status"] == "authorized"
        await at.reload("another-secret-of-the-app")
        await at.running(account)
        await at.refreshed(at.grants.refreshes + 1)


async def test_a_wrong_secret_of_the_app_at_the_first_login_fails(tmp_path: Path) -> None:
    async with world(tmp_path) as at:
        seed = at.grants.seed("user-1")
        at.grants.secret = "another-secret-of-the-app"
        account = await at.create(refresh_token=seed)
        assert (await at.auth(account, "failed"))["last_error"] == "oauth_client_refused"
        await at.reload("another-secret-of-the-app")
        await at.running(account)
