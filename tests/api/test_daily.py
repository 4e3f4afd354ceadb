"""What a customer of the API uses daily beside sending: workspace, keys, regions, auth steps, capabilities,
proxies.
"""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.harness import (
    KEY,
    TOKEN,
    Client,
    account,
    endpoint,
    gateway,
    receiver,
    sandbox,
    settings_of,
)
from unifyport.providers.registry import PROVIDER_NAMES, standard

OPEN_PROXY = 'proxy_allow = ["127.0.0.1/32"]'


async def refused(api: Client, method: str, path: str, body: Any = None) -> tuple[int, str]:
    response = await api(method, path, body)
    assert not response.is_success, response.text
    return response.status_code, response.json()["error"]["code"]


async def test_workspace(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        changed = await api.data(
            "PATCH", "/v1/workspace", {"name": "Shop", "status": "active", "metadata": {"team": "a"}}
        )
        assert changed == await api.data("GET", "/v1/workspace")
        assert (changed["name"], changed["metadata"], changed["account_quota_unlimited"]) == (
            "Shop",
            {"team": "a"},
            True,
        )
        kept = await api.data("PATCH", "/v1/workspace", {"name": "Shop 2", "status": "paused"})
        assert (kept["name"], kept["status"], kept["metadata"]) == ("Shop 2", "paused", {"team": "a"})
        for body, code in (
            ({"name": "x"}, "invalid_request"),
            ({"name": "x", "status": 5}, "invalid_request"),
            ({"name": "x", "status": "active", "metadata": {"a": 1}}, "invalid_request"),
            ({"name": "", "status": "active"}, "update_workspace_failed"),
            ({"name": "a\nb", "status": "active"}, "update_workspace_failed"),
        ):
            assert await refused(api, "PATCH", "/v1/workspace", body) == (400, code), body
        assert (await api.data("GET", "/v1/workspace"))["name"] == "Shop 2"


async def test_a_workspace_name_from_the_file_stays(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path, '[workspace]\nname = "Declared"\n')) as api:
        body = {"name": "Other", "status": "active"}
        assert await refused(api, "PATCH", "/v1/workspace", body) == (400, "update_workspace_failed")
        body["name"] = "Declared"
        assert (await api.data("PATCH", "/v1/workspace", body))["name"] == "Declared"


async def test_keys_live_and_die_at_once(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        [declared] = await api.data("GET", "/v1/api-keys")
        assert (declared["status"], declared["origin"]) == ("active", "file")
        made = await api("POST", "/v1/api-keys", {"name": "backend"})
        assert made.status_code == 201
        key, record = made.json()["data"]["api_key"], made.json()["data"]["key"]
        assert key.startswith("dk_live_")
        assert record["key_prefix"] == "dk_live"
        mine = Client(str(api.http.base_url), key)
        assert len(await mine.data("GET", "/v1/api-keys")) == 2
        assert key not in (await api("GET", "/v1/api-keys")).text

        path = f"/v1/api-keys/{record['id']}"
        rotated = await api.data("POST", f"{path}/rotate", {"name": "backend 2", "prefix": "dk_test"})
        assert (rotated["key"]["id"], rotated["key"]["key_prefix"]) == (record["id"], "dk_test")
        assert await refused(mine, "GET", "/v1/workspace") == (401, "invalid_api_key")
        mine = Client(str(api.http.base_url), rotated["api_key"])
        await mine.data("GET", "/v1/workspace")
        assert (await mine.data("PATCH", path, {"status": "inactive"}))["status"] == "inactive"
        assert await refused(mine, "GET", "/v1/workspace") == (401, "invalid_api_key")
        assert (await api.data("PATCH", path, {"status": "active"}))["status"] == "active"
        await mine.data("GET", "/v1/workspace")

        for method, where, body, expected in (
            ("POST", "/v1/api-keys", {"name": ""}, (400, "create_api_key_failed")),
            ("POST", "/v1/api-keys", {}, (400, "invalid_request")),
            ("POST", "/v1/api-keys", {"name": "a", "prefix": "no spaces"}, (400, "create_api_key_failed")),
            ("PATCH", path, {"status": "gone"}, (400, "invalid_request")),
            ("PATCH", "/v1/api-keys/ak_none", {"status": "active"}, (404, "not_found")),
            ("POST", f"{path}/rotate", {}, (400, "invalid_request")),
            ("POST", f"/v1/api-keys/{declared['id']}/rotate", {"name": "x"}, (400, "rotate_api_key_failed")),
            (
                "PATCH",
                f"/v1/api-keys/{declared['id']}",
                {"status": "inactive"},
                (400, "update_api_key_failed"),
            ),
        ):
            assert await refused(api, method, where, body) == expected, (method, where, body)


async def test_the_last_active_key_cannot_be_switched_off(tmp_path: Path) -> None:
    config = settings_of(tmp_path)
    async with gateway(config) as api:
        made = await api.data("POST", "/v1/api-keys", {"name": "only"})
    text = config.directory.joinpath("unifyport.toml")
    text.write_text(text.read_text().replace(f'[[api_keys]]\nname = "test"\nkey = "{KEY}"', ""))
    from unifyport.config.settings import load

    async with gateway(load(text, standard())) as api:
        mine = Client(str(api.http.base_url), made["api_key"])
        path = f"/v1/api-keys/{made['key']['id']}"
        expected = (400, "update_api_key_failed")
        assert await refused(mine, "PATCH", path, {"status": "inactive"}) == expected
        other = await mine.data("POST", "/v1/api-keys", {"name": "second"})
        assert (await mine.data("PATCH", path, {"status": "inactive"}))["status"] == "inactive"
        second = Client(str(api.http.base_url), other["api_key"])
        path = f"/v1/api-keys/{other['key']['id']}"
        assert await refused(second, "PATCH", path, {"status": "inactive"}) == expected


# The auth modes of the channels that have more than `token`.
MODES = {
    "whatsapp": ("token", "qrcode", "code"),
    "telegram": ("token", "code", "qrcode", "session"),
    "line": ("token", "qrcode"),
    "zalo": ("token", "qrcode", "session"),
    "x": ("token", "session"),
    "twitter": ("token", "session"),
}


async def test_regions_and_capabilities(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path, '[workspace]\nregions = ["eu", "global"]\n')) as api:
        for provider in PROVIDER_NAMES:
            found = await api.data("GET", f"/v1/providers/{provider}/regions")
            built = standard().find_channel(provider) is not None
            assert found == {
                "provider": provider,
                "regions": [
                    {
                        "region": region,
                        "supported": built,
                        "allocatable": built,
                        "auth_modes": [
                            {"auth_mode": mode, "supported": there, "allocatable": there}
                            for mode in ("token", "qrcode", "code", "session")
                            for there in [built and mode in MODES.get(provider, ("token",))]
                        ],
                    }
                    for region in ("eu", "global")
                ],
            }
        assert await refused(api, "GET", "/v1/providers/signal/regions") == (400, "invalid_provider")
        channels = {c["provider"]: c for c in await api.data("GET", "/v1/capabilities")}
        cloud, *devices = channels["whatsapp"]["connections"]
        assert [device["auth_mode"] for device in devices] == ["qrcode", "code"]
        assert (cloud["auth_mode"], cloud["receive"], cloud["inbound"]) == ("token", ["webhook"], "acked")
        files = {f"send_{kind}" for kind in ("image", "video", "audio", "document")}
        both = {"send_text", "send_contacts", "send_reply", "react_to_message", "mark_read", "show_typing"}
        both |= {"download_media", *files}
        assert set(cloud["capabilities"]) == {*both, "list_message_templates"}
        assert (cloud["window_hours"], cloud["can_start_conversation"]) == (24, True)
        assert cloud["receipts"] == ["sent", "delivered", "read"]
        bot, *users = channels["telegram"]["connections"]
        assert [user["auth_mode"] for user in users] == ["code", "qrcode", "session"]
        assert ("window_hours" in bot, bot["can_start_conversation"], bot["receipts"]) == (False, False, [])
        for connection in (cloud, bot):
            assert connection["max_text"] == 4096
            assert set(connection["max_upload"]) >= {"image", "document"}
        assert bot["receive"] == ["poll", "webhook"]
        assert set(bot["capabilities"]) == {
            *both,
            *("edit_message", "revoke_message", "pin_message", "get_conversation"),
            *("list_conversation_members", "get_group", "leave_group", "update_group_join_requests"),
        }
        assert {f["name"]: f["required"] for f in bot["provider_data"]} == {
            "token": True,
            "webhook_secret": False,
        }
        made = await api.data(
            "POST", "/v1/accounts", {"provider": "telegram", "provider_data": {"token": TOKEN}}
        )
        assert made["region"] == "eu"
        body = {"provider": "telegram", "region": "mars", "provider_data": {"token": "1:a"}}
        assert await refused(api, "POST", "/v1/accounts", body) == (409, "no_allocatable_server")


async def test_the_auth_steps_of_a_token_account(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            body = {"provider": "telegram", "provider_data": {"token": TOKEN}}
            made = await api.data("POST", "/v1/accounts", body)
            path = f"/v1/accounts/{made['id']}/auth"
            await api.until(lambda a: a["status"] == "authorized", path)
            for alias in ("/session",):
                assert await api.data("GET", path + alias) == await api.data("GET", path)
            steps: list[tuple[str, dict[str, str] | None]] = [
                ("/qr/start", None),
                ("/qr/check", {}),
                ("/code", {"code": "1"}),
                ("/password", {"password": "x"}),
                ("/session", {"session_url": "https://x.example/s"}),
                ("/session/qr/start", None),
                ("/session/qr/check", None),
                ("/session/code", {"code": "1"}),
                ("/session/password", {"password": "x"}),
            ]
            for step, given in steps:
                assert await refused(api, "POST", path + step, given) == (
                    400,
                    "unsupported_provider_auth_mode",
                ), step
            for step in ("/code", "/password"):
                assert await refused(api, "POST", path + step, {}) == (400, "invalid_request")
            for step in ("/start", "/session/start"):
                assert await refused(api, "POST", path + step, {}) == (409, "account_already_authorized")
            assert await refused(api, "POST", "/v1/accounts/acct_none/auth/cancel") == (404, "not_found")

            cancelled = await api.data("POST", f"{path}/cancel")
            assert cancelled["status"] == "pending_auth"
            await api.until(lambda a: a["runtime_status"] == "stopped", path.removesuffix("/auth"))
            await inbox.until(
                lambda: (
                    inbox.deliveries[-1]["data"].get("runtime_status") == "stopped"
                    and inbox.deliveries[-1]["data"]["auth_status"] == "pending_auth"
                )
            )
            assert (await api.data("POST", f"{path}/cancel", {}))["status"] == "pending_auth"
            again = await api.data("POST", f"{path}/start", {})
            assert again["status"] in ("pending_auth", "authorized")
            await api.until(lambda a: a["status"] == "authorized", path)
            await inbox.until(lambda: len(inbox.of("account.auth.succeeded")) == 2)
            await inbox.until(lambda: len(inbox.of("account.started")) == 2)


async def test_auth_modes_that_a_channel_has_not_are_refused(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        for mode in ("qrcode", "code", "session", "nonsense"):
            body = {"provider": "tiktok", "auth_mode": mode, "provider_data": {"token": TOKEN}}
            expected = (400, "unsupported_provider_auth_mode")
            assert await refused(api, "POST", "/v1/accounts", body) == expected


PLACES: list[Any] = [
    lambda proxy: {"proxy": proxy, "provider_data": {"token": TOKEN}},
    lambda proxy: {"proxy_config": proxy, "provider_data": {"token": TOKEN}},
    lambda proxy: {"provider_data": {"token": TOKEN, "proxy_config": proxy}},
    lambda proxy: {"proxy_config": json.dumps(proxy), "provider_data": {"token": TOKEN}},
]


@pytest.mark.parametrize("place", PLACES, ids=["proxy", "proxy_config", "in provider_data", "as JSON"])
async def test_a_proxy_is_accepted_wherever_it_stands_and_never_gone_round(
    tmp_path: Path, place: Any
) -> None:
    """The proxy is down: nothing reaches the platform, the account says why, and the password is hidden."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # nobody listens there
        port = closed.getsockname()[1]
        proxy = {
            "proxy_type": "socks5",
            "host": "127.0.0.1",
            "port": port,
            "user": "u",
            "password": "hush-hush",
        }
        async with sandbox() as platform:
            settings = settings_of(tmp_path, platform.sandbox.config(), security=OPEN_PROXY)
            async with gateway(settings) as api:
                made = await api.data("POST", "/v1/accounts", {"provider": "telegram", **place(proxy)})
                shown = {
                    "type": "socks5",
                    "host": "127.0.0.1",
                    "port": port,
                    "username": "u",
                    "password": "********",
                }
                assert made["proxy"] == made["proxy_config"] == shown
                path = f"/v1/accounts/{made['id']}"
                await api.until(lambda a: a["runtime_status"] == "reconnecting", path)
                runtime = await api.data("POST", f"{path}/runtime/refresh")
                assert runtime["runtime_error"] == "proxy_error"
                assert platform.telegram.connections == type(platform.telegram.connections)()
                # the masked object, sent back, changes nothing; null takes the proxy away
                kept = await api.data("PATCH", path, {"proxy": shown, "name": "renamed"})
                assert kept["proxy"] == shown
                assert kept["name"] == "renamed"
                direct = await api.data("PATCH", path, {"proxy": None})
                assert "proxy" not in direct
                await api.until(lambda a: a["runtime_status"] == "running", path)


async def test_wrong_proxies_are_refused_by_field(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        good = {"type": "http", "host": "proxy.example", "port": 3128}
        for change, words in (
            ({"type": "carrier pigeon"}, "proxy: type"),
            ({"port": 0}, "proxy: port"),
            ({"port": True}, "proxy: port"),
            ({"host": ""}, "proxy: host"),
            ({"host": "http://proxy.example"}, "proxy: host"),
            ({"host": "169.254.169.254"}, "proxy.host"),
            ({"host": "127.0.0.1"}, "proxy.host"),
            ({"host": "2130706433"}, "proxy.host"),
            ({"host": "10.0.0.1"}, "proxy.host"),
            ({"username": 5}, "proxy: username"),
            ({"port": "9" * 5000}, "proxy: port"),
            ({"host": "x" * 300}, "proxy: host"),
            ({"host": "a..b"}, "proxy: host"),
            ({"host": "300.1.1.1"}, "proxy: host"),
        ):
            body = {"provider": "telegram", "provider_data": {"token": TOKEN}, "proxy": {**good, **change}}
            response = await api("POST", "/v1/accounts", body)
            assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request"), (
                change
            )
            message = response.json()["error"]["message"]
            assert words in message, change
            assert ("[security] proxy_allow can permit it" in message) == (words == "proxy.host"), change
        unclear: list[dict[str, Any]] = [
            {"proxy": good, "proxy_config": {**good, "port": 1}},
            {"proxy": {}},
        ]
        for two in unclear:
            body = {"provider": "telegram", "provider_data": {"token": TOKEN}, **two}
            assert await refused(api, "POST", "/v1/accounts", body) == (400, "invalid_request")
        assert await api.data("GET", "/v1/accounts") == []


async def test_what_has_left_the_file_can_be_deleted(tmp_path: Path) -> None:
    async with sandbox() as platform:
        more = account() + endpoint("http://127.0.0.1:9/hook")
        async with gateway(settings_of(tmp_path, more + platform.sandbox.config())) as api:
            [bot] = await api.data("GET", "/v1/accounts")
            [hook] = await api.data("GET", "/v1/webhook-endpoints")
            assert await refused(api, "DELETE", f"/v1/accounts/{bot['id']}") == (409, "declared_in_file")
            expected = (400, "delete_webhook_endpoint_failed")
            assert await refused(api, "DELETE", f"/v1/webhook-endpoints/{hook['id']}") == expected
        async with gateway(settings_of(tmp_path, platform.sandbox.config())) as api:
            path = f"/v1/accounts/{bot['id']}"
            runtime = await api.data("POST", f"{path}/runtime/refresh")
            assert runtime["runtime_error"] == "account_inactive"
            assert await refused(api, "PATCH", path, {"name": "x"}) == (409, "declared_in_file")
            assert (await api("DELETE", path)).status_code == 204
            assert (await api("DELETE", f"/v1/webhook-endpoints/{hook['id']}")).status_code == 204
            assert await api.data("GET", "/v1/accounts") == []


async def test_a_proxy_in_the_file(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        more = (
            account()
            + f'proxy = {{ type = "http", host = "127.0.0.1", port = {port}, password = "from-file" }}\n'
        )
        async with sandbox() as platform:
            settings = settings_of(tmp_path, more + platform.sandbox.config(), security=OPEN_PROXY)
            async with gateway(settings) as api:
                [made] = await api.data("GET", "/v1/accounts")
                assert made["proxy"]["password"] == "********"
                await api.until(lambda a: a["runtime_status"] == "reconnecting", f"/v1/accounts/{made['id']}")
                assert list(platform.telegram.connections) == []


async def test_the_last_use_of_a_key_is_remembered(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path)) as api:
        made = await api.data("POST", "/v1/api-keys", {"name": "backend"})
        assert "last_used_at" not in made["key"]
        await Client(str(api.http.base_url), made["api_key"]).data("GET", "/v1/workspace")
        _, used = await api.until(lambda keys: "last_used_at" in keys[1], "/v1/api-keys")
        assert used["last_used_at"] >= used["created_at"]


async def test_a_key_that_comes_too_often_is_told_when_to_come_again(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path, '[workspace]\nkey_rate = "5/m"\n')) as api:
        made = await api.data("POST", "/v1/api-keys", {"name": "other"})
        assert await refused(api, "GET", "/v1/workspace") == (429, "rate_limited")
        response = await api("GET", "/v1/workspace")
        assert 1 <= int(response.headers["retry-after"]) <= 12
        other = Client(str(api.http.base_url), made["api_key"])
        assert (await other("GET", "/v1/workspace")).status_code == 200  # each key has its own
