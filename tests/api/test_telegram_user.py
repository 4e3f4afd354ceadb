"""Personal accounts of Telegram through the API: how they log in, and how a login ends."""

import base64
import os
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_quarantine import owner_of
from tests.telegram_world import MEI, SHOP, TelegramWorld, telegram_world
from unifyport.protocols.mtproto.encryption import AuthKey
from unifyport.providers.telegram.user.session_formats import Exported, read_exported, to_telethon
from unifyport.sandbox.telegram.user.authorizations import Authorization


async def test_logged_in_by_a_code(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        made = await world.do("account", phone=SHOP, name="Shop", username="shop")
        code = await world.start_by_code(SHOP)
        asked = await world.auth(SHOP, "awaiting_code")
        delivery = asked["auth_payload"]["code_delivery"]
        assert delivery["type"] == "app"
        assert delivery["length"] == len(code)
        await world.give(SHOP, "code", code)
        account = await world.running(SHOP)
        assert account["provider_account_ref"] == str(made["id"])
        assert account["provider_profile"]["phone"] == f"+{SHOP}"
        assert account["provider_profile"]["username"] == "shop"


async def test_a_code_that_is_wrong_is_asked_for_again(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        code = await world.start_by_code(SHOP)
        wrong = f"{(int(code) + 1) % 100_000:05}"
        await world.give(SHOP, "code", wrong)
        path = f"/v1/accounts/{world.ids[SHOP]}/auth"
        asked = await world.api.until(lambda auth: auth.get("last_error") == "invalid_code", path)
        assert asked["status"] == "awaiting_code"
        await world.give(SHOP, "code", code)
        await world.running(SHOP)


async def test_a_code_that_has_expired_ends_the_login(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        code = await world.start_by_code(SHOP)
        await world.do("code", phone=SHOP, expire=True)
        await world.give(SHOP, "code", code)
        failed = await world.auth(SHOP, "failed")
        assert failed["last_error"] == "code_expired"
        await world.inbox.until(lambda: world.received(SHOP, "account.auth.failed"))
        [event] = world.received(SHOP, "account.auth.failed")
        assert event["data"]["auth_status"] == "failed"
        assert event["data"]["last_error"] == "code_expired"
        await world.give(SHOP, "code", await world.start_by_code(SHOP))  # a new login gets a new code
        await world.running(SHOP)


@pytest.mark.parametrize("dc", [2, 4])
async def test_a_password_is_asked_for_with_its_hint_at_any_data_centre(tmp_path: Path, dc: int) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP, password="correct horse", hint="a horse", dc=dc)
        await world.give(SHOP, "code", await world.start_by_code(SHOP))
        asked = await world.auth(SHOP, "awaiting_password")
        assert asked["auth_payload"]["password_hint"] == "a horse"
        await world.give(SHOP, "password", "correct horse")
        await world.running(SHOP)


async def test_a_wrong_password_ends_the_login(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP, password="correct horse")
        await world.give(SHOP, "code", await world.start_by_code(SHOP))
        await world.auth(SHOP, "awaiting_password")
        await world.give(SHOP, "password", "wrong horse")
        failed = await world.auth(SHOP, "failed")
        assert failed["last_error"] == "invalid_password"
        await world.inbox.until(lambda: world.received(SHOP, "account.auth.failed"))


@pytest.mark.parametrize("dc", [2, 4])
async def test_logged_in_by_a_qr_code(tmp_path: Path, dc: int) -> None:
    async with telegram_world(tmp_path) as world:
        made = await world.do("account", phone=SHOP, dc=dc)
        await world.do("scan", qr=await world.start_by_qr(SHOP), phone=SHOP)
        account = await world.running(SHOP)
        assert account["provider_account_ref"] == str(made["id"])


@pytest.mark.parametrize("dc", [2, 4])
async def test_a_qr_code_and_a_password(tmp_path: Path, dc: int) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP, dc=dc, password="correct horse", hint="a horse")
        await world.do("scan", qr=await world.start_by_qr(SHOP), phone=SHOP)
        asked = await world.auth(SHOP, "awaiting_password")
        assert asked["auth_payload"]["password_hint"] == "a horse"
        await world.give(SHOP, "password", "correct horse")
        await world.running(SHOP)


async def test_a_connection_lost_while_the_human_types_is_opened_again(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        code = await world.start_by_code(SHOP)
        [former] = world.user_platform.links
        await world.do("cut")
        await world.give(SHOP, "code", code)
        await world.running(SHOP)
        assert former not in world.user_platform.links


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"do": "revoke", "phone": SHOP}, "session_revoked"),
        ({"do": "revoke", "phone": SHOP, "error": "AUTH_KEY_UNREGISTERED"}, "auth_key_unregistered"),
        ({"do": "revoke", "phone": SHOP, "error": "AUTH_KEY_DUPLICATED", "code": 406}, "auth_key_duplicated"),
        ({"do": "revoke", "phone": SHOP, "forget": True}, "auth_key_unknown"),
        ({"do": "delete_account", "phone": SHOP}, "user_deactivated"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_login_that_ends_while_it_runs(tmp_path: Path, order: dict[str, Any], reason: str) -> None:
    async with telegram_world(tmp_path) as world:
        await world.link(SHOP)
        await world.order("updates", **order)
        failed = await world.auth(SHOP, "failed")
        assert failed["last_error"] == reason
        await world.account(SHOP, "disconnected")
        await world.inbox.until(lambda: world.received(SHOP, "account.auth.failed"))
        [event] = world.received(SHOP, "account.auth.failed")
        assert event["data"]["last_error"] == reason
        refused = await world.send(SHOP, "1")
        assert refused.status_code == 409


async def test_a_number_without_an_account_is_told_to_sign_up(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.create(SHOP, "code")
        await world.give(SHOP, "code", await world.start_by_code(SHOP))
        failed = await world.auth(SHOP, "failed")
        assert failed["last_error"] == "sign_up_required"


async def test_an_account_that_is_deleted_logs_out_at_the_platform(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.link(SHOP)
        person = world.user_platform.server.directory.by_phone(SHOP)
        assert person is not None
        assert len(person.authorizations) == 1
        assert (await world.api("DELETE", f"/v1/accounts/{world.ids[SHOP]}")).is_success
        assert person.authorizations == []


async def test_a_salt_that_changes_and_a_cut_cost_nothing(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.link(SHOP)
        await world.do("new_salt")
        await world.do("cut")
        await world.api.until(
            lambda found: found["runtime_status"] == "running" and len(world.user_platform.links) == 1,
            f"/v1/accounts/{world.ids[SHOP]}",
        )
        await world.do("forget_sessions")
        mei = str((await world.do("account", phone=MEI, name="Mei"))["id"])
        await world.order("messages", **{"from": MEI, "to": SHOP, "text": "hello"})
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])
        assert (await world.send(SHOP, mei, "hello Mei")).status_code == 200
        await world.running(SHOP)


@pytest.mark.parametrize("program", ["telethon", "pyrogram"])
async def test_an_imported_session_is_used_at_the_address_of_our_table(tmp_path: Path, program: str) -> None:
    async with telegram_world(tmp_path) as world:
        made = await world.do("account", phone=SHOP)
        key = foreign_login(world, SHOP)
        if program == "telethon":
            session = to_telethon(2, key, "198.51.100.7", 1)
        else:
            packed = struct.pack(">BI?256sQ?", 2, 1, False, key, made["id"], False)
            session = base64.urlsafe_b64encode(packed).rstrip(b"=").decode()
        await world.create(SHOP, "session")
        path = f"/v1/accounts/{world.ids[SHOP]}/auth/session"
        await world.api.data("POST", path, {"session": session})
        account = await world.running(SHOP)
        assert account["provider_account_ref"] == str(made["id"])


async def test_a_session_that_is_revoked_is_not_imported(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.create(SHOP, "session")
        session = to_telethon(2, bytes(range(256)), "198.51.100.7", 1)
        await world.api.http.post(f"/v1/accounts/{world.ids[SHOP]}/auth/session", json={"session": session})
        failed = await world.auth(SHOP, "failed")
        assert failed["last_error"] == "invalid_session"


def foreign_login(world: TelegramWorld, phone: str) -> bytes:
    """The key of a device that another program has logged in."""
    platform = world.user_platform
    person = platform.server.directory.by_phone(phone)
    assert person is not None
    key = AuthKey(os.urandom(256))
    authorization = Authorization(key, 2, 1)
    authorization.person = person
    person.authorizations.append(authorization)
    platform.server.centres[2].authorizations[key.id] = authorization
    return key.value


async def test_a_wait_before_a_code_is_sent_says_until_when(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        await world.do("account", phone=SHOP)
        await world.do("flood", method="auth.sendCode", seconds=60_259)
        await world.create(SHOP, "code")
        await world.api("POST", f"/v1/accounts/{world.ids[SHOP]}/auth/start")
        failed = await world.auth(SHOP, "failed")
        assert failed["last_error"] == "rate_limited"
        left = datetime.fromisoformat(failed["auth_payload"]["retry_at"]) - datetime.now(UTC)
        assert 60_000 < left.total_seconds() <= 60_259


async def test_the_owner_exports_the_session_of_a_stopped_account(tmp_path: Path) -> None:
    async with telegram_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        path = f"/v1/accounts/{id_}/auth/session/export"
        refused = await world.api("POST", path)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "owner_only")
        async with owner_of(tmp_path) as owner:
            refused = await owner.post(path)
            assert refused.status_code == 400
            assert "must be stopped first" in refused.text
            await world.api.data("POST", f"/v1/accounts/{id_}/runtime/stop")
            await world.account(SHOP, "stopped")
            exported = (await owner.post(path)).json()["data"]["session"]
        person = world.user_platform.server.directory.by_phone(SHOP)
        assert person is not None
        [authorization] = person.authorizations
        assert read_exported(exported.encode()) == Exported(2, authorization.key.value)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/start")
        await world.running(SHOP)
