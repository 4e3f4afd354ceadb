"""Each step of a login through the API, on the reference platform: what is shown, how it is answered."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.account.explanation import ACTIONS
from tests.api.login_world import World, a_world
from tests.reference.logins import ORIGIN
from tests.reference.platform import PHONE, SECRETIVE
from tests.reference.serving import CONSENTING, WITH_CONSENT
from unifyport.model.auth import MAX_PASSKEY_ANSWER


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with a_world(tmp_path) as made:
        yield made


async def asked_for_passkey(world: World) -> tuple[str, Any]:
    world.platform.logins.users[PHONE].passkey = "key-1"
    account = await world.account("code", phone=PHONE)
    await world.step(account, "start")
    return account, await world.step(account, "code", {"code": "12345"})


def result_of(state: Any, **more: str) -> str:
    challenge = state["auth_payload"]["passkey"]["public_key"]["challenge"]
    return json.dumps({"id": "key-1", "challenge": challenge, **more})


async def test_how_a_code_is_delivered_and_the_hint_of_a_password(world: World) -> None:
    world.platform.logins.users[SECRETIVE].hint = "the dog"
    account = await world.account("code", phone=SECRETIVE)
    asked = await world.step(account, "start")
    delivery = {"type": "sms", "length": 5, "next_type": "call", "timeout": 60}
    assert asked["auth_payload"]["code_delivery"] == delivery
    assert [field["type"] for field in asked["auth_fields"]] == ["code"]
    factor = await world.step(account, "code", {"code": "12345"})
    assert factor["auth_payload"]["password_hint"] == "the dog"
    await world.inbox.until(lambda: len(world.of(account, "account.auth.required")) == 2)
    first, second = world.of(account, "account.auth.required")
    assert first["data"]["auth_payload"]["code_delivery"] == delivery
    assert second["data"]["auth_payload"]["password_hint"] == "the dog"


async def test_a_pin_and_a_tap_in_the_app(world: World) -> None:
    logins = world.platform.logins
    logins.users[PHONE].pin, logins.users[PHONE].confirms = "4711", True
    account = await world.account("qrcode")
    shown = await world.step(account, "qr/start")
    logins.scan(shown["auth_payload"]["qr_code"], PHONE)
    path = f"/v1/accounts/{account}/auth"
    state = await world.api.until(lambda s: "confirm_on_phone" in s["auth_payload"], path)
    assert state["status"] == "awaiting_qr_scan"
    wanted = {"display_name": "Mei", "picture_url": f"{ORIGIN}/1.png"}
    assert state["auth_payload"]["confirm_on_phone"] == wanted
    assert "url" not in state["auth_payload"]
    logins.confirm(logins.newest)
    await world.running(account)
    await world.inbox.until(lambda: len(world.of(account, "account.auth.required")) == 3)
    payloads = [event["data"]["auth_payload"] for event in world.of(account, "account.auth.required")]
    assert [payload.get("pin") for payload in payloads] == [None, "4711", None]
    assert payloads[1]["qr_code"] == shown["auth_payload"]["qr_code"]


# -- passcodes -----------------------------------------------------------------------------------------------


async def test_the_last_guesses_of_a_passcode_need_a_word(world: World) -> None:
    user = world.platform.logins.users[PHONE]
    user.passcode, user.guesses = "2580", 3
    account = await world.account("code", phone=PHONE)
    await world.step(account, "start")
    asked = await world.step(account, "code", {"code": "12345"})
    assert (asked["status"], asked["auth_payload"]["ask_passcode"]) == (
        "awaiting_password",
        {"guesses_left": 3},
    )
    assert [field["type"] for field in asked["auth_fields"]] == ["password"]
    for body in ({"password": "2580"}, {"password": "2580", "confirm_last_guesses": False}):
        response = await world.api("POST", f"/v1/accounts/{account}/auth/password", body)
        assert response.status_code == 400
        assert response.json()["error"]["message"].startswith("confirm_last_guesses")
        assert "2580" not in response.text
    assert user.guesses == 3  # the platform was not asked
    body = {"password": "2580", "confirm_last_guesses": True}
    assert (await world.step(account, "password", body))["status"] == "authorized"


async def test_a_wrong_passcode_ends_the_login(world: World) -> None:
    user = world.platform.logins.users[PHONE]
    user.passcode = "2580"
    account = await world.account("code", phone=PHONE)
    await world.step(account, "start")
    await world.step(account, "code", {"code": "12345"})
    failed = await world.step(account, "password", {"password": "0000"})
    assert (failed["status"], failed["last_error"]) == ("failed", "invalid_passcode")
    assert failed["auth_payload"] == {"guesses_left": 4}
    await world.inbox.until(lambda: bool(world.of(account, "account.auth.failed")))
    [event] = world.of(account, "account.auth.failed")
    assert event["data"]["guesses_left"] == 4
    again = await world.step(account, "start")
    assert "guesses_left" not in again.get("auth_payload", {})


async def test_a_token_account_asks_for_consent_and_a_passcode(tmp_path: Path) -> None:
    public = 'public_url = "http://127.0.0.1:1"'
    async with a_world(tmp_path, WITH_CONSENT, CONSENTING, server=public) as world:
        logins = world.platform.logins
        logins.users[PHONE].passcode = "2580"
        account = await world.account("token", CONSENTING)
        assert (await world.api.data("GET", f"/v1/accounts/{account}/auth"))["status"] == "pending_auth"
        shown = await world.step(account, "start")
        await world.api("GET", logins.consent(shown["auth_payload"]["page_url"], PHONE))
        await world.status(account, "awaiting_password")
        assert (await world.step(account, "password", {"password": "2580"}))["status"] == "authorized"
        assert (await world.running(account))["provider_account_ref"] == "user-1"


async def test_a_token_account_that_could_ask_for_consent_starts_by_its_token(tmp_path: Path) -> None:
    public = 'public_url = "http://127.0.0.1:1"'
    async with a_world(tmp_path, WITH_CONSENT, CONSENTING, server=public) as world:
        logins = world.platform.logins
        token = logins.export(PHONE)
        account = await world.account("token", CONSENTING, token=token)
        assert (await world.running(account))["provider_account_ref"] == "user-1"
        logins.unlink(token)  # its user removes it
        await world.api("POST", f"/v1/accounts/{account}/runtime/reconnect")
        await world.status(account, "failed")
        shown = await world.step(account, "start")  # now a human is asked
        assert shown["status"] == "awaiting_code"
        refused = await world.api("POST", f"/v1/accounts/{account}/runtime/start")
        assert refused.status_code == 409
        await world.api("GET", logins.consent(shown["auth_payload"]["page_url"], PHONE))
        await world.status(account, "authorized")
        assert (await world.running(account))["provider_account_ref"] == "user-1"


# -- passkeys ------------------------------------------------------------------------------------------------


async def test_by_passkey(world: World) -> None:
    account, asked = await asked_for_passkey(world)
    assert asked["status"] == "awaiting_code"
    assert asked["auth_payload"]["passkey"]["origin"] == ORIGIN
    assert asked["auth_payload"]["passkey"]["public_key"]["rpId"] == "reference.example"
    assert asked["auth_payload"]["page_url"].startswith("http")
    assert "auth_fields" not in asked  # no code of the platform is asked for
    assert "url" not in asked["auth_payload"]
    done = await world.step(account, "code", {"code": result_of(asked)})
    assert done["status"] == "authorized"
    await world.running(account)


async def test_a_passkey_of_another(world: World) -> None:
    account, asked = await asked_for_passkey(world)
    failed = await world.step(account, "code", {"code": result_of(asked, id="key-2")})
    assert (failed["status"], failed["last_error"]) == ("failed", "invalid_passkey")


async def test_how_long_a_code_may_be(world: World) -> None:
    account = await world.account("code", phone=PHONE)
    world.platform.logins.users[PHONE].passkey = "key-1"
    await world.step(account, "start")
    assert await world.refused(account, "code", {"code": "1" * 257}) == (400, "invalid_request")
    assert (await world.step(account, "code", {"code": "1" * 256}))["last_error"] == "invalid_code"
    asked = await world.step(account, "code", {"code": "12345"})
    assert "passkey" in asked["auth_payload"]
    long = result_of(asked) + " " * MAX_PASSKEY_ANSWER
    too_long = {"code": long[: MAX_PASSKEY_ANSWER + 1]}
    assert await world.refused(account, "code", too_long) == (400, "invalid_request")
    done = await world.step(account, "code", {"code": long[:MAX_PASSKEY_ANSWER]})
    assert done["status"] == "authorized"


# -- identities, ends, reasons -------------------------------------------------------------------------------


async def test_a_login_again_as_somebody_else_replaces_nothing(world: World) -> None:
    logins, account = world.platform.logins, await world.account("qrcode")
    await world.log_in_by_qr(account)
    [key] = logins.devices
    logins.unlink(key)
    world.platform.write("anybody there?", "user-1")
    await world.status(account, "failed")
    shown = await world.step(account, "qr/start")
    logins.scan(shown["auth_payload"]["qr_code"], "+6590000003")
    state = await world.api.until(
        lambda s: s.get("last_error") == "identity_changed", f"/v1/accounts/{account}/auth"
    )
    assert state["status"] == "failed"
    found = await world.api.data("GET", f"/v1/accounts/{account}")
    assert (found["provider_account_ref"], found["provider_profile"]["display_name"]) == ("user-1", "Mei")
    await world.api.until(lambda _: not logins.devices, f"/v1/accounts/{account}/auth")  # logged out again
    await world.log_in_by_qr(account)


async def test_deleted_while_its_login_fails(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever comes first, an ordinary failure leaves no traceback."""
    for round_ in range(6):
        account = await world.account("code", phone=PHONE)
        await world.step(account, "start")
        world.platform.logins.give_up(world.platform.logins.newest)
        for _ in range(round_ * 15):
            await world.api("GET", "/healthz") if round_ % 2 else None
        assert (await world.api("DELETE", f"/v1/accounts/{account}")).status_code == 204
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    assert not any(record.levelno >= logging.ERROR for record in caplog.records)


async def test_a_send_that_finds_the_login_void_says_why(world: World) -> None:
    logins, account = world.platform.logins, await world.account("code", phone=PHONE)
    await world.step(account, "start")
    await world.step(account, "code", {"code": "12345"})
    await world.running(account)
    logins.devices.clear()
    body = {
        "account_id": account,
        "to": {"id": "chat-1", "type": "user"},
        "message": {"type": "text", "text": "x"},
    }
    for _ in range(2):  # the one that finds it, and the one that comes after it
        response = await world.api("POST", "/v1/messages", body)
        error = response.json()["error"]
        assert (response.status_code, error["code"]) == (409, "account_binding_not_found")
        assert "invalid_credentials" in error["message"]
        await world.status(account, "failed")
    found = await world.api.data("GET", f"/v1/accounts/{account}/explain")
    assert (found["why"], found["action"]) == ("invalid_credentials", ACTIONS["invalid_credentials"])
