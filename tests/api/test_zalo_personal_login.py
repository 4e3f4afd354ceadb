"""How a personal account of Zalo is logged in: QR codes, and sessions of a browser."""

from pathlib import Path

import pytest

from tests.zalo_world import MAI, SHOP, zalo_world
from unifyport.providers.zalo.personal import linking


async def test_who_scans_a_code_is_asked_to_confirm_on_the_phone(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        id_ = await world.account(SHOP)
        await world.api.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
        shown = await world.shown(SHOP)
        await world.do("scan", qr=shown["qr_code"], user=SHOP)
        asked = await world.shown(SHOP, 2)
        assert asked["confirm_on_phone"]["display_name"] == "User 3"
        assert (await world.auth(SHOP, "awaiting_qr_scan"))["auth_payload"]["sequence"] == 2
        await world.do("confirm", qr=shown["qr_code"])
        await world.running(SHOP)


async def test_a_login_that_is_declined_on_the_phone(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        id_ = await world.account(SHOP)
        await world.api.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
        shown = await world.shown(SHOP)
        await world.do("scan", qr=shown["qr_code"], user=SHOP)
        await world.shown(SHOP, 2)
        await world.do("decline", qr=shown["qr_code"])
        assert (await world.auth(SHOP, "failed"))["last_error"] == "login_declined"


async def test_a_code_that_has_expired_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linking, "QR_SECONDS", 0.3)
    async with zalo_world(tmp_path) as world:
        id_ = await world.account(SHOP)
        await world.api.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
        codes = [(await world.shown(SHOP, sequence))["qr_code"] for sequence in (1, 2, 3)]
        assert len(set(codes)) == 3
        monkeypatch.setattr(linking, "QR_SECONDS", 60.0)
        last = (await world.shown(SHOP, 4))["qr_code"]
        await world.do("scan", qr=last, user=SHOP, confirm=True)
        await world.running(SHOP)


async def test_a_code_that_the_platform_forgets_is_replaced(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        id_ = await world.account(SHOP)
        await world.api.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
        await world.do("expire", qr=(await world.shown(SHOP))["qr_code"])
        await world.do("scan", qr=(await world.shown(SHOP, 2))["qr_code"], user=SHOP, confirm=True)
        await world.running(SHOP)


async def test_a_code_that_is_not_scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.account.dialog.SHOWN_SECONDS", 0.3)
    async with zalo_world(tmp_path) as world:
        id_ = await world.account(SHOP)
        await world.api.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
        assert (await world.auth(SHOP, "failed"))["last_error"] == "qrcode_expired"


async def test_the_session_of_a_browser(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        await world.account(SHOP, "session")
        exported = await world.do("export", user=SHOP)
        taken = await world.give_session(SHOP, exported)
        assert taken.is_success, taken.text
        account = await world.running(SHOP)
        assert account["provider_account_ref"] == SHOP
        assert account["provider_profile"]["display_name"] == "User 3"
        await world.write(MAI, SHOP)
        await world.inbox.until(lambda: world.texts(SHOP) == ["hello"])
        assert (await world.send(SHOP, MAI)).status_code == 200


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("cookie", "the cookie zpw_sek is missing"),
        ("userAgent", "Zalo does not accept this session any more"),
        ("imei", "imei, userAgent or language is missing"),
        ("ended", "Zalo does not accept this session any more"),
        ("not JSON", "it is not a JSON object"),
    ],
)
async def test_a_session_that_cannot_be_used(tmp_path: Path, change: str, why: str) -> None:
    async with zalo_world(tmp_path) as world:
        id_ = await world.account(SHOP, "session")
        asked = (await world.api.data("GET", f"/v1/accounts/{id_}/auth"))["auth_fields"]
        assert [field["type"] for field in asked] == ["session_url"]
        exported = await world.do("export", user=SHOP)
        match change:
            case "cookie":
                exported["cookie"] = exported["cookie"][:1]
            case "userAgent":
                exported["userAgent"] = "Another/1.0"
            case "imei":
                exported["imei"] = ""
            case "ended":
                await world.do("end_session", user=SHOP)
        given = "no object" if change == "not JSON" else exported
        await world.give_session(SHOP, given)
        failed = await world.auth(SHOP, "failed")
        assert failed["last_error"] == "invalid_session"
        assert why in failed["auth_payload"]["detail"]


async def test_an_account_keeps_its_user(tmp_path: Path) -> None:
    async with zalo_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.users(MAI)
        await world.do("end_session", user=SHOP, close=1000)
        await world.auth(SHOP, "failed")
        await world.api.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
        shown = await world.shown(SHOP, 3)
        await world.do("scan", qr=shown["qr_code"], user=MAI, confirm=True)
        path = f"/v1/accounts/{id_}/auth"
        await world.api.until(lambda auth: auth.get("last_error") == "identity_changed", path)
