"""Logins with a human, on the reference platform: QR, code, second factor, a code that is shown,
an exported session.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.login_world import World, a_world
from tests.harness import Client
from tests.reference.platform import PHONE, SECRETIVE
from tests.reference.serving import CHANNEL, TYPED


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


async def test_an_address_in_a_session_is_ignored(world: World) -> None:
    account = await world.account("session")
    elsewhere = {"api_url": "http://127.0.0.1:1", "host": "evil.example", "port": 1}
    session = {"key": world.platform.logins.export(PHONE), **elsewhere}
    assert (await world.step(account, "session", {"session": session}))["status"] == "authorized"
    await world.running(account)


async def test_a_session_that_is_too_long(world: World) -> None:
    account = await world.account("session")
    response = await world.api(
        "POST", f"/v1/accounts/{account}/auth/session", {"session": "canary" * 200_000}
    )
    assert response.status_code == 413
    assert "canary" not in response.text


async def test_a_session_that_is_none(world: World) -> None:
    account = await world.account("session")
    failed = await world.step(account, "session", {"session": "nonsense"})
    assert (failed["status"], failed["last_error"]) == ("failed", "invalid_session")
    assert failed["auth_payload"]["detail"] == "it is no key of a device"
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
