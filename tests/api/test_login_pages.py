"""The public pages of a login: the callback of OAuth, and the page of a passkey; and what strangers send."""

import json
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import attrs
import httpx
import pytest
import trio
import trio.testing

from tests.api.login_world import World, a_world
from tests.harness import Client
from tests.reference.logins import ORIGIN, SCOPES
from tests.reference.platform import PHONE
from tests.reference.serving import CONSENTING, WITH_CONSENT
from unifyport.model.auth import MAX_PASSKEY_ANSWER
from unifyport.process.redaction import redact

PUBLIC = "https://gateway.example/base"
CALLBACK = "/oauth/callback"
OTHER = "+6590000003"


@attrs.define
class Pages:
    """`browser` has no API key."""

    world: World
    browser: Client

    async def consenting(self) -> tuple[str, Any]:
        account = await self.world.account("token", CONSENTING)
        return account, await self.world.step(account, "start")

    def consent(self, shown: Any, phone: str = PHONE, *, yes: bool = True) -> str:
        """The path of the callback, as a proxy in front of the gateway would pass it on."""
        path = self.world.platform.logins.consent(shown["auth_payload"]["page_url"], phone, yes=yes)
        return path.removeprefix(urlsplit(PUBLIC).path)

    async def asked_for_passkey(self, phone: str = PHONE) -> tuple[str, Any, str]:
        """The account, its state, and the path of its page."""
        self.world.platform.logins.users[phone].passkey = "key-1"
        account = await self.world.account("code", phone=phone)
        await self.world.step(account, "start")
        asked = await self.world.step(account, "code", {"code": "12345"})
        path = asked["auth_payload"]["page_url"].removeprefix(PUBLIC)
        assert path.startswith("/login/")
        return account, asked, path

    async def paste(self, path: str, result: str, **more: Any) -> httpx.Response:
        return await self.browser("POST", path, data={"result": result}, **more)

    async def status(self, account: str) -> str:
        return str((await self.world.api.data("GET", f"/v1/accounts/{account}/auth"))["status"])


@pytest.fixture
async def pages(tmp_path: Path) -> AsyncIterator[Pages]:
    public = f'public_url = "{PUBLIC}"'
    logged = "[logging]\nrequests = true\n"
    async with a_world(tmp_path, WITH_CONSENT, CONSENTING, server=public, more=logged) as world:
        yield Pages(world, Client(str(world.api.http.base_url), key=None))


def assert_safe(response: httpx.Response) -> None:
    headers = response.headers
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    policy = headers["content-security-policy"]
    for rule in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert rule in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert "<script" not in response.text
    assert "location" not in headers


# -- consent -------------------------------------------------------------------------------------------------


async def test_consent(pages: Pages) -> None:
    account, shown = await pages.consenting()
    assert (shown["status"], shown["auth_payload"]["consent"]) == ("awaiting_code", {"scopes": SCOPES})
    assert "auth_fields" not in shown
    assert "url" not in shown["auth_payload"]
    query = dict(parse_qsl(urlsplit(shown["auth_payload"]["page_url"]).query))
    assert query["redirect_uri"] == PUBLIC + CALLBACK
    answered = await pages.browser("GET", pages.consent(shown))
    assert answered.status_code == 200
    assert_safe(answered)
    assert (await pages.world.running(account))["provider_account_ref"] == "user-1"


async def test_a_human_who_refuses(pages: Pages) -> None:
    account, shown = await pages.consenting()
    await pages.browser("GET", pages.consent(shown, yes=False))
    assert (await pages.world.status(account, "failed"))["last_error"] == "consent_denied"


async def test_the_callback_shows_one_page_whatever_comes(pages: Pages) -> None:
    account, shown = await pages.consenting()
    state = dict(parse_qsl(urlsplit(shown["auth_payload"]["page_url"]).query))["state"]
    account_id, _, sealed = state.partition(".")
    other, _ = await pages.consenting()
    flipped = ("A" if sealed[40] != "A" else "B").join((sealed[:40], sealed[41:]))
    hostile = [
        "",
        "?",
        "?state=",
        "?code=1",
        f"?code=1&state={account_id}",
        f"?code=1&state={account_id}.",
        f"?code=1&state={account_id}.{flipped}",  # forged
        f"?code=1&state={other}.{sealed}",  # of another account
        f"?code=1&state={sealed}",
        f"?code=1&state={state}A",
        f"?code=1&state={state}%00",
        f"?code=1&state={quote('é' * 40)}",
        f"?code=1&state=%ff%fe.{sealed}",
        f"?code={'1' * 5000}&state={state}",  # a code that is too long
        f"?state={state}&" + "&".join(f"p{n}=1" for n in range(40)),
        f"?error=<script>alert(1)</script>&redirect=https://evil.example&state={sealed}",
    ]
    answers = [await pages.browser("GET", CALLBACK + query) for query in hostile]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    for answer in answers:
        assert_safe(answer)
    assert await pages.status(account) == await pages.status(other) == "awaiting_code"
    good = await pages.browser("GET", CALLBACK + f"?error=access_denied&state={state}")
    assert good.content == answers[0].content
    await pages.world.status(account, "failed")
    assert await pages.status(other) == "awaiting_code"


async def test_a_head_consumes_nothing_and_a_post_is_refused(pages: Pages) -> None:
    account, shown = await pages.consenting()
    path = pages.consent(shown)
    head = await pages.browser("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    assert (await pages.browser("POST", path)).status_code == 405
    assert await pages.status(account) == "awaiting_code"
    await pages.browser("GET", path)
    await pages.world.running(account)


async def test_two_callbacks_at_once_are_one(pages: Pages) -> None:
    account, shown = await pages.consenting()
    path = pages.consent(shown)
    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(pages.browser, "GET", path)
    await pages.world.running(account)
    assert len(pages.world.platform.logins.devices) == 1
    replayed = await pages.browser("GET", path)
    assert replayed.status_code == 200
    assert await pages.status(account) == "authorized"


async def test_a_state_ends_with_its_login(pages: Pages) -> None:
    account, shown = await pages.consenting()
    first = pages.consent(shown)
    again = await pages.world.step(account, "start")
    await pages.browser("GET", first)  # the login was begun again
    assert await pages.status(account) == "awaiting_code"
    second = pages.consent(again)
    await pages.world.step(account, "cancel")
    await pages.browser("GET", second)
    assert await pages.status(account) == "pending_auth"
    assert pages.world.platform.logins.devices == {}


async def test_without_a_public_url_consent_is_not_asked_for(tmp_path: Path) -> None:
    async with a_world(tmp_path, WITH_CONSENT, CONSENTING) as world:
        account = await world.account("token", CONSENTING)
        response = await world.api("POST", f"/v1/accounts/{account}/auth/start")
        assert response.status_code == 400
        assert "server.public_url" in response.json()["error"]["message"]
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert world.of(account, "account.auth.required") == []


async def test_code_and_state_are_in_no_log(pages: Pages, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        account, shown = await pages.consenting()
        path = pages.consent(shown)
        query = dict(parse_qsl(urlsplit(path).query))
        await pages.browser("GET", path)
        await pages.world.running(account)
        _, _, page = await pages.asked_for_passkey()
        await pages.browser("GET", page)
    ours = [r for r in caplog.records if r.name.startswith(("unifyport", "actors", "hypercorn", "quart"))]
    text = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in ours)
    assert "request" in text  # requests are logged
    for secret in (query["code"], query["state"], page.rpartition(".")[2]):
        assert secret not in text


async def test_a_stranger_cannot_blank_words_in_the_log(pages: Pages) -> None:
    _, shown = await pages.consenting()
    for state in ("words-of-a-stranger", f"{shown['account_id']}.words-of-a-stranger"):
        await pages.browser("GET", f"{CALLBACK}?code=words-of-a-stranger&state={state}")
    await pages.paste("/login/words-of-a-stranger", '{"id": "words-of-a-stranger"}')
    assert redact("words-of-a-stranger") == "words-of-a-stranger"


# -- passkeys ------------------------------------------------------------------------------------------------


def result_of(asked: Any) -> str:
    challenge = asked["auth_payload"]["passkey"]["public_key"]["challenge"]
    return json.dumps({"id": "key-1", "challenge": challenge}, indent=2)


async def test_the_page_of_a_passkey(pages: Pages) -> None:
    account, asked, path = await pages.asked_for_passkey()
    shown = await pages.browser("GET", path)
    assert shown.status_code == 200
    assert_safe(shown)
    assert "publickey-credentials-get=()" in shown.headers["permissions-policy"]
    assert ORIGIN in shown.text
    assert asked["auth_payload"]["passkey"]["public_key"]["challenge"] in shown.text
    assert "navigator.credentials.get" in re.sub(
        r"(?s).*<textarea[^>]*>(.*?)</textarea>.*<form.*", r"\1", shown.text
    )
    assert (await pages.browser("HEAD", path)).status_code == 200
    given = await pages.paste(path, result_of(asked))  # as it is printed, on several lines
    assert given.status_code == 200
    assert_safe(given)
    await pages.world.running(account)
    for method in ("GET", "POST"):
        dead = await pages.browser(method, path)
        assert dead.status_code == 404
        assert_safe(dead)


async def test_what_is_no_result_leaves_the_page_as_it_is(pages: Pages) -> None:
    account, asked, path = await pages.asked_for_passkey()
    for result in (
        "",
        "nonsense",
        "[]",
        '"x"',
        "{",
        json.dumps({"id": "x" * MAX_PASSKEY_ANSWER}),
        "[" * 9999,
    ):
        refused = await pages.paste(path, result)
        assert refused.status_code == 400
        assert_safe(refused)
    assert (await pages.browser("POST", path, {"result": "{}"})).status_code == 400  # JSON, no form
    assert (await pages.browser("POST", path, content=b"\xff" * 100)).status_code == 400
    assert (await pages.paste(path, "x" * 1_000_000)).status_code == 413
    assert await pages.status(account) == "awaiting_code"
    assert (await pages.paste(path, result_of(asked))).status_code == 200
    await pages.world.running(account)


async def test_a_page_is_found_only_by_its_whole_name(pages: Pages) -> None:
    account, asked, path = await pages.asked_for_passkey()
    token = path.rpartition(".")[2]
    assert len(token) >= 22
    other, _, other_path = await pages.asked_for_passkey(OTHER)
    for name in (
        account,
        f"{account}.",
        f"{account}.{token[:-1]}",
        f"{other}.{token}",
        token,
        f".{token}",
        "x",
    ):
        assert (await pages.browser("GET", f"/login/{name}")).status_code == 404
        assert (await pages.paste(f"/login/{name}", result_of(asked))).status_code == 404
    assert (await pages.browser("GET", f"/login/{quote(account + '.é')}")).status_code == 404
    assert await pages.status(account) == await pages.status(other) == "awaiting_code"
    assert (await pages.browser("GET", other_path)).status_code == 200


async def test_a_page_ends_with_its_login(pages: Pages) -> None:
    account, asked, path = await pages.asked_for_passkey()
    await pages.world.step(account, "start")
    assert (await pages.paste(path, result_of(asked))).status_code == 404
    account, asked, path = await pages.asked_for_passkey(OTHER)
    await pages.world.step(account, "cancel")
    assert (await pages.browser("GET", path)).status_code == 404
    account, asked, path = await pages.asked_for_passkey("+6590000004")
    await pages.world.api("DELETE", f"/v1/accounts/{account}")
    assert (await pages.browser("GET", path)).status_code == 404


async def test_what_the_platform_says_cannot_leave_its_place_on_the_page(pages: Pages) -> None:
    evil = "</textarea><script>alert(1)</script>\u2028"
    pages.world.platform.logins.new_challenge = lambda: evil
    _, _, path = await pages.asked_for_passkey()
    shown = await pages.browser("GET", path)
    assert_safe(shown)
    assert shown.text.count("</textarea>") == 2
    assert "alert(1)" in shown.text
