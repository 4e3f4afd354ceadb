"""Logins that meet: one identity in two accounts, many starts at once, changes and restarts meanwhile."""

import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.api.login_world import World, a_world
from tests.harness import endpoint, gateway, receiver, settings_of
from tests.reference.platform import PHONE, SECRETIVE, TOKEN
from tests.reference.serving import CHANNEL, REGISTRY, places, reference_platform


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


# -- identities ----------------------------------------------------------------------------------------------


async def test_one_identity_is_one_account(world: World) -> None:
    logins = world.platform.logins
    first, second = await world.account("qrcode"), await world.account("qrcode")
    await world.log_in_by_qr(first)
    shown = await world.step(second, "qr/start")
    logins.scan(shown["auth_payload"]["qr_code"], PHONE)
    state = await world.status(second, "failed")
    assert state["last_error"] == "duplicate_provider_account"
    with trio.fail_after(5):
        while len(logins.devices) > 1:  # the loser is logged out again
            await trio.lowlevel.checkpoint()
    assert (await world.api.data("GET", f"/v1/accounts/{first}"))["runtime_status"] == "running"
    await world.api("DELETE", f"/v1/accounts/{first}")
    await world.log_in_by_qr(second)


async def test_a_session_that_is_in_use_is_not_logged_out_by_who_brings_it_again(world: World) -> None:
    logins = world.platform.logins
    first, second = await world.account("session"), await world.account("session")
    session = {"session": logins.export(PHONE)}
    await world.step(first, "session", session)
    await world.running(first)
    assert await world.refused(second, "session", session) == (409, "duplicate_provider_account")
    assert logins.logged_out == []
    world.platform.write("still there?", "user-1")
    await world.inbox.until(lambda: bool(world.of(first, "message.received")))


async def test_one_phone_is_one_account(world: World) -> None:
    await world.account("code", phone=PHONE)
    for phone in (PHONE, PHONE[1:], f"00{PHONE[1:]}", "+65 9000 0001"):
        body = {"provider": CHANNEL, "auth_mode": "code", "provider_data": {"phone": phone}}
        response = await world.api("POST", "/v1/accounts", body)
        assert (response.status_code, response.json()["error"]["code"]) == (409, "duplicate_provider_account")
    body["provider_data"] = {"phone": "90000001"}  # without its country code
    response = await world.api("POST", "/v1/accounts", body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request")
    assert "90000001" not in response.text


async def test_an_identity_that_is_named_at_creation(world: World) -> None:
    await world.log_in_by_qr(await world.account("qrcode"))
    body = {"provider": CHANNEL, "auth_mode": "session", "provider_account_ref": "user-1"}
    response = await world.api("POST", "/v1/accounts", body)
    assert (response.status_code, response.json()["error"]["code"]) == (409, "duplicate_provider_account")


# -- races and restarts --------------------------------------------------------------------------------------


async def test_many_starts_at_once_are_one_login(world: World) -> None:
    account = await world.account("qrcode")
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(world.step, account, "qr/start")
    state = await world.api.data("GET", f"/v1/accounts/{account}/auth")
    world.platform.logins.scan(state["auth_payload"]["qr_code"], PHONE)
    await world.running(account)
    assert len(world.platform.logins.devices) == 1


async def test_begun_again_in_the_moment_of_success(world: World) -> None:
    """Whatever comes first: it ends with one device, and the neighbour does not notice."""
    neighbour = await world.account("token", token=TOKEN)
    await world.running(neighbour)
    logins, found = world.platform.logins, set()
    for round_ in range(8):
        account = await world.account("qrcode")
        shown = await world.step(account, "qr/start")
        logins.scan(shown["auth_payload"]["qr_code"], "+6590000003")
        for _ in range(round_ * 20):
            await trio.lowlevel.checkpoint()
        response = await world.api("POST", f"/v1/accounts/{account}/auth/qr/start")
        found.add(response.status_code)
        if response.status_code == 200 and response.json()["data"]["status"] == "awaiting_qr_scan":
            logins.scan(response.json()["data"]["auth_payload"]["qr_code"], "+6590000003")
        await world.running(account)
        assert (await world.api("DELETE", f"/v1/accounts/{account}")).status_code == 204
    assert found <= {200, 409}
    runtime = await world.api.data("GET", f"/v1/accounts/{neighbour}/runtime")
    assert runtime["incarnations"] == 1


async def test_everybody_who_starts_sees_the_code_that_counts(world: World) -> None:
    account = await world.account("qrcode")
    shown: list[Any] = []

    async def start() -> None:
        shown.append(await world.step(account, "qr/start"))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(start)
    state = await world.api.data("GET", f"/v1/accounts/{account}/auth")
    assert {each["status"] for each in shown} == {"awaiting_qr_scan"}
    assert state["auth_payload"]["sequence"] == max(each["auth_payload"]["sequence"] for each in shown)


@pytest.mark.parametrize(
    "change", [{"status": "disabled"}, {"proxy": {"type": "http", "host": "127.0.0.1", "port": 1}}], ids=str
)
async def test_a_login_that_would_have_begun_otherwise_is_given_up(world: World, change: Any) -> None:
    account = await world.account("qrcode")
    shown = await world.step(account, "qr/start")
    await world.api.data("PATCH", f"/v1/accounts/{account}", change)
    state = await world.status(account, "failed")
    assert state["last_error"] == "login_interrupted"
    world.platform.logins.scan(shown["auth_payload"]["qr_code"], PHONE)  # nobody waits for that
    await world.inbox.until(lambda: bool(world.of(account, "account.auth.failed")))
    assert world.of(account, "account.auth.succeeded") == []


async def test_who_is_stopped_during_his_login_stays_down(world: World) -> None:
    account = await world.account("qrcode")
    shown = await world.step(account, "qr/start")
    await world.api.data("POST", f"/v1/accounts/{account}/runtime/stop")
    world.platform.logins.scan(shown["auth_payload"]["qr_code"], PHONE)
    await world.status(account, "authorized")
    found = await world.api.data("GET", f"/v1/accounts/{account}")
    assert found["runtime_status"] in ("stopped", "unknown")
    await world.api.data("POST", f"/v1/accounts/{account}/runtime/start")
    await world.running(account)


async def test_credentials_that_change_while_it_waits(world: World) -> None:
    account = await world.account("code", phone=PHONE)
    await world.step(account, "start")
    body = {"provider_data": {"phone": SECRETIVE}}
    assert (await world.api("PATCH", f"/v1/accounts/{account}", body)).is_success
    state = await world.api.data("GET", f"/v1/accounts/{account}/auth")
    assert state["status"] == "pending_auth"
    assert await world.refused(account, "code", {"code": "12345"}) == (400, "invalid_request")


async def test_another_way_of_getting_in(world: World) -> None:
    account = await world.account("qrcode")
    path, by_token = f"/v1/accounts/{account}", {"auth_mode": "token", "provider_data": {"token": TOKEN}}
    await world.log_in_by_qr(account)
    refused = await world.api("PATCH", path, by_token)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "account_already_authorized")
    await world.step(account, "cancel")
    assert (await world.api.data("PATCH", path, by_token))["auth_mode"] == "token"
    shown = await world.api.until(lambda a: a.get("provider_account_ref") == "me", path)
    assert shown["provider_profile"]["display_name"] == "Reference"
    await world.running(account)
    back = {"auth_mode": "qrcode", "provider_data": {}}
    await world.api.data("PATCH", path, back)
    assert (await world.status(account, "pending_auth"))["account_id"] == account
    await world.log_in_by_qr(account)


async def test_a_session_outlives_the_process_and_a_login_does_not(tmp_path: Path) -> None:
    async with reference_platform() as reference, receiver() as inbox:
        settings = settings_of(tmp_path, endpoint(inbox.url) + places(reference), registry=REGISTRY)
        channels = list(REGISTRY.channels.values())
        async with gateway(settings, channels) as api:
            world = World(reference.platform, inbox, api, settings)
            done, waiting = await world.account("qrcode"), await world.account("qrcode")
            await world.log_in_by_qr(done)
            await world.step(waiting, "qr/start")
        async with gateway(settings, channels) as api:
            world = World(reference.platform, inbox, api, settings)
            await world.running(done)
            state = await world.status(waiting, "failed")
            assert (state["last_error"], "auth_payload" in state) == ("login_interrupted", False)
            await inbox.until(lambda: bool(world.of(waiting, "account.auth.failed")))
            assert len(reference.platform.logins.devices) == 1


async def test_logins_that_no_account_is_there_for_do_not_keep_the_gateway_from_starting(
    tmp_path: Path,
) -> None:
    async with reference_platform() as reference, receiver() as inbox:
        channels = list(REGISTRY.channels.values())
        for most in (3, 1):
            more = places(reference) + f"[supervision]\nmax_children = {most}\n"
            settings = settings_of(tmp_path, more, registry=REGISTRY)
            async with gateway(settings, channels) as api:
                world = World(reference.platform, inbox, api, settings)
                if most == 3:
                    for _ in range(3):
                        await world.step(await world.account("qrcode"), "qr/start")
                assert len(await api.data("GET", "/v1/accounts")) == 3


async def test_what_a_human_sees_is_sealed(world: World) -> None:
    account = await world.account("qrcode")
    await world.step(account, "qr/start")
    shown = await world.step(account, "qr/check")
    code = shown["auth_payload"]["qr_code"].encode()
    with contextlib.closing(sqlite3.connect(world.settings.database)) as database:
        [[payload]] = database.execute("select auth_payload from account where id = ?", (account,))
    assert code not in payload


async def test_a_proxy_that_is_down_keeps_the_login_from_happening(world: World) -> None:
    proxy = {"type": "http", "host": "127.0.0.1", "port": 1}
    body = {"provider": CHANNEL, "auth_mode": "qrcode", "proxy": proxy}
    account = (await world.api.data("POST", "/v1/accounts", body))["id"]
    response = await world.api("POST", f"/v1/accounts/{account}/auth/qr/start")
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["reason"]) == (
        500,
        "run_auth_action_failed",
        "proxy_error",
    )
    state = await world.api.data("GET", f"/v1/accounts/{account}/auth")
    assert (state["status"], state["last_error"]) == ("failed", "proxy_error")
    assert world.platform.logins.attempts == {}
    done = {"session": world.platform.logins.export(PHONE), "proxy_config": json.dumps(proxy)}
    by_session = await world.account("session")
    response = await world.api("POST", f"/v1/accounts/{by_session}/auth/session", done)
    assert (response.status_code, response.json()["error"]["code"]) == (500, "run_session_action_failed")
    shown = await world.api.data("GET", f"/v1/accounts/{by_session}")
    assert shown["proxy"] == shown["proxy_config"] == proxy
    without = {"session": done["session"], "proxy_config": None}
    assert (await world.step(by_session, "session", without))["status"] == "authorized"
