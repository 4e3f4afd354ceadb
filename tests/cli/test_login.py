"""`unifyport login` as people type it, against a gateway with the reference platform."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from tests.api.oauth_world import world as oauth_world
from tests.harness import KEY, Client, gateway, settings_of
from tests.reference.platform import PHONE, SECRETIVE, ReferencePlatform
from tests.reference.serving import CHANNEL, REGISTRY, TYPED, places, reference_platform
from unifyport.cli.login import drawn, lines_of, why_failed


class Terminal:
    """The command, with what is typed into it."""

    def __init__(self, api: Client, account: str, *more: str) -> None:
        self._command = [sys.executable, "-m", "unifyport", "login", account, "--json", *more]
        self._command += ["--url", str(api.http.base_url), "--api-key", KEY]
        self._buffer = b""
        self.process: trio.Process

    async def __aenter__(self) -> "Terminal":
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        self.process = await trio.lowlevel.open_process(
            self._command, stdin=-1, stdout=-1, stderr=-1, env=environment
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.process.kill()
        with trio.CancelScope(shield=True):
            await self.process.wait()

    async def state(self) -> Any:
        assert self.process.stdout is not None
        with trio.fail_after(20):
            while b"\n" not in self._buffer:
                chunk = await self.process.stdout.receive_some()
                assert chunk, "the command has ended"
                self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    async def type(self, text: str) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send_all(text.encode() + b"\n")

    async def ended(self) -> int:
        with trio.fail_after(20):
            return await self.process.wait()


async def made(api: Client, auth_mode: str, provider: str = CHANNEL, **data: str) -> str:
    body = {"provider": provider, "auth_mode": auth_mode, "provider_data": data}
    return str((await api.data("POST", "/v1/accounts", body))["id"])


@pytest.fixture
async def world(tmp_path: Path) -> Any:
    async with reference_platform() as reference:
        settings = settings_of(tmp_path, places(reference), registry=REGISTRY)
        async with gateway(settings, list(REGISTRY.channels.values())) as api:
            yield api, reference.platform


World = tuple[Client, ReferencePlatform]


async def test_by_qr_code(world: World) -> None:
    api, platform = world
    async with Terminal(api, await made(api, "qrcode")) as terminal:
        first = await terminal.state()
        platform.logins.new_qr(platform.logins.newest)
        second = await terminal.state()
        assert second["auth_payload"]["qr_code"] != first["auth_payload"]["qr_code"]
        platform.logins.scan(second["auth_payload"]["qr_code"], PHONE)
        assert (await terminal.state())["status"] == "authorized"
        assert await terminal.ended() == 0


async def test_by_code_and_password(world: World) -> None:
    api, _ = world
    async with Terminal(api, await made(api, "code", phone=SECRETIVE)) as terminal:
        assert (await terminal.state())["status"] == "awaiting_code"
        await terminal.type("99999")
        assert (await terminal.state())["last_error"] == "invalid_code"
        await terminal.type("12345")
        assert (await terminal.state())["status"] == "awaiting_password"
        await terminal.type("hunter22")
        assert (await terminal.state())["status"] == "authorized"
        assert await terminal.ended() == 0


async def test_a_login_that_fails(world: World) -> None:
    api, platform = world
    async with Terminal(api, await made(api, "code", TYPED, phone=PHONE)) as terminal:
        assert "verify_code" in (await terminal.state())["auth_payload"]
        platform.logins.give_up(platform.logins.newest)
        assert (await terminal.state())["last_error"] == "too_many_codes"
        assert await terminal.ended() == 1


async def test_a_login_that_is_given_up_elsewhere(world: World) -> None:
    api, _ = world
    account = await made(api, "qrcode")
    async with Terminal(api, account) as terminal:
        await terminal.state()
        await api.data("POST", f"/v1/accounts/{account}/auth/cancel")
        assert await terminal.ended() == 1


async def test_by_one_of_the_last_guesses_of_a_passcode(world: World) -> None:
    api, platform = world
    user = platform.logins.users[PHONE]
    user.passcode, user.guesses = "2580", 2
    account = await made(api, "code", phone=PHONE)
    async with Terminal(api, account) as terminal:
        await terminal.state()
        await terminal.type("12345")
        assert "ask_passcode" in (await terminal.state())["auth_payload"]
        await terminal.type("n")
        assert await terminal.ended() == 1
    assert user.guesses == 2
    async with Terminal(api, account) as terminal:
        await terminal.state()
        await terminal.type("12345")
        await terminal.state()
        await terminal.type("y")
        await terminal.type("2580")
        assert (await terminal.state())["status"] == "authorized"
        assert await terminal.ended() == 0


async def test_by_passkey_on_its_page(world: World) -> None:
    api, platform = world
    platform.logins.users[PHONE].passkey = "key-1"
    async with Terminal(api, await made(api, "code", phone=PHONE)) as terminal:
        await terminal.state()
        await terminal.type("12345")
        shown = (await terminal.state())["auth_payload"]  # nothing is asked for at the terminal
        result = {"id": "key-1", "challenge": shown["passkey"]["public_key"]["challenge"]}
        await api("POST", httpx.URL(shown["page_url"]).path, data={"result": json.dumps(result)})
        assert (await terminal.state())["status"] == "authorized"
        assert await terminal.ended() == 0


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        ({"qr_code": "x", "url": "http://q/1.png"}, ["scan", "http://q/1.png"]),
        ({"qr_code": "x", "url": "http://q/1.png", "pin": "4711"}, ["4711"]),
        ({"verify_code": "AB-12"}, ["AB-12"]),
        ({"confirm_on_phone": {"display_name": "Mei [x]"}}, ["Mei \\[x]"]),
        ({"code_delivery": {"type": "sms", "length": 5}}, ["sms", "5"]),
        ({"code_delivery": {"type": "app"}}, ["(app)", "a device that is logged in"]),
        ({"code_delivery": {"type": "app", "timeout": 60, "next_type": "sms"}}, ["60 s", "Ctrl-C", "sms"]),
        ({"password_hint": "the dog"}, ["the dog"]),
        ({"ask_passcode": {"guesses_left": 4}}, ["4"]),
        ({"passkey": {}, "page_url": "http://p/login/1"}, ["passkey", "http://p/login/1"]),
        ({"consent": {"scopes": []}, "page_url": "https://p/authorize"}, ["consent", "https://p/authorize"]),
    ],
)
def test_each_step_is_told(payload: Any, words: list[str]) -> None:
    told = list(lines_of(payload))
    assert len(told) == 1
    assert all(word in told[0] for word in words)


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        ({"last_error": "code_expired"}, "code_expired; log in again"),
        (
            {"last_error": "sign_up_required", "auth_payload": {"detail": "no account"}},
            "sign_up_required (no account)",
        ),
        (
            {"last_error": "rate_limited", "auth_payload": {"retry_at": "2026-12-01T19:12:50Z"}},
            "rate_limited; the platform allows it again at 2026-12-01T19:12:50Z",
        ),
        ({}, "no reason is known"),
    ],
)
def test_a_failure_is_told_with_what_helps(failed: Any, told: str) -> None:
    assert why_failed(failed) == told


async def test_by_session(world: World, tmp_path: Path) -> None:
    api, platform = world
    file = tmp_path / "session.txt"
    await trio.Path(file).write_text(platform.logins.export(PHONE))
    account = await made(api, "session")
    async with Terminal(api, account) as terminal:
        assert await terminal.ended() == 2  # it must be told which
    async with Terminal(api, account, "--session-file", str(file)) as terminal:
        assert (await terminal.state())["status"] == "authorized"
        assert await terminal.ended() == 0


async def test_the_command_line_leads_to_the_page_of_consent(tmp_path: Path) -> None:
    async with oauth_world(tmp_path) as at:
        account = await at.create()
        async with Terminal(at.api, account) as terminal:
            shown = await terminal.state()
            while shown["status"] == "pending_auth":
                shown = await terminal.state()
            await at.api("GET", at.grants.consent(shown["auth_payload"]["page_url"], "user-1"))
            assert (await terminal.state())["status"] == "authorized"
            assert await terminal.ended() == 0
        await at.running(account)


def test_a_code_is_drawn_in_blocks() -> None:
    lines = drawn("ref:0123456789abcdef").splitlines()
    assert len(lines) > 10
    assert any(set(line) & set("▀▄█") for line in lines)
