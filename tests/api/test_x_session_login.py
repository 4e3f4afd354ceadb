"""The import of a session of X: its spellings, the passcode, and what is refused."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.x_session_world import ANN, BOB, PASSCODE, SHOP, XSessionWorld, x_session_world
from unifyport.providers import cookies as jars
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.x.session import client
from unifyport.providers.x.session.imported import read_export, share

GOOD = {"auth_token": "a" * 40, "ct0": "b" * 32, "twid": "u%3D111"}


def _line(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


async def _last_error(world: XSessionWorld) -> Any:
    return await world.auth(SHOP, "failed")


@pytest.mark.parametrize(
    "spelling",
    [
        _line,
        lambda cookies: cookies,
        lambda cookies: json.dumps([{"name": n, "value": v, "domain": ".x.com"} for n, v in cookies.items()]),
    ],
)
async def test_three_spellings(tmp_path: Path, spelling: Any) -> None:
    async with x_session_world(tmp_path) as world:
        await world.account(SHOP)
        answer = await world.give_session(SHOP, spelling(await world.cookies(SHOP)))
        assert answer.is_success, answer.text
        account = await world.running(SHOP)
        assert (account["provider_account_ref"], account["auth_mode"]) == (SHOP, "session")


async def test_a_wrong_passcode_is_asked_for_once_and_says_what_is_left(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.account(SHOP)
        cookies = await world.cookies(SHOP)
        for left in (19, 18):
            await world.give_session(SHOP, cookies, "1111")
            failed = await _last_error(world)
            assert failed["last_error"] == "invalid_passcode"
            assert failed["auth_payload"]["guesses_left"] == left
        assert world.x.chat.realms.asked["Recover2"] == 2 * 3  # three realms, once each
        version = world.x.chat.keys_of(SHOP)[-1].version
        world.x.chat.realms.use_guesses(SHOP, version, 4)
        await world.give_session(SHOP, cookies, "1111")
        assert (await _last_error(world))["auth_payload"]["guesses_left"] == 3
        asked = world.x.chat.realms.asked.copy()
        await world.give_session(SHOP, cookies)
        assert (await _last_error(world))["last_error"] == "last_guesses"
        assert world.x.chat.realms.asked == asked  # one of the last guesses is not taken without a word


@pytest.mark.parametrize("pin", [None, "0000"])
async def test_without_a_passcode_no_realm_is_asked(tmp_path: Path, pin: str | None) -> None:
    async with x_session_world(tmp_path) as world:
        await world.link(SHOP, pin=pin)
        assert not world.x.chat.realms.asked["Recover1"]
        await world.write(ANN, SHOP, "secret")
        await world.told(SHOP, "[encrypted message]")
        refused = await world.send(SHOP, ANN)
        assert refused.json()["error"]["reason"] == "xchat_locked"


async def test_a_restart_and_other_cookies_ask_no_realm_again(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.link(SHOP)
        asked = world.x.chat.realms.asked.copy()
        await world.api("POST", f"/v1/accounts/{world.ids[SHOP]}/runtime/reconnect")
        await world.running(SHOP)
        await world.write(ANN, SHOP, "one")
        await world.told(SHOP, "one")
        await world.do("end_session", user=SHOP)
        await world.api("POST", f"/v1/accounts/{world.ids[SHOP]}/runtime/reconnect")
        await world.auth(SHOP, "failed")
        answer = await world.give_session(SHOP, await world.cookies(SHOP, None), None)
        assert answer.is_success, answer.text
        await world.running(SHOP)
        await world.write(ANN, SHOP, "two")
        await world.told(SHOP, "two")
        assert world.x.chat.realms.asked == asked


async def test_what_came_before_the_next_login_is_read(tmp_path: Path) -> None:
    async with x_session_world(tmp_path) as world:
        await world.write(ANN, SHOP, "history")
        await world.link(SHOP)
        await world.do("classic_write", **{"from": BOB, "to": SHOP, "text": "open"})
        await world.write(ANN, SHOP, "one")
        await world.told(SHOP, "one")
        await world.told(SHOP, "open")
        await world.do("end_session", user=SHOP)
        await world.api("POST", f"/v1/accounts/{world.ids[SHOP]}/runtime/reconnect")
        await world.auth(SHOP, "failed")
        await world.write(ANN, SHOP, "while logged out")
        await world.do("classic_write", **{"from": BOB, "to": SHOP, "text": "open while logged out"})
        answer = await world.give_session(SHOP, await world.cookies(SHOP, None), None)
        assert answer.is_success, answer.text
        await world.running(SHOP)
        await world.told(SHOP, "while logged out")
        await world.told(SHOP, "open while logged out")
        told = ["one", "open", "open while logged out", "while logged out"]
        assert sorted(world.texts(SHOP)) == told


@pytest.mark.parametrize("failure", ["expired", "suspended", "locked"])
async def test_a_session_that_x_refuses_is_not_taken(tmp_path: Path, failure: str) -> None:
    async with x_session_world(tmp_path) as world:
        await world.account(SHOP)
        cookies = await world.cookies(SHOP)
        await world.do("fail_session", user=SHOP, failure=failure)
        answer = await world.give_session(SHOP, cookies)
        assert (await _last_error(world))["last_error"] == "invalid_session"
        assert cookies["auth_token"] not in answer.text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"[1, null]",
        b'"auth_token"',
        b"auth_token=a\r\nx: y",
        json.dumps({**GOOD, "ct0": "x\r\ny"}).encode(),
        json.dumps({**GOOD, "auth_token": "a b c d e f g"}).encode(),
        json.dumps({**GOOD, "twid": "u=abc"}).encode(),
        json.dumps({"auth_token": 5, "ct0": [], "twid": {}}).encode(),
        json.dumps([{"name": "a", "value": "b"}] * 101).encode(),
        b"a" * (1024 * 1024 + 1),
        b"[" * 100_000,
    ],
)
def test_no_export_is_quoted(data: bytes) -> None:
    with pytest.raises(Rejected) as refused:
        read_export(data)
    assert refused.value.reason == "invalid_session"
    assert PASSCODE not in refused.value.detail
    assert "auth_token=a" not in refused.value.detail


def test_a_cookie_of_the_session_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    jar = read_export(b"auth_token=aaaaaaaa; ct0=bbbbbbbb; twid=u%3D7").jar
    renewed = ["ct0=cccccccc; Path=/; Max-Age=21600", "lang=en; Max-Age=21600; Domain=.x.com"]
    assert jars.accept(jar, "https://x.com/", renewed, domains=client.DOMAINS)
    share(jar)
    in_a_week = time.time() + 7 * 86_400
    monkeypatch.setattr(time, "time", lambda: in_a_week)
    for kept in (jar, jars.restored(jars.stored(jar))):
        line = jars.header(kept, "https://api.x.com/graphql")
        assert sorted(line.split("; ")) == ["auth_token=aaaaaaaa", "ct0=cccccccc", "twid=u%3D7"]


def test_only_cookies_of_x_are_taken_and_for_its_domain_alone() -> None:
    given = [
        {"name": name, "value": value, "domain": "evil.example", "path": "/elsewhere"}
        for name, value in {**GOOD, "evil": "1", "session_url": "https://evil.example"}.items()
    ]
    found = read_export(json.dumps({"url": "https://evil.example", "cookies": given}).encode())
    assert found.user_id == "111"
    assert {(cookie.name, cookie.domain, cookie.path) for cookie in found.jar} == {
        (name, ".x.com", "/") for name in GOOD
    }
