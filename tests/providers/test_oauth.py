"""OAuth tokens: refreshed ahead of expiry and after a 401, once for all who ask, and kept once answered."""

import base64
import gc
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
import trio
from trio.testing import MockClock

from actors.account.memory_session import MemorySession
from tests.providers.platform import Platform, Request, Step, answer, context, scripted
from unifyport.model.unit import SessionChange
from unifyport.process.redaction import redact
from unifyport.providers.contract.errors import (
    ChannelError,
    LoggedOut,
    RateLimited,
    SessionLost,
    Transient,
)
from unifyport.providers.contract.login import Consent
from unifyport.providers.http import HttpApi
from unifyport.providers.oauth import RECORD, SHIELD_SECONDS, OAuthClient, OAuthTokens

EPOCH = 1_780_000_000.0
LIFETIME = 7200


@pytest.fixture
def clock() -> MockClock:
    return MockClock(autojump_threshold=0.03)  # real sockets on a mock clock: let bytes arrive first


class Store(MemorySession):
    """`fails`: what the next commit raises. `slow`: seconds that it takes."""

    def __init__(self, records: dict[tuple[str, bytes], bytes] | None = None) -> None:
        super().__init__(records or {})
        self.fails: type[Exception] | None = None
        self.slow = 0.0
        self.commits = 0

    async def commit(self, changes: Sequence[SessionChange]) -> None:
        self.commits += 1
        if self.fails is not None:
            raise self.fails()
        await trio.sleep(self.slow)
        await super().commit(changes)


def pair(number: int, **more: Any) -> bytes:
    fields = {
        "access_token": f"access-{number}",
        "refresh_token": f"refresh-{number}",
        "expires_in": LIFETIME,
    }
    return answer({**fields, "token_type": "bearer", **more})


def after(seconds: float, sent: bytes) -> Step:
    async def step(_: Request) -> bytes:
        await trio.sleep(seconds)
        return sent

    return step


def made(platform: Platform, session: MemorySession, seed: str = "seed-0", **client: Any) -> HttpApi:
    """The HTTP client of an incarnation."""
    api = HttpApi(context(session), parallel_sends=8)
    app = OAuthClient(f"{platform.url}/token", "app", **client)
    api.tokens = OAuthTokens(api, session, app, seed, now=lambda: EPOCH + trio.current_time())
    return api


async def current(api: HttpApi, refused: str | None = None) -> str:
    assert api.tokens is not None
    return await (api.tokens.current() if refused is None else api.tokens.renew(refused))


def used(platform: Platform) -> list[str]:
    """The refresh tokens of the refreshes, and the access tokens of the calls, in order."""
    return [
        parse_qs(request.body.decode())["refresh_token"][0]
        if request.path == "/token"
        else request.headers["authorization"].removeprefix("Bearer ")
        for request in platform.requests
    ]


async def test_a_token_is_refreshed_ahead_of_its_expiry(clock: MockClock) -> None:
    ok, session = answer({}), Store()
    async with scripted(
        pair(1), ok, ok, pair(2), ok, pair(3, refresh_token=None), ok, pair(4), ok
    ) as platform:
        api = made(platform, session)
        await api.request("GET", platform.url)
        await trio.sleep(LIFETIME - 121)
        await api.request("GET", platform.url)
        for _ in range(3):
            await trio.sleep(LIFETIME - 119)
            await api.request("GET", platform.url)
        await api.aclose()
    first = ["seed-0", "access-1", "access-1", "refresh-1", "access-2"]
    assert used(platform) == [*first, "refresh-2", "access-3", "refresh-2", "access-4"]
    assert session.commits == 4


async def test_the_refresh_goes_on_after_a_restart_and_another_seed_voids_it(clock: MockClock) -> None:
    session = Store()
    async with scripted(pair(1), pair(2), pair(3)) as platform:
        assert await current(made(platform, session)) == "access-1"
        assert await current(made(platform, Store(session.records))) == "access-1"
        assert await current(made(platform, session, "another")) == "access-2"
        assert await current(made(platform, session, "seed-0")) == "access-3"
    assert used(platform) == ["seed-0", "another", "seed-0"]
    stored = session.records[RECORD]
    assert b"access-3" in stored
    assert b"seed-0" not in stored
    assert redact("access-3 refresh-3") == "[secret] [secret]"


async def test_a_401_is_answered_with_another_token_once(clock: MockClock) -> None:
    refused, ok = answer(b"", 401), answer(b"{}")
    async with scripted(pair(1), refused, pair(2), ok, ok, refused, pair(3), refused) as platform:
        api = made(platform, Store())
        assert (await api.request("POST", platform.url, json={"text": "hello"})).status == 200
        assert [r.body for r in platform.requests if r.path == "/"] == [b'{"text":"hello"}'] * 2
        got = bytearray()

        async def sink(chunk: bytes) -> None:
            got.extend(chunk)

        assert await api.download(platform.url, sink, limit=10) == 2
        assert (await api.request("GET", platform.url)).status == 401
        await api.aclose()
    first = ["seed-0", "access-1", "refresh-1", "access-2", "access-2"]
    assert used(platform) == [*first, "access-2", "refresh-2", "access-3"]


async def test_a_request_elsewhere_has_no_token() -> None:
    async def sink(chunk: bytes) -> None: ...

    async with scripted(answer(b"x"), answer(b"x", 401)) as platform:
        api = made(platform, Store())
        await api.download(platform.url, sink, limit=10, authorized=False)
        assert (await api.request("GET", platform.url, authorized=False)).status == 401
        await api.aclose()
    assert not [request for request in platform.requests if "authorization" in request.headers]


async def test_all_who_ask_share_one_refresh(clock: MockClock) -> None:
    async with scripted(after(1, pair(1)), after(1, pair(2))) as platform:
        session = Store()
        api, other = made(platform, session), made(platform, session)  # two incarnations of one account
        tokens: list[str] = []

        async def ask(of: HttpApi, refused: str | None = None) -> None:
            tokens.append(await current(of, refused))

        for refused in (None, "access-1"):
            async with trio.open_nursery() as nursery:
                for number in range(20):
                    nursery.start_soon(ask, api if number % 2 else other, refused)
    assert tokens == ["access-1"] * 20 + ["access-2"] * 20
    assert used(platform) == ["seed-0", "refresh-1"]
    assert session.commits == 2


async def test_all_who_ask_share_a_failure(clock: MockClock) -> None:
    reasons: list[str] = []
    async with scripted(after(1, answer(b"", 500)), pair(1)) as platform:
        api = made(platform, Store())

        async def ask() -> None:
            with pytest.raises(Transient) as caught:
                await api.request("POST", platform.url)
            assert not caught.value.maybe_applied
            reasons.append(caught.value.reason)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(ask)
        assert reasons == ["oauth_http_500"] * 5
        assert await current(api) == "access-1"
        await api.aclose()
    assert used(platform) == ["seed-0", "seed-0"]


async def test_a_refresh_that_is_answered_is_not_lost_by_a_cancellation(clock: MockClock) -> None:
    session = Store()
    async with scripted(after(3, pair(1))) as platform:
        with trio.move_on_after(1) as scope:
            await current(made(platform, session))
            await trio.sleep_forever()
        assert scope.cancelled_caught
        assert trio.current_time() == pytest.approx(3, abs=0.5)
        assert await current(made(platform, session)) == "access-1"
    assert session.commits == 1


async def test_the_shield_has_an_end(clock: MockClock) -> None:
    async with scripted(after(60, pair(1)), after(15, pair(1))) as platform:
        api, begun = made(platform, Store()), trio.current_time()
        with trio.move_on_after(1) as scope:
            await current(api)
        assert scope.cancelled_caught
        assert trio.current_time() - begun == pytest.approx(SHIELD_SECONDS, abs=0.5)
        assert await current(api) == "access-1"  # without a cancellation it may take longer
        await api.aclose()


async def test_a_commit_that_was_cut_off_is_repeated_before_the_tokens_are_used(clock: MockClock) -> None:
    session = Store()
    session.slow = 30
    async with scripted(pair(1)) as platform:
        api = made(platform, session)
        with trio.move_on_after(1):
            await current(api)
        assert RECORD not in session.records
        session.slow = 0
        assert await current(api) == "access-1"
        assert b"access-1" in session.records[RECORD]
        await api.aclose()


async def test_a_pair_outlives_a_session_that_ended_meanwhile(clock: MockClock) -> None:
    """The link is lost while a send refreshes: the session of its incarnation takes nothing more."""
    session = Store()
    session.fails = SessionLost
    async with scripted(pair(1), pair(2)) as platform:
        api = made(platform, session)
        with pytest.raises(SessionLost):
            await current(api)
        await api.aclose()
        del api
        gc.collect()
        following = Store(session.records)
        assert await current(made(platform, following)) == "access-1"
        assert b"access-1" in following.records[RECORD]
        gc.collect()
        assert await current(made(platform, Store(following.records)), "access-1") == "access-2"
    assert used(platform) == ["seed-0", "refresh-1"]


async def test_a_token_that_is_valid_is_used_while_the_refresh_fails(clock: MockClock) -> None:
    fails = [answer(b"", 503), b"", answer(b"", 429)]
    async with scripted(pair(1), *fails, answer(b"", 503)) as platform:
        api = made(platform, Store())
        assert await current(api) == "access-1"
        await trio.sleep(LIFETIME - 110)
        for _ in fails:
            for _ in range(3):  # and the platform is not asked each time
                assert await current(api) == "access-1"
            await trio.sleep(31)
        await trio.sleep(30)
        with pytest.raises(Transient, match="oauth_http_503"):
            await current(api)
        await api.aclose()


@pytest.mark.parametrize(
    ("step", "kind", "reason"),
    [
        (answer({"error": "invalid_grant"}, 400), LoggedOut, "refresh_token_refused"),
        (answer({"error": "invalid_request"}, 400), LoggedOut, "oauth_invalid_request"),
        (answer({"error": "invalid_client"}, 401), LoggedOut, "oauth_client_refused"),
        (answer({"error": "<script>"}, 400), Transient, "oauth_http_400"),
        (answer({"error": "invalid_grant"}, 503), Transient, "oauth_http_503"),
        (answer({"error": 5}, 400), Transient, "oauth_http_400"),
        (answer(b"", 429), RateLimited, "rate_limited"),
        (answer(b"<html>"), Transient, "oauth_malformed_answer"),
        (answer(b'{"access_token":"\xff"}'), Transient, "oauth_malformed_answer"),
        (answer(b'{"a":' + b"[" * 100_000), Transient, "oauth_malformed_answer"),
        (answer(b'{"error":"\xff"}', 400), Transient, "oauth_http_400"),
        (answer(b'{"a":' + b"[" * 100_000, 400), Transient, "oauth_http_400"),
        (answer({"refresh_token": "x"}), Transient, "oauth_malformed_answer"),
        (pair(1, access_token="a\r\nb: c"), Transient, "oauth_malformed_answer"),
        (pair(1, access_token=""), Transient, "oauth_malformed_answer"),
        (b"", Transient, "read_error"),
    ],
)
async def test_a_refresh_that_fails(step: bytes, kind: type[ChannelError], reason: str) -> None:
    session = Store()
    async with scripted(step) as platform:
        api = made(platform, session)
        with pytest.raises(kind) as caught:
            await api.request("POST", platform.url, json={})
        await api.aclose()
    assert (caught.value.reason, caught.value.maybe_applied) == (reason, False)
    assert not session.records


@pytest.mark.parametrize("lifetime", [None, 0, -5, "7200", 1e400])
async def test_an_expiry_that_is_unknown_or_strange(clock: MockClock, lifetime: Any) -> None:
    sent = answer(msgspec.json.encode({"access_token": "access-1", "expires_in": lifetime}))
    async with scripted(sent, pair(2)) as platform:
        api = made(platform, Store())
        for _ in range(2):
            assert await current(api) == "access-1"
        await trio.sleep(LIFETIME)
        assert await current(api) == ("access-2" if lifetime == "7200" else "access-1")
        await api.aclose()


@pytest.mark.parametrize(
    "stored",
    [b"", b"\xff", msgspec.msgpack.encode({"other": 1}), b"\x81\xa1\xff\x01", b"\x81\xa1a" + b"\x91" * 9999],
)
async def test_a_record_that_cannot_be_read_is_none(stored: bytes) -> None:
    async with scripted(pair(1)) as platform:
        api = made(platform, Store({RECORD: stored}))
        assert await current(api) == "access-1"
        await api.aclose()


async def test_how_the_app_is_named() -> None:
    async with scripted(pair(1), pair(1), pair(1)) as platform:
        await current(made(platform, Store(), client_secret="s:e"))
        await current(made(platform, Store(), "b", client_secret="s:e", in_body=True))
        await current(made(platform, Store(), "c"))
    basic, body, public = platform.requests
    expected = f"Basic {base64.b64encode(b'app:s%3Ae').decode()}"
    assert basic.headers["authorization"] == expected
    assert b"client_secret" not in basic.body
    fields = parse_qs(body.body.decode())
    assert (fields["client_id"], fields["client_secret"]) == (["app"], ["s:e"])
    assert "authorization" not in body.headers
    assert parse_qs(public.body.decode()) == {
        "grant_type": ["refresh_token"],
        "refresh_token": ["c"],
        "client_id": ["app"],
    }


async def test_a_task_refreshes_ahead_of_each_expiry_without_a_request(clock: MockClock) -> None:
    async with scripted(pair(1), pair(2), answer(b"", 503), pair(3), pair(4)) as platform:
        api = made(platform, Store())
        assert isinstance(api.tokens, OAuthTokens)
        with trio.move_on_after(3 * LIFETIME) as scope:
            await api.tokens.keep_fresh()
        assert scope.cancelled_caught
        await api.aclose()
    assert used(platform) == ["seed-0", "refresh-1", "refresh-2", "refresh-2", "refresh-3"]


async def test_the_task_ends_with_a_refresh_token_that_is_dead(clock: MockClock) -> None:
    async with scripted(pair(1), answer({"error": "invalid_grant"}, 400)) as platform:
        api = made(platform, Store())
        assert isinstance(api.tokens, OAuthTokens)
        with pytest.raises(LoggedOut, match="refresh_token_refused"):
            await api.tokens.keep_fresh()
        await api.aclose()


def consented(code: str = "4/abc") -> Consent:
    return Consent(
        parameters={"code": code}, verifier="v" * 43, redirect_uri="https://gateway/oauth/callback"
    )


async def test_the_code_of_a_consent_becomes_a_pair_of_its_own(clock: MockClock) -> None:
    async with scripted(pair(1), pair(2), pair(3), answer(b"{}"), answer(b"{}")) as platform:
        sessions = Store(), Store()
        for session in sessions:  # two accounts of one app
            api = made(platform, session, seed="")
            assert isinstance(api.tokens, OAuthTokens)
            await api.tokens.exchange(consented())
            await api.aclose()
        first, second = (made(platform, Store(session.records), seed="") for session in sessions)
        assert await current(first) == "access-1"
        assert await current(second) == "access-2"
        assert await current(first, "access-1") == "access-3"
        assert await current(second) == "access-2"
    asked = parse_qs(platform.requests[0].body.decode())
    assert asked == {
        "grant_type": ["authorization_code"],
        "code": ["4/abc"],
        "redirect_uri": ["https://gateway/oauth/callback"],
        "code_verifier": ["v" * 43],
        "client_id": ["app"],
    }


async def test_without_a_seed_and_a_consent_there_are_no_tokens() -> None:
    async with scripted() as platform:
        with pytest.raises(LoggedOut, match="consent_missing"):
            await current(made(platform, Store(), seed=""))


async def test_a_consent_without_a_refresh_token_is_refused(clock: MockClock) -> None:
    async with scripted(pair(1, refresh_token=None)) as platform:
        session = Store()
        api = made(platform, session, seed="")
        assert isinstance(api.tokens, OAuthTokens)
        with pytest.raises(Transient, match="oauth_no_refresh_token"):
            await api.tokens.exchange(consented())
        assert not session.records
        await api.aclose()


async def test_the_tokens_of_each_account_are_blanked_until_it_is_gone() -> None:
    number = 600
    async with scripted(*(pair(10_000 + n) for n in range(number))) as platform:
        apis = [made(platform, Store(), f"seed of {n}") for n in range(number)]
        for api in apis:
            await current(api)
            await api.aclose()
    for n in range(number):
        text = f"access-{10_000 + n} refresh-{10_000 + n}"
        assert redact(text) == "[secret] [secret]"
    api.secrets.forget()
    assert redact(text) == text
