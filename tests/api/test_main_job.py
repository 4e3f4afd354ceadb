"""The main job, whole: a message in, a signed webhook out, a reply back; and what callers get wrong."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import BOT, KEY, TOKEN, Client, account, endpoint, gateway, receiver, sandbox, settings_of

pytestmark = pytest.mark.front


async def test_inbound_becomes_a_signed_webhook_and_a_reply_goes_back(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            written = await platform.write("hello", 7)
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            [event] = inbox.of("message.received")
            assert event["event"] == event["type"] == "message.received"
            assert (event["from"], event["text"]) == ("7", "hello")
            assert event["message_id"] == event["data"]["message"]["id"] == written["message_id"]
            assert event["data"]["conversation"] == {
                "id": "7",
                "type": "user",
                "title": "Customer 7",
                "identities": [{"type": "chat_id", "id": "7"}],
            }
            assert event["data"]["message"]["direction"] == "inbound"
            assert event["data"]["event"] == {"kind": "message_received"}
            assert event["provider"] == "telegram"

            body = {
                "account_id": event["account_id"],
                "to": {"id": "7", "type": "user"},
                "message": {"type": "text", "text": "hi"},
            }
            sent = await api.data("POST", "/v1/messages", body)
            assert sent["status"] == "accepted"
            assert [m["text"] for m in await platform.sent()] == ["hi"]
            command = await api.data("GET", f"/v1/commands/{sent['command_id']}")
            assert (command["outcome"], command["message_id"]) == ("sent", sent["message_id"])
            names = [e["type"] for e in inbox.deliveries]
            assert names.index("account.auth.succeeded") < names.index("account.started")
            assert inbox.bad_signatures == 0

            [shown] = await api.data("GET", "/v1/accounts")
            assert shown["runtime_status"] == "running"
            assert shown["provider_account_ref"] == BOT
            assert TOKEN not in str(shown)
            page = await api.data("GET", "/v1/events?type=message.received")
            assert [e["id"] for e in page["items"]] == [event["id"]]
            rest = await api.data("GET", f"/v1/events?after={page['next_cursor']}&type=message.received")
            assert rest["items"] == []


async def test_wrong_sends_say_what_became_of_them(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [known] = await api.data("GET", "/v1/accounts")

            def text(to: str = "7", **message: Any) -> dict[str, Any]:
                return {
                    "account_id": known["id"],
                    "to": {"id": to, "type": "user"},
                    "message": {"type": "text", "text": "x", **message},
                }

            refused = await api("POST", "/v1/messages", text())
            error = refused.json()["error"]
            assert (refused.status_code, error["code"]) == (404, "conversation_not_found")
            assert (error["outcome"], error["reason"]) == ("rejected", "conversation_not_found")
            assert error["provider"] == {"code": "400", "message": "Bad Request: chat not found"}
            command = await api.data("GET", f"/v1/commands/{error['command_id']}")
            assert (command["outcome"], command["reason"]) == (error["outcome"], error["reason"])
            await platform.write("hello", 7)
            long = await api("POST", "/v1/messages", text(text="x" * 4097))
            assert (long.status_code, long.json()["error"]["reason"]) == (400, "text_too_long")
            assert (await api("POST", "/v1/messages", {**text(), "to": {"id": "7", "type": "x"}})).json()[
                "error"
            ]["code"] == "invalid_conversation_type"
            quoted = await api("POST", "/v1/messages", {**text(), "reply_to": {"reply_token": "t"}})
            assert (quoted.status_code, quoted.json()["error"]["code"]) == (400, "invalid_reply_token")
            gone = await api("POST", "/v1/messages", {**text(), "account_id": "acct_none"})
            assert (gone.status_code, gone.json()["error"]["code"]) == (404, "not_found")


async def test_stop_start_reconnect_and_a_stopped_account_refuses(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            [known] = await api.data("GET", "/v1/accounts")
            path = f"/v1/accounts/{known['id']}"
            stopped = await api.data("POST", f"{path}/runtime/stop")
            assert stopped == {
                "account_id": known["id"],
                "provider": "telegram",
                "action": "stop",
                "operation_status": "succeeded",
                "runtime_status": "stopped",
                "runtime_error": "",
            }
            body = {
                "account_id": known["id"],
                "to": {"id": "7", "type": "user"},
                "message": {"type": "text", "text": "x"},
            }
            refused = await api("POST", "/v1/messages", body)
            assert refused.json()["error"]["code"] == "account_binding_not_found"
            assert refused.status_code == 409
            await platform.write("while stopped", 7)
            assert (await api.data("POST", f"{path}/runtime/start", {}))["action"] == "start"
            await inbox.until(lambda: len(inbox.of("message.received")) == 1)
            assert (await api.data("POST", f"{path}/runtime/start"))["operation_status"] == "succeeded"
            assert (await api.data("POST", f"{path}/runtime/reconnect"))["operation_status"] == "succeeded"
            await api.until(lambda a: a["runtime_status"] == "running", path)
            refreshed = await api.data("POST", f"{path}/runtime/refresh")
            assert refreshed["action"] == "refresh_status"
            assert refreshed["runtime_status"] == "running"
        statuses = [e["data"]["runtime_status"] for e in inbox.of("account.status.updated")]
        assert statuses[:4] == ["starting", "running", "stopping", "stopped"]


async def test_operator_stop_survives_a_restart_of_the_process(tmp_path: Path) -> None:
    async with sandbox() as platform:
        settings = settings_of(tmp_path, account() + platform.sandbox.config())
        async with gateway(settings) as api:
            [known] = await api.data("GET", "/v1/accounts")
            await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{known['id']}")
            await api.data("POST", f"/v1/accounts/{known['id']}/runtime/stop")
        seen = len(platform.telegram.connections)
        async with gateway(settings) as api:
            await api.data("POST", f"/v1/accounts/{known['id']}/runtime/refresh")
            assert len(platform.telegram.connections) == seen


async def test_refused_token_and_revoked_token(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        more = account() + endpoint(inbox.url) + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            await inbox.until(lambda: len(inbox.of("account.started")) == 1)
            await platform.post("faults", {"kind": "logout"})
            await platform.write("wakes the poll", 7)
            await inbox.until(lambda: len(inbox.of("account.auth.required")) == 1)
            [known] = await api.data("GET", "/v1/accounts")
            assert known["runtime_status"] == "disconnected"
            auth = await api.data("GET", f"/v1/accounts/{known['id']}/auth")
            assert auth == {
                "account_id": known["id"],
                "status": "failed",
                "last_error": "invalid_credentials",
            }
            start = await api("POST", f"/v1/accounts/{known['id']}/runtime/start")
            assert (start.status_code, start.json()["error"]["code"]) == (409, "account_binding_not_found")
            again = await api("POST", f"/v1/accounts/{known['id']}/auth/start")
            assert again.json()["data"] == auth  # the platform was asked again, and refused again
            await inbox.until(lambda: len(inbox.of("account.auth.required")) == 2)
            await platform.http.delete("/sandbox/telegram/faults")
            await api.data("POST", f"/v1/accounts/{known['id']}/auth/start", {})
            await api.until(lambda a: a["status"] == "authorized", f"/v1/accounts/{known['id']}/auth")
            twice = await api("POST", f"/v1/accounts/{known['id']}/auth/start")
            assert (twice.status_code, twice.json()["error"]["code"]) == (409, "account_already_authorized")
            names = [e["type"] for e in inbox.deliveries]
            assert names.index("account.auth.failed") < names.index("account.auth.required")
            reasons = [e["data"].get("reason") for e in inbox.of("account.status.updated")]
            assert reasons.count("invalid_credentials") == 2


async def test_accounts_through_the_api(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        async with gateway(settings_of(tmp_path, platform.sandbox.config())) as api:
            created = await api(
                "POST",
                "/v1/accounts",
                {"provider": "telegram", "provider_data": {"token": TOKEN}, "name": "shop"},
            )
            assert created.status_code == 201
            shown = created.json()["data"]
            path = f"/v1/accounts/{shown['id']}"
            assert shown["id"].startswith("acct_")
            assert (shown["region"], shown["auth_mode"], shown["status"]) == ("global", "token", "active")
            assert shown["capabilities"] == ["send_message", "receive_message"]
            await api.until(lambda a: a["runtime_status"] == "running", path)
            assert (await api.data("GET", f"{path}/auth"))["status"] == "authorized"

            twin = await api(
                "POST", "/v1/accounts", {"provider": "telegram", "provider_data": {"token": TOKEN + "x"}}
            )
            assert (twin.status_code, twin.json()["error"]["code"]) == (409, "duplicate_provider_account")
            by_ref = await api(
                "POST",
                "/v1/accounts",
                {"provider": "telegram", "provider_data": {"token": "1:a"}, "provider_account_ref": BOT},
            )
            assert (by_ref.status_code, by_ref.json()["error"]["code"]) == (409, "duplicate_provider_account")

            hook = {"url": inbox.url, "status": "active", "signing_secret": "receiver-secret"}
            assert (await api("POST", "/v1/webhook-endpoints", hook)).status_code == 201
            changed = await api.data(
                "PATCH", path, {"name": "shop 2", "provider_data": {"token": "77:other"}}
            )
            assert changed["name"] == "shop 2"
            await api.until(lambda a: a.get("provider_account_ref") == "77", path)
            paused = await api.data("PATCH", path, {"status": "inactive"})
            assert paused["status"] == "inactive"
            await api.until(lambda a: a["runtime_status"] == "stopped", path)
            assert (await api("PATCH", path, {"provider": "line"})).status_code == 400
            assert (await api("DELETE", path)).status_code == 204
            assert (await api("GET", path)).status_code == 404
            assert await api.data("GET", "/v1/accounts") == []
            await inbox.until(lambda: len(inbox.of("account.started")) >= 1)


async def test_webhook_endpoints_through_the_api(tmp_path: Path) -> None:
    async with sandbox() as platform, receiver() as inbox:
        async with gateway(settings_of(tmp_path, account() + platform.sandbox.config())) as api:
            [known] = await api.data("GET", "/v1/accounts")
            await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{known['id']}")
            hook: dict[str, Any] = {
                "url": inbox.url,
                "status": "active",
                "subscribed_events": ["message.received"],
                "signing_secret": "receiver-secret",
            }
            made = await api.data("POST", "/v1/webhook-endpoints", hook)
            path = f"/v1/webhook-endpoints/{made['id']}"
            assert made["signing_enabled"]
            assert made["retry_policy"] == {"max_attempts": 3}
            assert hook["signing_secret"] not in str(made)
            await platform.write("one")
            await inbox.until(lambda: len(inbox.deliveries) == 1)

            off = await api.data("POST", f"{path}/deactivate")
            assert off["status"] == "inactive"
            await platform.write("two")
            await api.until(
                lambda p: len(p["items"]) == 2, "/v1/events?type=message.received"
            )  # owed while inactive
            assert len(inbox.deliveries) == 1
            on = await api.data("PATCH", path, {"url": inbox.url, "status": "active"})
            assert on["subscribed_events"] == ["message.received"]
            await inbox.until(lambda: [e["text"] for e in inbox.deliveries] == ["one", "two"])
            unsigned = await api.data("PATCH", path, {"signing_secret": ""})
            assert not unsigned["signing_enabled"]
            assert (await api("DELETE", path)).status_code == 204
            assert (await api("GET", path)).json()["error"]["code"] == "not_found"
            assert await api.data("GET", "/v1/webhook-endpoints") == []


@pytest.fixture
async def api(tmp_path: Path) -> Any:
    more = (
        account()
        + endpoint("http://127.0.0.1:9/hook")
        + '[providers.telegram]\nbot_api_url = "http://127.0.0.1:9"\n'
    )
    async with gateway(settings_of(tmp_path, more)) as client:
        yield client


ENDPOINT = {"url": "http://127.0.0.1:9/x", "status": "active"}

BAD = [
    ("POST", "/v1/accounts", {"provider": "telegarm"}, 400, "invalid_request"),
    ("POST", "/v1/accounts", {"region": "global"}, 400, "invalid_request"),
    ("POST", "/v1/accounts", {"provider": "telegram", "region": "mars"}, 409, "no_allocatable_server"),
    ("POST", "/v1/accounts", {"provider": "telegram"}, 400, "invalid_request"),
    ("POST", "/v1/accounts", {"provider": "telegram", "provider_data": {"token": 5}}, 400, "invalid_request"),
    (
        "POST",
        "/v1/accounts",
        {"provider": "telegram", "provider_data": {"token": "../x"}},
        400,
        "invalid_request",
    ),
    (
        "POST",
        "/v1/accounts",
        {"provider": "tiktok", "auth_mode": "qrcode"},
        400,
        "unsupported_provider_auth_mode",
    ),
    ("POST", "/v1/accounts", {"provider": "telegram", "region": "mars"}, 409, "no_allocatable_server"),
    (
        "POST",
        "/v1/accounts",
        {"provider": "telegram", "provider_data": {"token": "1:a"}, "proxy": {"host": "x"}},
        400,
        "invalid_request",
    ),
    ("POST", "/v1/accounts", [1], 400, "invalid_request"),
    *[
        (
            "POST",
            "/v1/accounts",
            {"provider": "telegram", "provider_data": {"token": "1:a"}, field: text},
            400,
            "invalid_request",
        )
        for field in ("name", "status", "provider_account_ref")
        for text in ("", "x" * 1000, "a\x00b", 5)
    ],
    (
        "POST",
        "/v1/webhook-endpoints",
        {**ENDPOINT, "retry_policy": {"schedule": ["99999d"]}},
        400,
        "create_webhook_endpoint_failed",
    ),
    ("POST", "/v1/webhook-endpoints", {"url": "https://x.example"}, 400, "invalid_request"),
    ("POST", "/v1/webhook-endpoints", {"status": "active"}, 400, "invalid_request"),
    (
        "POST",
        "/v1/webhook-endpoints",
        {**ENDPOINT, "subscribed_events": ["message.recieved"]},
        400,
        "create_webhook_endpoint_failed",
    ),
    *[
        (
            "POST",
            "/v1/webhook-endpoints",
            {**ENDPOINT, "retry_policy": {"max_attempts": value}},
            400,
            "create_webhook_endpoint_failed",
        )
        for value in (-1, 1.5, "3", True, None)
    ],
    ("POST", "/v1/webhook-endpoints", {**ENDPOINT, "status": "on"}, 400, "create_webhook_endpoint_failed"),
    *[
        ("POST", "/v1/webhook-endpoints", {**ENDPOINT, "url": url}, 400, "create_webhook_endpoint_failed")
        for url in (
            "ftp://x.example/",
            "nonsense",
            "http://93.184.216.34/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest",
            "https://0xa9fea9fe/",
            "https://[::ffff:10.0.0.1]/",
            "https://user:pw@example.com/",
        )
    ],
    ("POST", "/v1/webhook-endpoints", {**ENDPOINT, "url": 5}, 400, "invalid_request"),
    ("POST", "/v1/messages", {"to": {"id": 1}, "message": []}, 400, "invalid_request"),
    ("POST", "/v1/messages", {}, 400, "invalid_request"),
    ("GET", "/v1/events?limit=0", None, 400, "invalid_request"),
    ("GET", "/v1/events?after=v1.abc", None, 400, "invalid_request"),
    ("GET", "/v1/events?type=nope", None, 400, "invalid_request"),
    ("GET", "/v1/nothing", None, 404, "not_found"),
    ("GET", "/v1/accounts/acct_none", None, 404, "not_found"),
    ("GET", "/v1/webhook-endpoints/we_none", None, 404, "not_found"),
    ("POST", "/v1/accounts/acct_none/runtime/start", None, 404, "not_found"),
    ("PUT", "/v1/accounts", {}, 405, "invalid_request"),
]


@pytest.mark.parametrize("url", ["https://10.0.0.1/", "http://93.184.216.34/"])
async def test_a_blocked_address_names_the_option_that_permits_it(api: Client, url: str) -> None:
    response = await api("POST", "/v1/webhook-endpoints", {**ENDPOINT, "url": url})
    assert "[security] webhook_allow can permit it" in response.json()["error"]["message"]


async def test_bad_input_is_refused_by_its_code_and_changes_nothing(api: Client) -> None:
    before = [await api.data("GET", path) for path in ("/v1/workspace", "/v1/webhook-endpoints")]
    accounts = [a["id"] for a in await api.data("GET", "/v1/accounts")]
    for method, path, body, status, code in BAD:
        response = await api(method, path, body)
        said = response.json()
        assert (response.status_code, said["error"]["code"]) == (status, code), (method, path, body, said)
        assert said["error"]["message"]
        assert said["request_id"] == response.headers["x-request-id"]
    assert before == [await api.data("GET", path) for path in ("/v1/workspace", "/v1/webhook-endpoints")]
    assert accounts == [a["id"] for a in await api.data("GET", "/v1/accounts")]


async def test_all_problems_of_a_body_are_named_at_once(api: Client) -> None:
    response = await api("POST", "/v1/messages", {"to": {"id": 1}, "message": []})
    problems = response.json()["error"]["problems"]
    for path in ("account_id", "to.id", "to.type", "message"):
        assert any(problem.startswith(f"{path}:") for problem in problems), problems


async def test_malformed_bodies(api: Client) -> None:
    headers = {"content-type": "application/json"}
    for content in (b"{", b'{"a": NaN}', b"\xff\xfe", b"[" * 100_000, b'"\\ud800"', b""):
        response = await api.http.post("/v1/accounts", content=content, headers=headers)
        assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_request"), content[
            :20
        ]
    form = await api.http.post("/v1/accounts", data={"provider": "telegram"})
    assert (form.status_code, form.json()["error"]["code"]) == (415, "invalid_request")
    large = await api.http.post("/v1/accounts", content=b" " * 30_000_000, headers=headers)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "invalid_request")


async def test_keys(api: Client) -> None:
    for key, code in (
        (None, "missing_api_key"),
        ("wrong", "invalid_api_key"),
        (KEY + "x", "invalid_api_key"),
    ):
        stranger = Client(str(api.http.base_url), key)
        for path in ("/v1/workspace", "/v1/accounts", "/v1/events"):
            response = await stranger("GET", path)
            assert (response.status_code, response.json()["error"]["code"]) == (401, code)
    assert (await Client(str(api.http.base_url), None)("GET", "/healthz")).status_code == 200


async def test_request_ids_and_headers(api: Client) -> None:
    response = await api("GET", "/v1/workspace", headers={"x-request-id": "order-42"})
    assert response.json()["client_request_id"] == "order-42"
    assert response.headers["x-request-id"].startswith("req_")
    assert "content-encoding" not in response.headers
    odd = await api("GET", "/v1/workspace", headers={"x-request-id": "not valid!"})
    assert "client_request_id" not in odd.json()
    slash = await api("GET", "/v1/workspace/")
    assert slash.status_code in (200, 404)  # never a redirect
    assert response.json()["data"]["account_quota_unlimited"] is True


async def test_declared_objects_are_not_changed_through_the_api(api: Client) -> None:
    [known] = await api.data("GET", "/v1/accounts")
    assert known["origin"] == "file"
    for method in ("PATCH", "DELETE"):
        response = await api(method, f"/v1/accounts/{known['id']}", {} if method == "PATCH" else None)
        assert (response.status_code, response.json()["error"]["code"]) == (409, "declared_in_file")
    [hook] = await api.data("GET", "/v1/webhook-endpoints")
    path = f"/v1/webhook-endpoints/{hook['id']}"
    for method, body, code in (
        ("PATCH", {"subscribed_events": ["*"]}, "update_webhook_endpoint_failed"),
        ("DELETE", None, "delete_webhook_endpoint_failed"),
    ):
        response = await api(method, path, body)
        assert (response.status_code, response.json()["error"]["code"]) == (400, code)
    assert await api.data("GET", "/v1/webhook-endpoints") == [hook]
    paused = await api.data("POST", f"{path}/deactivate")  # that is no change of what was declared
    assert paused["status"] == "inactive"


async def test_openapi_document_shows_every_route(api: Client) -> None:
    document = (await api("GET", "/openapi.json")).json()
    assert document["openapi"] == "3.1.0"
    create = document["paths"]["/v1/accounts"]["post"]
    assert create["operationId"] == "createAccount"
    assert {"400", "401", "409", "413", "415", "429", "500", "503", "201"} == set(create["responses"])
    required = document["components"]["schemas"]["SendMessageRequest"]["required"]
    assert set(required) == {"account_id", "to", "message"}
    assert len(document["paths"]) >= 14


@pytest.mark.front("native")
async def test_an_upgrade_is_ignored_without_a_word_in_the_log(
    api: Client, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    assert (await api.http.get("/v1/accounts", headers=headers)).status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
