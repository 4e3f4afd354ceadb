"""What is asked is done, refused, or said: fields without effect are warnings, or refused if it is strict."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness import CUSTOMER, TOKEN, account, free_port, gateway, public, sandbox, settings_of, whatsapp

HOOK = {"url": "https://hooks.example/x", "status": "active"}


def warnings_of(response: httpx.Response) -> dict[str, str]:
    """Path -> code."""
    assert response.is_success, response.text
    return {each["path"]: each["code"] for each in response.json().get("warnings", [])}


def text(
    account_id: str, to: str = "7", message: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    content = {"type": "text", "text": "hello"} | (message or {})
    return {"account_id": account_id, "to": {"id": to, "type": "user"}, "message": content, **more}


async def test_fields_that_are_not_known_are_said(tmp_path: Path) -> None:
    async with sandbox() as platform:
        more = account() + whatsapp() + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            for each in await api.data("GET", "/v1/accounts"):
                await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{each['id']}")
            await platform.write("hi", 7)
            accounts = {each["provider"]: each for each in await api.data("GET", "/v1/accounts")}
            bot, shop = accounts["telegram"]["id"], accounts["whatsapp"]["id"]
            await platform.connect(accounts["whatsapp"]["ingress_url"])
            await platform.whatsapp("messages", {"text": "hi"})
            hook = HOOK | {
                "signing_secrt": "x" * 20,
                "subscribed_event": [],
                "retry_policy": {"max_attempt": 1},
            }
            hook["delivery"] = {"resume": "now", "breaker": {"failure": 1}, "timeout": "5s"}
            made = await api("POST", "/v1/webhook-endpoints", hook)
            assert warnings_of(made) == {
                "signing_secrt": "unknown_field",
                "subscribed_event": "unknown_field",
                "retry_policy.max_attempt": "unknown_field",
                "delivery.breaker.failure": "unknown_field",
            }
            [first, *_] = made.json()["warnings"]
            assert first["message"] == "unknown field, ignored; did you mean signing_secret?"
            assert "x" * 20 not in made.text
            sent = await api(
                "POST",
                "/v1/messages",
                text(bot, message={"buttons": [], "url": "https://x.example/", "name": "a"})
                | {
                    "provider_data": {"template": {}, "tmplate": {}, "parse_mode": "HTML"},
                    "mentions": [{"id": "1", "x": 1}],
                },
            )
            assert warnings_of(sent) == {
                "message.buttons": "unknown_field",
                "mentions[0].x": "unknown_field",
                "message.url": "no_effect",
                "message.name": "no_effect",
                "provider_data.template": "no_effect",
                "provider_data.tmplate": "unknown_field",
                "mentions": "no_effect",
            }
            sent = await api(
                "POST", "/v1/messages", text(shop, CUSTOMER, provider_data={"parse_mode": "HTML"})
            )
            assert warnings_of(sent) == {"provider_data.parse_mode": "no_effect"}
            plain = await api("POST", "/v1/messages", text(bot))
            assert "warnings" not in plain.json()
            listed = await api("GET", "/v1/accounts?limt=1")
            assert warnings_of(listed) == {"query.limt": "unknown_field"}
            new = {"provider": "telegram", "provider_data": {"token": "1:x", "webhok_secret": "s"}}
            new |= {"runtime_status": "running", "nme": "x"}
            made = await api("POST", "/v1/accounts", new)
            expected = {
                "nme": "unknown_field",
                "runtime_status": "no_effect",
                "provider_data.webhok_secret": "unknown_field",
            }
            assert warnings_of(made) == expected
            path = f"/v1/accounts/{made.json()['data']['id']}"
            assert warnings_of(await api("PATCH", path, new)) == expected


STRICT: list[tuple[str, dict[str, Any], str]] = [
    ("/v1/webhook-endpoints", HOOK | {"signing_secrt": "x"}, "signing_secrt"),
    ("/v1/webhook-endpoints", HOOK | {"delivery": {"order": "x"}}, "delivery.order"),
    (
        "/v1/accounts",
        {"provider": "telegram", "provider_data": {"token": "1:x", "tokn": ""}},
        "provider_data.tokn",
    ),
    ("/v1/accounts", {"provider": "telegram", "runtime_status": "running"}, "runtime_status"),
    ("/v1/api-keys", {"name": "x", "nme": "y"}, "nme"),
    ("/v1/messages", text("BOT", message={"buttons": []}), "message.buttons"),
    ("/v1/messages", text("BOT", provider_data={"template": {}}), "provider_data.template"),
    ("/v1/messages", text("BOT", mentions=[{"id": "1"}]), "mentions"),
    ("/v1/messages?dry_run=true", text("BOT"), "query.dry_run"),
]


@pytest.mark.parametrize("how", ["header", "file"])
async def test_a_strict_request_is_refused_and_does_nothing(tmp_path: Path, how: str) -> None:
    async with sandbox() as platform:
        more = account() + platform.sandbox.config() + ("[api]\nstrict = true\n" if how == "file" else "")
        headers = {"x-strict": "true"} if how == "header" else {"x-strict": "false"}
        async with gateway(settings_of(tmp_path, more)) as api:
            [bot] = await api.data("GET", "/v1/accounts")
            await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{bot['id']}")
            await platform.write("hi", 7)
            keys = await api.data("GET", "/v1/api-keys")
            for path, body, field in STRICT:
                given = body | {"account_id": bot["id"]} if "account_id" in body else body
                refused = await api("POST", path, given, headers=headers)
                error = refused.json()["error"]
                assert (refused.status_code, error["code"]) == (400, "invalid_request"), (path, field)
                assert [each["path"] for each in error["warnings"]] == [field]
                assert error["message"].startswith(f"{field}: ")
            assert await platform.sent() == []
            assert await api.data("GET", "/v1/webhook-endpoints") == []
            assert await api.data("GET", "/v1/accounts") == [
                await api.data("GET", f"/v1/accounts/{bot['id']}")
            ]
            assert len(await api.data("GET", "/v1/api-keys")) == len(keys)
            fine = await api("POST", "/v1/messages", text(bot["id"]), headers=headers)
            assert fine.status_code == 200, fine.text
            assert "warnings" not in fine.json()


async def test_a_header_that_says_neither(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path, "")) as api:
        refused = await api("GET", "/v1/accounts", headers={"x-strict": "maybe"})
        assert refused.json()["error"]["message"] == "X-Strict: must be true or false"
        assert (await api("GET", "/v1/accounts", headers={"x-strict": "False"})).status_code == 200
        assert TOKEN not in refused.text


async def test_a_refusal_says_every_field_at_once(tmp_path: Path) -> None:
    """Those of the request, and those that only the channel knows; also beside a value that is refused."""
    async with sandbox() as platform:
        more = account() + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more)) as api:
            [bot] = await api.data("GET", "/v1/accounts")
            await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{bot['id']}")
            strict, unknown = {"x-strict": "true"}, {"message.buttons", "zork", "provider_data.tmplate"}
            odd = text(bot["id"], message={"buttons": []}, zork=1)

            async def refused(path: str, body: Any, headers: Any = None) -> dict[str, Any]:
                response = await api("POST", path, body, headers=headers)
                assert response.status_code in (400, 404), response.text
                error: dict[str, Any] = response.json()["error"]
                error["warned"] = {each["path"] for each in error.pop("warnings", [])}
                return error

            error = await refused(
                "/v1/messages", odd | {"provider_data": {"tmplate": 1, "template": {}}}, strict
            )
            assert error["warned"] == unknown | {"provider_data.template"}
            assert len(error["problems"]) == 4
            new = {
                "provider": "telegram",
                "nme": "x",
                "runtime_status": "running",
                "provider_data": {"tokn": ""},
            }
            error = await refused("/v1/accounts", new, strict)
            assert error["warned"] == {"nme", "runtime_status", "provider_data.tokn"}
            hook = HOOK | {"signing_secrt": "x", "delivery": {"order": "x"}, "retry_policy": {"max": 1}}
            error = await refused("/v1/webhook-endpoints", hook, strict)
            assert error["warned"] == {"signing_secrt", "delivery.order", "retry_policy.max"}
            for headers in (strict, None):  # a misspelt field may be why it fails
                error = await refused(
                    "/v1/messages", odd | {"message": {"type": "text", "txt": "hi"}}, headers
                )
                assert error["warned"] == {"message.txt", "zork"}
                error = await refused("/v1/messages", odd | {"to": "7"}, headers)
                assert (error["problems"], error["warned"]) == (
                    ["to: must be an object"],
                    {"message.buttons", "zork"},
                )
                data = {"tmplate": 1, "parse_mode": "HTML", "disable_notification": "yes"}
                error = await refused("/v1/messages", odd | {"provider_data": data}, headers)
                assert error["message"].startswith("provider_data.disable_notification: ")
                assert error["warned"] == unknown
            gone = await refused("/v1/messages", odd)  # the platform knows no such conversation
            assert (gone["code"], gone["warned"]) == ("conversation_not_found", {"message.buttons", "zork"})
            assert (await refused("/v1/messages", [odd], strict))["warned"] == set()
            assert await platform.sent() == []


async def test_json_in_a_string_that_nests_too_deeply(tmp_path: Path) -> None:
    async with gateway(settings_of(tmp_path, account())) as api:
        [bot] = await api.data("GET", "/v1/accounts")
        deep = '{"x":' * 20_000
        sent = await api("POST", "/v1/messages", text(bot["id"], message={"type": "audio", "text": deep}))
        assert (sent.status_code, sent.json()["error"]["code"]) == (400, "invalid_request")
        new = {"provider": "telegram", "provider_data": {"token": "1:x"}, "proxy": "[" * 100_000}
        made = await api("POST", "/v1/accounts", new)
        assert made.json()["error"]["message"] == "proxy: must be an object, or one as JSON in a string"


INSIDE: list[tuple[str, dict[str, Any], str, str]] = [
    ("bot", {"link_preview_options": {"is_disabld": True}}, ".is_disabld", "is_disabled"),
    (
        "bot",
        {"reply_markup": {"keyboard": [["A", {"text": "B", "request_contat": True}]]}},
        "[0][1].",
        "request_contact",
    ),
    (
        "bot",
        {
            "reply_markup": {
                "inline_keyboard": [[{"text": "A", "url": "https://x.example", "callbck_data": "x"}]]
            }
        },
        ".inline_keyboard[0][0].callbck_data",
        "callback_data",
    ),
    (
        "bot",
        {"entities": [{"type": "bold", "offset": 0, "length": 1, "langage": "x"}]},
        "[0].langage",
        "language",
    ),
    ("bot", {"reply_parameters": {"message_id": 1, "qoute": "x"}}, ".qoute", "quote"),
    (
        "shop",
        {
            "interactive": {
                "type": "button",
                "footr": {},
                "action": {"buttons": [{"id": "y", "title": "Yes"}]},
            }
        },
        ".footr",
        "footer",
    ),
    (
        "shop",
        {"interactive": {"type": "button", "action": {"buttons": [{"id": "y", "title": "Y", "titel": "Z"}]}}},
        ".action.buttons[0].titel",
        "title",
    ),
]
POLL = {"question": "Q", "options": [{"text": "A", "txt": "B"}]}


async def test_names_inside_of_what_goes_to_the_platform(tmp_path: Path) -> None:
    """It ignores those that it does not know; the operator is told, and a name that is new may be used."""
    async with sandbox() as platform:
        more = account() + whatsapp() + platform.sandbox.config()
        async with gateway(settings_of(tmp_path, more, **public(free_port()))) as api:
            accounts = {each["provider"]: each for each in await api.data("GET", "/v1/accounts")}
            for each in accounts.values():
                await api.until(lambda a: a["runtime_status"] == "running", f"/v1/accounts/{each['id']}")
            await platform.write("hi", 7)
            await platform.connect(accounts["whatsapp"]["ingress_url"])
            await platform.whatsapp("messages", {"text": "hi"})
            to = {"bot": (accounts["telegram"]["id"], "7"), "shop": (accounts["whatsapp"]["id"], CUSTOMER)}
            for name, data, path, meant in INSIDE:
                sent = await api("POST", "/v1/messages", text(*to[name], provider_data=data))
                [warned] = warnings_of(sent)
                assert path in warned
                assert warned.startswith(f"provider_data.{next(iter(data))}")
                [warning] = sent.json()["warnings"]
                assert (
                    warning["message"] == f"unknown field, passed on to the platform; did you mean {meant}?"
                )
                refused = await api(
                    "POST", "/v1/messages", text(*to[name], provider_data=data), headers={"x-strict": "true"}
                )
                assert [each["path"] for each in refused.json()["error"]["warnings"]] == [warned]
            poll = {"message": {"type": "text"}, "provider_data": {"poll": POLL}}
            assert warnings_of(await api("POST", "/v1/messages", text(*to["bot"]) | poll)) == {
                "provider_data.poll.options[0].txt": "unknown_field"
            }
            keyboard = {"inline_keyboard": [[{"text": "A", "callback_data": "a"}]], "force_reply": True}
            sent = await api(
                "POST", "/v1/messages", text(*to["bot"], provider_data={"reply_markup": keyboard})
            )
            assert warnings_of(sent) == {}
