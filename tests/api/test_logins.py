"""Logins with a human, on the reference platform: QR, code, second factor, a code that is shown,
an exported session.
"""

import contextlib
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
import trio

from tests.harness import Client, Receiver, endpoint, gateway, receiver, settings_of
from tests.reference.platform import PHONE, SECRETIVE, TOKEN, ReferencePlatform
from tests.reference.serving import CHANNEL, REGISTRY, TYPED, places, reference_platform
from unifyport.config.settings import Settings


@attrs.define
class World:
    platform: ReferencePlatform
    inbox: Receiver
    api: Client
    settings: Settings

    async def account(self, auth_mode: str, provider: str = CHANNEL, **data: Any) -> str:
        body: dict[str, Any] = {"provider": provider, "region": "global", "auth_mode": auth_mode}
        if data:
            body["provider_data"] = data
        return str((await self.api.data("POST", "/v1/accounts", body))["id"])

    async def step(self, account_id: str, step: str, body: Any = None) -> Any:
        return await self.api.data("POST", f"/v1/accounts/{account_id}/auth/{step}", body)

    async def refused(self, account_id: str, step: str, body: Any = None) -> tuple[int, str]:
        response = await self.api("POST", f"/v1/accounts/{account_id}/auth/{step}", body)
        return response.status_code, response.json()["error"]["code"]

    async def status(self, account_id: str, wanted: str) -> Any:
        return await self.api.until(lambda s: s["status"] == wanted, f"/v1/accounts/{account_id}/auth")

    async def running(self, account_id: str) -> Any:
        return await self.api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{account_id}")

    async def log_in_by_qr(self, account_id: str, phone: str = PHONE) -> None:
        shown = await self.step(account_id, "qr/start")
        self.platform.logins.scan(shown["auth_payload"]["qr_code"], phone)
        await self.running(account_id)

    def of(self, account_id: str, name: str) -> list[dict[str, Any]]:
        return [event for event in self.inbox.of(name) if event["account_id"] == account_id]


@contextlib.asynccontextmanager
async def a_world(directory: Path) -> AsyncIterator[World]:
    async with reference_platform() as reference, receiver() as inbox:
        more = endpoint(inbox.url) + places(reference)
        settings = settings_of(directory, more, registry=REGISTRY, security='proxy_allow = ["127.0.0.0/8"]\n')
        async with gateway(settings, list(REGISTRY.channels.values())) as api:
            yield World(reference.platform, inbox, api, settings)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


# -- QR ------------------------------------------------------------------------------------------------------


async def test_by_qr_code_which_is_replaced_twice(world: World) -> None:
    logins, account = world.platform.logins, await world.account("qrcode")
    assert (await world.api.data("GET", f"/v1/accounts/{account}/auth"))["status"] == "pending_auth"
    first = await world.step(account, "qr/start")
    assert first["status"] == "awaiting_qr_scan"
    codes = [first["auth_payload"]["qr_code"]]
    assert first["auth_payload"]["sequence"] == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["expires_at"])

    async def code(sequence: int) -> Any:
        path = f"/v1/accounts/{account}/auth/session"
        return await world.api.until(lambda s: s["auth_payload"]["sequence"] == sequence, path)

    for sequence in (2, 3):
        codes.append(logins.new_qr(logins.newest))
        shown = await code(sequence)
        assert shown["auth_payload"]["qr_code"] == codes[-1]
    assert (await world.step(account, "qr/check"))["status"] == "awaiting_qr_scan"
    logins.scan(codes[-1], PHONE)
    shown = await world.running(account)
    assert shown["provider_account_ref"] == "user-1"
    assert shown["provider_profile"] == {"id": "user-1", "display_name": "Mei"}
    state = await world.step(account, "qr/check")
    assert (state["status"], "auth_payload" in state, "last_error" in state) == ("authorized", False, False)

    await world.inbox.until(lambda: bool(world.of(account, "account.started")))
    required = world.of(account, "account.auth.required")
    assert [event["data"]["auth_payload"]["qr_code"] for event in required] == codes
    assert [event["data"]["sequence"] for event in required] == [1, 2, 3]
    assert len({event["id"] for event in required}) == 3
    for event in required:
        assert event["event"] == event["type"] == "account.auth.required"
        assert event["data"]["auth_status"] == "awaiting_qr_scan"
        assert event["data"]["expires_at"]
    [succeeded] = world.of(account, "account.auth.succeeded")
    assert succeeded["data"]["account"]["provider_account_ref"] == "user-1"
    assert succeeded["data"]["display_name"] == "Mei"


async def test_a_picture_of_the_code_for_as_long_as_it_is_shown(world: World) -> None:
    account = await world.account("qrcode")
    shown = await world.step(account, "qr/start")
    url = httpx.URL(shown["auth_payload"]["url"])
    anybody = Client(str(world.api.http.base_url), key=None)
    picture = await anybody("GET", url.path)
    assert picture.status_code == 200
    assert picture.content.startswith(b"\x89PNG")
    assert picture.headers["cache-control"] == "no-store"
    drawn = await anybody("GET", url.path.replace(".png", ".svg"))
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert b"<script" not in drawn.content
    logins = world.platform.logins
    logins.new_qr(logins.newest)
    await world.api.until(lambda s: s["auth_payload"]["sequence"] == 2, f"/v1/accounts/{account}/auth")
    gone = await anybody("GET", url.path)
    assert gone.status_code == 404
    changed = url.path.replace(account, account[:-1] + ("0" if account[-1] != "0" else "1"))
    assert (await anybody("GET", changed)).status_code == 404
    assert (await anybody("GET", url.path.replace(".png", ".html"))).status_code == 404


async def test_begun_again_while_it_waits(world: World) -> None:
    account = await world.account("qrcode")
    first = await world.step(account, "qr/start")
    second = await world.step(account, "auth/session/qr/start".removeprefix("auth/"))  # the older path
    assert second["auth_payload"]["qr_code"] != first["auth_payload"]["qr_code"]
    assert second["auth_payload"]["sequence"] == 2
    world.platform.logins.scan(first["auth_payload"]["qr_code"], PHONE)  # nobody waits for that any more
    world.platform.logins.scan(second["auth_payload"]["qr_code"], PHONE)
    await world.running(account)
    assert len(world.of(account, "account.auth.succeeded")) <= 1


async def test_the_platform_has_had_enough(world: World) -> None:
    logins, account = world.platform.logins, await world.account("qrcode")
    await world.step(account, "qr/start")
    logins.give_up(logins.newest)
    state = await world.status(account, "failed")
    assert state["last_error"] == "too_many_codes"
    assert "auth_payload" not in state
    await world.inbox.until(lambda: bool(world.of(account, "account.auth.failed")))
    assert world.of(account, "account.auth.failed")[0]["data"]["last_error"] == "too_many_codes"
    await world.log_in_by_qr(account)


async def test_what_has_expired_is_not_shown(world: World) -> None:
    account = await world.account("qrcode")
    world.platform.logins.qr_seconds = 0.05
    await world.step(account, "qr/start")
    state = await world.api.until(lambda s: "auth_payload" not in s, f"/v1/accounts/{account}/auth")
    assert (state["status"], "expires_at" in state) == ("awaiting_qr_scan", False)


# -- codes and passwords -------------------------------------------------------------------------------------


async def test_by_code_typed_wrongly_once_and_a_second_factor(world: World) -> None:
    account = await world.account("code", phone=SECRETIVE)
    asked = await world.step(account, "start", {})
    assert (asked["status"], asked["auth_fields"][0]["type"]) == ("awaiting_code", "code")
    again = await world.step(account, "code", {"code": "99999"})
    assert (again["status"], again["last_error"]) == ("awaiting_code", "invalid_code")
    factor = await world.step(account, "code", {"code": "12345"})
    assert (factor["status"], factor["auth_fields"][0]["type"]) == ("awaiting_password", "password")
    assert "last_error" not in factor
    assert (await world.refused(account, "code", {"code": "12345"})) == (400, "invalid_request")
    done = await world.step(account, "password", {"password": "hunter22"})
    assert done["status"] == "authorized"
    await world.running(account)
    await world.inbox.until(lambda: bool(world.of(account, "account.started")))
    asked_for = [event["data"]["auth_status"] for event in world.of(account, "account.auth.required")]
    assert asked_for == ["awaiting_code", "awaiting_code", "awaiting_password"]


async def test_a_wrong_password_ends_it(world: World) -> None:
    account = await world.account("code", phone=SECRETIVE)
    await world.step(account, "start")
    await world.step(account, "code", {"code": "12345"})
    failed = await world.step(account, "password", {"password": "wrong"})
    assert (failed["status"], failed["last_error"]) == ("failed", "invalid_password")
    assert (await world.refused(account, "password", {"password": "hunter22"})) == (400, "invalid_request")


async def test_a_second_factor_after_a_qr_code(world: World) -> None:
    account = await world.account("qrcode")
    shown = await world.step(account, "qr/start")
    world.platform.logins.scan(shown["auth_payload"]["qr_code"], SECRETIVE)
    await world.status(account, "awaiting_password")
    assert (await world.step(account, "password", {"password": "hunter22"}))["status"] == "authorized"


async def test_a_code_that_is_typed_on_the_phone(world: World) -> None:
    account = await world.account("code", TYPED, phone=PHONE)
    shown = await world.step(account, "start")
    assert shown["status"] == "awaiting_code"
    assert "auth_fields" not in shown  # nothing comes back to us
    assert (await world.refused(account, "code", {"code": "1"})) == (400, "invalid_request")
    world.platform.logins.scan(shown["auth_payload"]["verify_code"], PHONE)
    await world.running(account)


@pytest.mark.parametrize("data", [{}, {"phone": None}])
async def test_a_code_needs_a_phone(world: World, data: dict[str, Any]) -> None:
    body = {"provider": CHANNEL, "region": "global", "auth_mode": "code", "provider_data": data}
    response = await world.api("POST", "/v1/accounts", body)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "auth_mode_phone_required")


async def test_a_number_that_the_platform_does_not_know(world: World) -> None:
    account = await world.account("code", phone="+6599999999")
    failed = await world.step(account, "start")
    assert (failed["status"], failed["last_error"]) == ("failed", "no_such_number")


# -- sessions ------------------------------------------------------------------------------------------------


async def test_by_a_session_in_the_body(world: World) -> None:
    account = await world.account("session")
    state = await world.api.data("GET", f"/v1/accounts/{account}/auth")
    assert [field["type"] for field in state["auth_fields"]] == ["session_url", "pin"]
    done = await world.step(account, "session", {"session": world.platform.logins.export(PHONE)})
    assert done["status"] == "authorized"
    await world.running(account)


async def test_a_session_that_is_none(world: World) -> None:
    account = await world.account("session")
    failed = await world.step(account, "session", {"session": "nonsense"})
    assert (failed["status"], failed["last_error"]) == ("failed", "invalid_session")
    gone = await world.step(account, "session", {"session": "device-of-nobody"})
    assert (gone["status"], gone["last_error"]) == ("failed", "invalid_credentials")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "session_url"),
        ({"session_url": "http://127.0.0.1/s"}, "session_url"),
        ({"session_url": "https://169.254.169.254/s"}, "session_url"),
        ({"session_url": "https://127.0.0.1:1/secret-of-the-url"}, "session_url"),
        ({"session_url": "https://x.example/s", "session": "x"}, "session_url"),
        ({"session": 7}, "session"),
        ({"session": "x", "pin": ""}, "pin"),
        ({"session": "x", "proxy_config": {"host": ""}}, "proxy_config"),
        ({"session": "x", "proxy_config": {"host": "10.0.0.1", "port": 1, "type": "http"}}, "proxy_config"),
    ],
)
async def test_an_import_that_is_refused_changes_nothing(world: World, body: Any, field: str) -> None:
    account = await world.account("session")
    response = await world.api("POST", f"/v1/accounts/{account}/auth/session", body)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (400, "invalid_request")
    assert error["message"].startswith(field)
    assert "secret-of-the-url" not in response.text
    state = await world.api.data("GET", f"/v1/accounts/{account}/auth")
    assert state["status"] == "pending_auth"


# -- what may follow what ------------------------------------------------------------------------------------


async def test_steps_of_another_way(world: World) -> None:
    unsupported = (400, "unsupported_provider_auth_mode")
    by_qr, by_code = await world.account("qrcode"), await world.account("code", phone=PHONE)
    by_session, by_token = await world.account("session"), await world.account("token", token="x" * 9)
    assert await world.refused(by_qr, "session", {"session": "x"}) == unsupported
    assert await world.refused(by_code, "qr/start") == unsupported
    assert await world.refused(by_code, "qr/check") == unsupported
    assert await world.refused(by_session, "start") == unsupported
    assert await world.refused(by_session, "code", {"code": "1"}) == unsupported
    for step, body in (("qr/start", None), ("code", {"code": "1"}), ("session", {"session": "x"})):
        assert await world.refused(by_token, step, body) == unsupported
    for step, body in (("code", {"code": "1"}), ("password", {"password": "1"})):
        assert await world.refused(by_code, step, body) == (400, "invalid_request")
    assert await world.refused(by_qr, "qr/check") == (400, "invalid_request")
    wrong: list[dict[str, Any]] = [{}, {"code": ""}, {"code": 7}, {"code": "x" * 300}]
    for body in wrong:
        assert await world.refused(by_code, "code", body) == (400, "invalid_request")


async def test_whoever_is_logged_in_stays_so(world: World) -> None:
    account = await world.account("qrcode")
    await world.log_in_by_qr(account)
    taken = (409, "account_already_authorized")
    assert await world.refused(account, "qr/start") == taken
    assert await world.refused(account, "start") == taken
    assert await world.refused(account, "password", {"password": "x"}) == taken
    assert world.platform.logins.logged_out == []


async def test_start_before_anybody_has_logged_in(world: World) -> None:
    account = await world.account("qrcode")
    response = await world.api("POST", f"/v1/accounts/{account}/runtime/start")
    assert (response.status_code, response.json()["error"]["code"]) == (409, "account_binding_not_found")
    sent = await world.api(
        "POST",
        "/v1/messages",
        {
            "account_id": account,
            "to": {"id": "chat-1", "type": "user"},
            "message": {"type": "text", "text": "x"},
        },
    )
    assert (sent.status_code, sent.json()["error"]["code"]) == (409, "account_binding_not_found")
    why = await world.api.data("GET", f"/v1/accounts/{account}/explain")
    assert "log it in" in why["action"]


async def test_cancelled_while_it_waits(world: World) -> None:
    account = await world.account("qrcode")
    shown = await world.step(account, "qr/start")
    state = await world.step(account, "cancel")
    assert (state["status"], "auth_payload" in state) == ("pending_auth", False)
    world.platform.logins.scan(shown["auth_payload"]["qr_code"], PHONE)  # too late
    await world.log_in_by_qr(account)


async def test_cancelled_when_it_is_logged_in(world: World) -> None:
    logins, account = world.platform.logins, await world.account("qrcode")
    await world.log_in_by_qr(account)
    [key] = logins.devices
    state = await world.step(account, "cancel")
    assert state["status"] == "pending_auth"
    assert logins.logged_out == [key]
    shown = await world.api.data("GET", f"/v1/accounts/{account}")
    assert (shown["runtime_status"], "provider_account_ref" in shown) == ("stopped", False)
    await world.log_in_by_qr(account)
    assert len(logins.devices) == 1


async def test_a_device_that_its_user_removes(world: World) -> None:
    logins, account = world.platform.logins, await world.account("qrcode")
    await world.log_in_by_qr(account)
    [key] = logins.devices
    logins.unlink(key)
    world.platform.write("anybody there?", "user-1")
    await world.status(account, "failed")
    await world.inbox.until(lambda: len(world.of(account, "account.auth.required")) == 2)
    assert [e["data"]["last_error"] for e in world.of(account, "account.auth.failed")] == [
        "invalid_credentials"
    ]
    await world.log_in_by_qr(account)
    world.platform.write("now there is", "user-1")
    await world.inbox.until(
        lambda: "now there is" in [e["text"] for e in world.of(account, "message.received")]
    )


async def test_deleting_logs_out(world: World) -> None:
    logins, account = world.platform.logins, await world.account("qrcode")
    await world.log_in_by_qr(account)
    [key] = logins.devices
    assert (await world.api("DELETE", f"/v1/accounts/{account}")).status_code == 204
    assert logins.logged_out == [key]


async def test_deleting_while_a_login_waits(world: World) -> None:
    account = await world.account("qrcode")
    await world.step(account, "qr/start")
    assert (await world.api("DELETE", f"/v1/accounts/{account}")).status_code == 204
    assert (await world.api("GET", f"/v1/accounts/{account}/auth")).status_code == 404


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
