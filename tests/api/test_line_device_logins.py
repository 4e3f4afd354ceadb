"""Logins of a device of LINE and their tokens: in a terminal, after a restart, and when tokens change."""

from pathlib import Path

import pytest

from tests.cli.test_login import Terminal
from tests.harness import endpoint, free_port, gateway, public, receiver, sandbox, settings_of
from tests.line_device_world import MEI, SHOP, LineDeviceWorld, line_device_world
from tests.linked_world import ALL, QUICK
from unifyport.model.structuring import Problems
from unifyport.providers.line.device.records import Me
from unifyport.sandbox.line.device.world import mid_of


async def test_by_qr_code_and_pin_in_a_terminal(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        await world.do("account", name=SHOP)
        body = {"provider": "line", "auth_mode": "qrcode"}
        id_ = (await world.api.data("POST", "/v1/accounts", body))["id"]
        async with Terminal(world.api, id_) as terminal:
            shown: dict[str, str] = {}
            while "qr_code" not in shown:
                shown = (await terminal.state()).get("auth_payload", {})
            await world.do("scan", qr=shown["qr_code"], name=SHOP)
            while "pin" not in shown:
                shown = (await terminal.state()).get("auth_payload", {})
            await world.do("enter_pin", pin=shown["pin"], name=SHOP)
            while (await terminal.state())["status"] != "authorized":
                continue
            assert await terminal.ended() == 0


async def test_what_line_says_of_the_account_is_told_and_bounded(tmp_path: Path) -> None:
    async with line_device_world(tmp_path) as world:
        said = {"status_message": "x" * 100_000, "picture_path": "/" + "p" * 100_000, "region": "TH"}
        await world.link(SHOP, **said)
        await world.inbox.until(lambda: world.received(SHOP, "account.auth.succeeded"))
        [event] = world.received(SHOP, "account.auth.succeeded")
        told = event["data"]
        assert (told["region"], told["display_name"], told["picture_url"]) == ("TH", SHOP, "")
        assert told["status_message"] == "x" * 512
        account = await world.api.data("GET", f"/v1/accounts/{world.ids[SHOP]}")
        assert account["provider_profile"]["region"] == "TH"
        assert account["region"] == "global"


async def test_a_login_after_a_restart_needs_no_pin(tmp_path: Path) -> None:
    """The certificate is that of the session before, also where the rest of it cannot be read."""
    async with sandbox() as platform, receiver() as inbox:
        file = endpoint(inbox.url, events=ALL) + platform.sandbox.config() + QUICK
        settings = settings_of(tmp_path, file, **public(free_port()))
        async with gateway(settings) as api:
            world = LineDeviceWorld(platform, inbox, api)
            await world.do("account", name=MEI)
            id_ = await world.link(SHOP)
        await world.do("log_out", name=SHOP)
        async with gateway(settings) as api:
            world.api = api
            await api.until(lambda a: a["runtime_status"] == "disconnected", f"/v1/accounts/{id_}")
            await api.data("POST", f"/v1/accounts/{id_}/auth/qr/start")
            await world.do("scan", qr=await world.until_auth(SHOP, "qr_code"), name=SHOP)
            await world.running(SHOP)
            await world.sends(SHOP, MEI, "back")
        assert [call["method"] for call in world.line.connections].count("createPinCode") == 1


async def test_a_session_that_cannot_be_read_costs_a_login_with_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line_device_world(tmp_path) as world:
        with monkeypatch.context() as patched:
            patched.setattr(Me, "dump", lambda me: b"\xc1")
            await world.do("scan", qr=await world.begin(SHOP), name=SHOP)
            await world.do("enter_pin", pin=await world.until_auth(SHOP, "pin"), name=SHOP)
            path = f"/v1/accounts/{world.ids[SHOP]}"
            await world.api.until(lambda found: found["why"] == "session_unreadable", f"{path}/explain")
        await world.api.data("POST", f"{path}/auth/qr/start")
        await world.do("scan", qr=await world.until_auth(SHOP, "qr_code"), name=SHOP)
        await world.do("enter_pin", pin=await world.until_auth(SHOP, "pin"), name=SHOP)
        await world.running(SHOP)


async def test_tokens_that_change_while_it_runs(tmp_path: Path) -> None:
    """A refresh rotates both tokens; an answer brings the next access token."""
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.do("rotate_refresh", name=SHOP)
        device = world.device(SHOP)
        for number in range(2):
            known = device.access, device.refresh
            await world.do("expire_token", name=SHOP)
            await world.sends(SHOP, MEI, f"refreshed {number}")
            assert device.access != known[0]
            assert device.refresh != known[1]
            access = device.access
            await world.do("next_access", name=SHOP)
            await world.sends(SHOP, MEI, f"before {number}")
            assert device.access != access
            await world.sends(SHOP, MEI, f"after {number}")
            await world.says(MEI, SHOP, f"from Mei {number}")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 2)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/stop")
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/start")
        await world.running(SHOP)
        await world.sends(SHOP, MEI, "with the tokens that were kept")
        assert [call["method"] for call in world.line.connections].count("refresh") == 2
        assert world.account(SHOP).devices == [device]


@pytest.mark.parametrize(
    ("field", "value"),
    [("device_type", "TOASTER"), ("device_version", "1.x"), ("device_name", ""), ("device_name", "a\tb")],
)
def test_wrong_settings_are_mistakes_of_the_file(tmp_path: Path, field: str, value: str) -> None:
    with pytest.raises(Problems, match=field):
        settings_of(tmp_path, f"[providers.line]\n{field} = {value!r}\n".replace("'", '"'))


async def test_a_history_that_is_refused_is_said_to_be_cut(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with line_device_world(tmp_path) as world:
        id_ = await world.link(SHOP)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/stop")
        for number in range(30):
            await world.says(MEI, SHOP, f"message {number}")
        await world.do("lose_operations", name=SHOP)
        await world.do("refuse", method="getPreviousMessagesV2WithRequest", code=1)
        await world.api.data("POST", f"/v1/accounts/{id_}/runtime/start")
        await world.inbox.until(lambda: len(world.texts(SHOP)) == 20)
        assert "refused older messages of a chat (not_permitted)" in caplog.text
        assert world.received(SHOP)[0]["data"]["conversation"]["id"] == mid_of(MEI)
