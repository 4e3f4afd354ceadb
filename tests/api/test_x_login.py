"""How an account of X logs in: by consent or by a refresh token, and what ends the login."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.api.x_world import APP, ME, World, x_account, x_world
from unifyport.providers.x.api.oauth import SCOPES


async def create(world: World, **more: str) -> str:
    body = {"provider": "x", "provider_data": {**APP, **more}}
    world.id = (await world.api.data("POST", "/v1/accounts", body))["id"]
    return world.id


async def status(world: World, wanted: str) -> Any:
    return await world.api.until(lambda s: s["status"] == wanted, f"/v1/accounts/{world.id}/auth")


async def ask(world: World) -> dict[str, str]:
    """Begin a login; the query of X's page."""
    shown = await world.api.data("POST", f"/v1/accounts/{world.id}/auth/start")
    assert shown["status"] == "awaiting_code"
    assert shown["auth_payload"]["consent"] == {"scopes": [*SCOPES]}
    page = urlsplit(shown["auth_payload"]["page_url"])
    assert page.path == "/i/oauth2/authorize"
    query = dict(parse_qsl(page.query))
    assert (query["client_id"], query["scope"]) == (APP["client_id"], " ".join(SCOPES))
    assert query["code_challenge_method"] == "S256"
    return query


async def agree(world: World, query: dict[str, str], user: str = ME, *, yes: bool = True) -> None:
    """The user decides on X's page, and the browser comes back."""
    back = urlsplit(world.x.oauth.decide(query, user, yes=yes))
    assert (await world.api("GET", f"{back.path}?{back.query}")).status_code == 200


async def test_a_consent_connects_the_account(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        world.x.messages.write("2222", world.x.directory.pair(ME, "2222"), {"text": "long ago"})
        await create(world)
        await status(world, "pending_auth")
        await agree(world, await ask(world))
        await status(world, "authorized")
        await world.connected()
        await world.write("hello")
        await world.inbox.until(lambda: world.texts() == ["hello"])  # and nothing of what was before
        assert (await world.send()).status_code == 200
        found = await world.api.data("GET", f"/v1/accounts/{world.id}")
        assert found["provider_account_ref"] == ME


async def test_a_consent_that_is_refused_or_too_small(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await create(world)
        await agree(world, await ask(world), yes=False)
        assert (await status(world, "failed"))["last_error"] == "consent_denied"
        world.x.tokens.scopes = "tweet.read users.read dm.read dm.write"
        await agree(world, await ask(world))
        await world.api.until(
            lambda s: s.get("last_error") == "missing_scopes", f"/v1/accounts/{world.id}/auth"
        )
        query = await ask(world)
        world.x.tokens.scopes = None
        await agree(world, query | {"code_challenge": "of-another"})
        await world.api.until(
            lambda s: s.get("last_error") == "oauth_invalid_request", f"/v1/accounts/{world.id}/auth"
        )
        await agree(world, await ask(world))
        await status(world, "authorized")


async def test_a_refresh_token_serves_once_and_the_pair_is_kept(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        asked = world.x.oauth.asked
        assert asked == 1
        for _ in range(3):
            await world.api("POST", f"/v1/accounts/{world.id}/runtime/reconnect")
            await world.connected()
            assert (await world.send()).status_code == 200
        assert world.x.oauth.asked == asked
        world.x.tokens.access.clear()  # X has forgotten the access token
        assert (await world.send()).status_code == 200
        assert world.x.oauth.asked == asked + 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"refresh_token": "used-before"}, "refresh_token_refused"),
        ({"bearer_token": "wrong-bearer"}, "bearer_token_refused"),
    ],
)
async def test_credentials_that_x_refuses(tmp_path: Path, wrong: dict[str, str], reason: str) -> None:
    async with x_world(tmp_path, "") as world:
        await create(world, **{"refresh_token": "refresh-1111-seed", **wrong})
        found = await status(world, "failed")
        assert found["last_error"] == reason
        await world.inbox.until(lambda: world.inbox.of("account.auth.failed"))


async def test_a_secret_that_x_refuses(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        world.x.oauth.client_secret = "another"
        await create(world, refresh_token="refresh-1111-seed")
        assert (await status(world, "failed"))["last_error"] == "oauth_client_refused"


@pytest.mark.parametrize("receive", ["poll", "webhook"])
async def test_the_user_takes_the_authorization_back(tmp_path: Path, receive: str) -> None:
    async with x_world(tmp_path, x_account(receive=receive)) as world:
        await world.write("hello")
        await world.inbox.until(lambda: world.texts() == ["hello"])
        world.x.revoke(ME)
        await world.inbox.until(lambda: world.inbox.of("provider.event"))
        [event] = world.inbox.of("provider.event")
        assert event["event_name"] == "oauth.revoke"
        if receive == "webhook":  # noticed at the next call
            assert (await world.send()).status_code == 409
        found = await status(world, "failed")
        assert found["last_error"] in ("authorization_revoked", "refresh_token_refused")


async def test_revoked_in_the_middle_of_a_send(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        await world.order("faults", kind="logout", method="messages")
        response = await world.send()
        assert (response.status_code, response.json()["error"]["code"]) == (409, "account_binding_not_found")
        await status(world, "failed")


async def test_an_account_whose_login_is_dropped_leaves_nothing_at_x(tmp_path: Path) -> None:
    async with x_world(tmp_path, "") as world:
        await create(world)
        await agree(world, await ask(world))
        await world.connected()
        assert len(world.x.deliveries.subscriptions) == 6
        assert world.x.tokens.refresh
        await world.api("POST", f"/v1/accounts/{world.id}/auth/cancel")
        await world.api.until(lambda _: not world.x.tokens.refresh, f"/v1/accounts/{world.id}")
        assert not world.x.deliveries.subscriptions


async def test_a_second_account_of_the_same_user(tmp_path: Path) -> None:
    async with x_world(tmp_path) as world:
        first = world.id
        await create(world)
        response = await world.api("POST", f"/v1/accounts/{world.id}/auth/start")
        query = dict(parse_qsl(urlsplit(response.json()["data"]["auth_payload"]["page_url"]).query))
        await agree(world, query)
        found = await status(world, "failed")
        assert found["last_error"] == "duplicate_provider_account"
        assert len(world.x.deliveries.subscriptions) == 6  # those of the first one stay
        await world.write("still here")
        await world.inbox.until(lambda: world.texts() == ["still here"])
        assert world.inbox.of("message.received")[0]["account_id"] == first


async def test_keys_of_the_app_in_the_channels_section(tmp_path: Path) -> None:
    more = "".join(f'{name} = "{value}"\n' for name, value in APP.items())
    account = (
        '\n[[accounts]]\nname = "x"\nprovider = "x"\ncredentials = { refresh_token = "refresh-1111-a" }\n'
    )
    async with x_world(tmp_path, account, more=more) as world:
        await world.write("hello")
        await world.inbox.until(lambda: world.texts() == ["hello"])
