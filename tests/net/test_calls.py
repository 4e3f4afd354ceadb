"""The client for calls among platforms that a test writes, on a mock clock: what it sends, what it says of a
call that fails, and how many connections it has.
"""

import ssl
from collections.abc import Mapping

import pytest
import trio
from trio.testing import MockClock

from tests.scripted import ScriptedPeers
from unifyport.delivery.scripted import END, GONE, RESET, SILENCE, ScriptedWire, Step, answer
from unifyport.model.proxy import Proxy
from unifyport.net import calls, sweeper
from unifyport.net.answer import MAX_HEAD
from unifyport.net.calls import CallClient
from unifyport.net.clients import ConnectionLost, NotConnected, Response
from unifyport.net.guard import Address, Target
from unifyport.net.wire import LocalTrouble

URL = "https://api.example/bot1:secret-token/sendMessage"
FIRST, SECOND = "93.184.216.34", "2606:2800:220:1::1"
OK = [answer(200, b"{}")]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"
TIMEOUT = 20.0
PROXY = Proxy("http", "10.0.0.1", 3128, "user", "pass:word")


class World(ScriptedPeers):
    """One account's client, and the platforms that it calls."""

    def __init__(self, connections: int = 4, proxy: Proxy | None = None) -> None:
        super().__init__(OK, {"api.example": [FIRST], "other.example": [SECOND], "third.example": [FIRST]})
        self.client = CallClient(
            ssl.create_default_context(),
            connections=connections,
            proxy=proxy,
            backend=self,
            resolve=self.resolve,
            sweeper=self.sweeper,
        )

    async def call(
        self,
        url: str = URL,
        method: str = "POST",
        content: bytes | None = b"{}",
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        max_body: int = 1000,
    ) -> Response:
        return await self.client.request(
            method, url, content=content, headers=headers, timeout=timeout, max_body=max_body
        )

    async def outcome(self, url: str = URL, timeout: float = TIMEOUT) -> int | str:
        """The status; or the reason, after `not sent:` or `unknown:`."""
        try:
            return (await self.call(url, timeout=timeout)).status
        except NotConnected as error:
            return f"not sent: {error}"
        except ConnectionLost as error:
            return f"unknown: {error}"


@pytest.fixture
def world(autojump_clock: MockClock, nursery: trio.Nursery) -> World:
    world = World()
    nursery.start_soon(world.sweeper.run)
    return world


# -- requests ------------------------------------------------------------------------------------------------


async def test_a_request_to_the_byte(autojump_clock: MockClock, world: World) -> None:
    await world.call(headers={"Content-Type": "application/json", "X-App": "1"})
    await world.call("http://api.example:8081/me?fields=a,b", "GET", None, headers={"user-agent": "x"})
    assert world.requests == [
        b"POST /bot1:secret-token/sendMessage HTTP/1.1\r\nHost: api.example\r\n"
        b"Content-Type: application/json\r\nX-App: 1\r\n"
        b"accept: */*\r\naccept-encoding: identity\r\nuser-agent: UnifyPort\r\ncontent-length: 2\r\n\r\n{}",
        b"GET /me?fields=a,b HTTP/1.1\r\nHost: api.example:8081\r\n"
        b"user-agent: x\r\naccept: */*\r\naccept-encoding: identity\r\n\r\n",
    ]


async def test_a_post_without_a_body_has_a_length(autojump_clock: MockClock, world: World) -> None:
    await world.call(content=None)
    assert world.requests[0].endswith(b"content-length: 0\r\n\r\n")


async def test_credentials_in_the_url_become_a_header(autojump_clock: MockClock, world: World) -> None:
    await world.call("https://me:p%40ss@api.example/")
    await world.call("https://me:p%40ss@api.example/", headers={"Authorization": "Bearer x"})
    assert b"authorization: Basic bWU6cEBzcw==\r\n" in world.requests[0]
    assert b"Basic" not in world.requests[1]
    assert b"Host: api.example\r\n" in world.requests[0]


@pytest.mark.parametrize(
    "headers",
    [
        {"x": "a\r\nevil: b"},
        {"x": "a\nb"},
        {"x": "a\0"},
        {"x\r\ny": "b"},
        {"x y": "b"},
        {"": "b"},
        {"x": "é"},
        {"Content-Length": "5"},
        {"transfer-encoding": "chunked"},
        {"host": "evil.example"},
        {"x-a": "1", "X-A": "2"},
    ],
    ids=repr,
)
async def test_headers_that_would_change_the_request_are_not_sent(
    autojump_clock: MockClock, world: World, headers: dict[str, str]
) -> None:
    with pytest.raises(NotConnected, match="local_protocol_error"):
        await world.call(headers=headers)
    assert world.dialled == []


@pytest.mark.parametrize("url", ["", "/x", "ftp://api.example/", "https://", "https://[::1/", "https://a b/"])
async def test_what_is_no_url_is_not_sent(autojump_clock: MockClock, world: World, url: str) -> None:
    assert await world.outcome(url) == "not sent: unsupported_url"


# -- answers -------------------------------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
ANSWERED: dict[str, tuple[list[Step], bytes, bool]] = {  # what comes, its body, and whether it may be reused
    "at once": ([HEAD + b"ok"], b"ok", True),
    "in pieces": ([HEAD[:20], HEAD[20:], b"o", b"k"], b"ok", True),
    "late": ([19.0, HEAD + b"ok"], b"ok", True),
    "a body that is late": ([HEAD, 15.0, b"ok"], b"ok", True),
    "in chunks": ([CHUNKED + b"1\r\no\r\n", b"1\r\nk\r\n0\r\nx: y\r\n\r\n"], b"ok", True),
    "after interim answers": (
        [b"HTTP/1.1 103 -\r\nx: y\r\n\r\nHTTP/1.1 100 -\r\n\r\n", HEAD + b"ok"],
        b"ok",
        True,
    ),
    "and close": ([answer(200, b"ok", more="connection: close\r\n")], b"ok", False),
    "until the end": ([b"HTTP/1.1 200 OK\r\n\r\no", b"k", END], b"ok", False),
    "of old": ([b"HTTP/1.0 200 OK\r\n\r\nok", END], b"ok", False),
    "with more than was asked for": ([HEAD + b"ok" + answer(200)], b"ok", False),
    "as large as may be": ([answer(200, b"x" * 1000)], b"x" * 1000, True),
    "compressed although not asked for": (
        [answer(200, b"\x1f\x8b", more="content-encoding: gzip\r\n")],
        b"\x1f\x8b",
        True,
    ),
}


@pytest.mark.parametrize(("script", "body", "kept"), ANSWERED.values(), ids=ANSWERED.keys())
async def test_an_answer(
    autojump_clock: MockClock, world: World, script: list[Step], body: bytes, kept: bool
) -> None:
    world.script = [script]
    response = await world.call()
    assert (response.status, response.body) == (200, body)
    assert "x" not in response.headers
    assert world.open == kept


async def test_headers_of_an_answer(autojump_clock: MockClock, world: World) -> None:
    world.script = [[answer(429, b"", more="Retry-After: 5\r\nX-A: 1\r\nx-a: \xfc\r\nset-cookie: a=b\r\n")]]
    response = await world.call()
    assert response.headers["retry-after"] == "5"
    assert response.headers["x-a"].startswith("1, ")
    await world.call()
    assert b"cookie" not in world.requests[1]


async def test_a_redirect_is_an_answer(autojump_clock: MockClock, world: World) -> None:
    world.script = [[answer(302, more="location: http://[::1]/\r\n")]]
    assert await world.outcome() == 302
    assert len(world.requests) == 1


FAILED: dict[str, tuple[list[Step], str]] = {
    "reset": ([RESET], "read_error"),
    "closed": ([END], "read_error"),
    "half a head": ([HEAD[:20], END], "read_error"),
    "half a body": ([HEAD, b"o", END], "read_error"),
    "half a chunk": ([CHUNKED + b"5\r\nok", END], "read_error"),
    "a body of no length that is reset": ([b"HTTP/1.1 200 OK\r\n\r\nok", RESET], "read_error"),
    "only an interim answer": ([b"HTTP/1.1 100 -\r\n\r\n", END], "read_error"),
    "silence": ([SILENCE], "timeout"),
    "a body that is too late": ([HEAD, SILENCE], "timeout"),
    "nonsense": ([b"SSH-2.0\r\n"], "remote_protocol_error"),
    "a bad chunk": ([CHUNKED + b"zz\r\n"], "remote_protocol_error"),
    "another protocol": (
        [b"HTTP/1.1 101 -\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhello"],
        "remote_protocol_error",
    ),
    "a head without end": ([HEAD[:17], b"x: y\r\n" * MAX_HEAD], "remote_protocol_error"),
    "too large": (
        [b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n", *[b"x" * 9999] * 99],
        "response_too_large",
    ),
    "without end": ([b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 9999] * 99], "response_too_large"),
}


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
@pytest.mark.parametrize(("script", "reason"), FAILED.values(), ids=FAILED.keys())
async def test_after_the_first_byte_nobody_knows_and_nothing_is_repeated(
    autojump_clock: MockClock, world: World, script: list[Step], reason: str, kept: bool
) -> None:
    if kept:
        await world.call()
    world.script = [script]
    began = trio.current_time()
    assert await world.outcome() == f"unknown: {reason}"
    assert len(world.requests) == 1 + kept
    assert world.open == 0
    assert (trio.current_time() - began >= TIMEOUT) is (reason == "timeout")


async def test_an_answer_that_is_hardly_too_large_leaves_a_good_connection(
    autojump_clock: MockClock, world: World
) -> None:
    world.script = [[answer(200, b"x" * 1001)], OK]
    assert [await world.outcome(), await world.outcome()] == ["unknown: response_too_large", 200]
    assert len(world.dialled) == 1


# -- before the first byte -----------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["connection_refused", "certificate_not_trusted", "tls_error"])
async def test_without_a_connection_nothing_was_sent(
    autojump_clock: MockClock, world: World, reason: str
) -> None:
    world.refused = {FIRST: reason}
    assert await world.outcome() == "not sent: connect_error"


async def test_a_name_that_nobody_knows(autojump_clock: MockClock, world: World) -> None:
    assert await world.outcome("https://unknown.example/") == "not sent: connect_error"


async def test_no_descriptors(
    autojump_clock: MockClock, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(target: Target, address: Address) -> ScriptedWire:
        raise LocalTrouble("EMFILE")

    monkeypatch.setattr(world, "connect", none)
    assert await world.outcome() == "not sent: connect_error"


async def test_a_silent_address(
    autojump_clock: MockClock, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(target: Target, address: Address) -> ScriptedWire:
        await trio.sleep_forever()

    monkeypatch.setattr(world, "connect", silent)
    assert await world.outcome() == "not sent: connect_timeout"
    assert trio.current_time() == calls.CONNECT_SECONDS
    assert await world.outcome(timeout=3) == "not sent: connect_timeout"
    assert trio.current_time() == calls.CONNECT_SECONDS + 3


async def test_the_second_address_is_tried(autojump_clock: MockClock, world: World) -> None:
    world.names["api.example"] = [FIRST, SECOND]
    world.refused = {FIRST: "connection_refused"}
    assert await world.outcome() == 200
    assert world.dialled == [FIRST, SECOND]


@pytest.mark.parametrize("script", [[END], [RESET], [answer(408)], [b"x"]], ids=repr)
async def test_a_connection_that_went_stale_is_not_used(
    autojump_clock: MockClock, world: World, script: list[Step]
) -> None:
    world.script = [[*OK, *script], OK]
    assert [await world.outcome(), await world.outcome()] == [200, 200]
    assert (len(world.dialled), len(world.requests), world.open) == (2, 2, 1)


async def test_a_kept_connection_that_takes_no_byte_is_replaced(
    autojump_clock: MockClock, world: World
) -> None:
    world.script = [[*OK, GONE], OK]
    assert [await world.outcome(), await world.outcome()] == [200, 200]
    assert (len(world.dialled), len(world.requests), world.open) == (2, 2, 1)


async def test_a_fresh_connection_that_takes_no_byte_has_sent_nothing(
    autojump_clock: MockClock, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = world.connect

    async def gone(target: Target, address: Address) -> ScriptedWire:
        wire = await connect(target, address)
        wire._steps.append(GONE)
        return wire

    monkeypatch.setattr(world, "connect", gone)
    assert await world.outcome() == "not sent: write_error"
    assert (world.requests, len(world.dialled), world.open) == ([], 1, 0)


# -- how many ------------------------------------------------------------------------------------------------


async def test_calls_beyond_the_limit_wait_in_their_order(autojump_clock: MockClock, world: World) -> None:
    world.script = [[1.0, *OK]]
    ended: list[float] = []

    async def one() -> None:
        assert await world.outcome() == 200
        ended.append(round(trio.current_time()))

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(one)
    assert ended == [1, 1, 1, 1, 2, 2, 2, 2, 3, 3]
    assert (len(world.dialled), world.open) == (4, 4)


async def test_a_call_that_finds_no_room_was_not_sent(autojump_clock: MockClock, world: World) -> None:
    world.script = [[15.0, *OK]]
    outcomes: list[int | str] = []

    async def one() -> None:
        outcomes.append(await world.outcome())

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(one)
    assert outcomes == ["not sent: pool_timeout", 200, 200, 200, 200]
    assert await world.outcome() == 200


async def test_a_call_that_was_cancelled_leaves_its_room(autojump_clock: MockClock, world: World) -> None:
    world.script = [[SILENCE]]
    with trio.move_on_after(5):
        async with trio.open_nursery() as nursery:
            for _ in range(9):
                nursery.start_soon(world.call)
    assert (world.open, world.client._in_progress, len(world.sweeper._open)) == (0, 0, 0)
    world.script = [OK]
    async with trio.open_nursery() as nursery:
        for _ in range(4):
            nursery.start_soon(world.call)


async def test_all_origins_together_stay_within_the_limit(autojump_clock: MockClock, world: World) -> None:
    async def at_once(url: str) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(4):
                nursery.start_soon(world.call, url)

    for url in (URL, "https://other.example/", "https://third.example/", "https://api.example:8443/"):
        await at_once(url)
        assert world.open == 4
    await world.call(URL)
    assert world.open == 4
    await world.call("https://api.example:8443/")
    assert len(world.dialled) == 4 * 4 + 1


async def test_each_origin_has_its_own_connections(autojump_clock: MockClock, world: World) -> None:
    for _ in range(3):
        await world.call(URL)
        await world.call(URL.replace("api", "other"))
        await world.call(URL.replace("https", "http"))
        await world.call(URL.replace("example", "example:8443"))
        await world.call(URL + "x")  # of the first
    assert (len(world.dialled), world.open) == (4, 4)


async def test_idle_connections_are_closed(autojump_clock: MockClock, world: World) -> None:
    await world.call()
    await trio.sleep(sweeper.IDLE_SECONDS + 1)
    assert world.open == 0
    assert await world.outcome() == 200


async def test_two_accounts_share_no_connection(autojump_clock: MockClock, world: World) -> None:
    other = World()
    await world.call()
    await other.call()
    assert (len(world.dialled), len(other.dialled)) == (1, 1)
    assert not CallClient(ssl.create_default_context(), connections=1)._backend._resume  # type: ignore[attr-defined]


async def test_what_a_url_holds_is_not_shown(autojump_clock: MockClock, world: World) -> None:
    await world.call("https://me:p%40ss@api.example/bot1:secret-token/x?secret=1")
    shown = f"{world.client._places.values()} {world.client._pools}"
    assert "api.example" in shown
    assert not any(secret in shown for secret in ("secret", "p@ss", "p%40ss"))


async def test_many_urls_leave_little_behind(autojump_clock: MockClock, world: World) -> None:
    for number in range(3 * calls.MAX_PLACES):
        await world.call(f"https://api.example/{number}", "GET", None)
    assert len(world.client._places) <= calls.MAX_PLACES
    assert len(world.dialled) == 1


async def test_a_closed_client(autojump_clock: MockClock, world: World) -> None:
    world.script = [OK, [1.0, *OK]]
    await world.call()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.outcome)
        await trio.sleep(0.5)
        await world.client.aclose()
    assert world.open == 0
    assert await world.outcome() == "not sent: closed"


# -- cancellation --------------------------------------------------------------------------------------------


async def test_cancelled_at_any_moment_nothing_is_left_open(autojump_clock: MockClock, world: World) -> None:
    world.names["api.example"] = [FIRST, SECOND]
    world.refused = {FIRST: "connection_refused"}
    interrupted = 0
    while True:
        world.script = [[HEAD[:9], HEAD[9:], b"o", b"k"]]
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_after_turns, interrupted, scope)
                assert await world.outcome() == 200
        if not scope.cancelled_caught:
            break
        interrupted += 1
        assert (world.open, world.client._in_progress, len(world.sweeper._open)) == (0, 0, 0)
    assert interrupted >= 7  # look up, dial twice, send, receive four times
    assert world.open == 1


async def cancel_after_turns(turns: int, scope: trio.CancelScope) -> None:
    for _ in range(turns):
        await trio.lowlevel.checkpoint()
    scope.cancel()


# -- proxies -------------------------------------------------------------------------------------------------


async def test_an_http_proxy_gets_plain_requests_itself(autojump_clock: MockClock) -> None:
    world = World(proxy=PROXY)
    world.script = [OK, [answer(407)]]
    assert await world.outcome("http://api.example:8081/x?y") == 200
    [request] = world.requests
    assert request.startswith(b"POST http://api.example:8081/x?y HTTP/1.1\r\nHost: api.example:8081\r\n")
    assert b"\r\nProxy-Authorization: Basic dXNlcjpwYXNzOndvcmQ=\r\n" in request
    assert await world.outcome("http://api.example:8081/x?y") == "not sent: proxy_error"
    assert world.dialled == [PROXY.host]


async def test_the_login_of_a_proxy_is_for_no_platform(autojump_clock: MockClock) -> None:
    world = World(proxy=PROXY)
    assert await world.outcome() == 200
    assert b"Proxy-Authorization" not in world.requests[0]


async def test_without_its_proxy_a_client_does_not_connect(autojump_clock: MockClock) -> None:
    world = World(proxy=PROXY)
    world.refused = {PROXY.host: "connection_refused"}
    assert await world.outcome() == "not sent: proxy_error"
    assert world.dialled == [PROXY.host]
