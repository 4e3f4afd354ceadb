"""The delivery client among receivers that a test writes, on a mock clock: what it observes, keeps,
and never does.
"""

import email.utils
import ipaddress
import math
import time
from collections.abc import Sequence

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from tests.scripted import ScriptedPeers
from unifyport.delivery import client
from unifyport.delivery.client import EXCERPT, MAX_ANSWER, HttpDeliveryClient, parse_retry_after
from unifyport.delivery.scripted import END, RESET, SILENCE, ScriptedWire, Step, answer
from unifyport.delivery.verdict import Attempt, Verdict, judge
from unifyport.net import connection, pool, sweeper
from unifyport.net.answer import MAX_HEAD
from unifyport.net.guard import Address, AddressGuard, Target, UrlNotAllowed
from unifyport.net.wire import LocalTrouble
from unifyport.version import VERSION

URL = "https://shop.example/hook?a=1"
FIRST, SECOND, PRIVATE = "93.184.216.34", "2606:2800:220:1::1", "10.0.0.5"
LOOPBACK = ipaddress.ip_network("127.0.0.0/8")
OK = [answer(204)]
TIMEOUT = 10.0
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class World(ScriptedPeers):
    """One endpoint's client, and its receivers."""

    def __init__(self) -> None:
        super().__init__(OK, {"shop.example": [FIRST]})
        self.guard = AddressGuard(self.resolve)
        self.client = HttpDeliveryClient(self.guard, self, self.sweeper)

    async def post(self, url: str = URL, timeout: float = TIMEOUT, body: bytes = b"{}") -> Attempt:
        return await self.client.post(url, b"x-a: b\r\n", body, timeout)

    async def post_at_once(self, count: int, url: str = URL) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(self.post, url)


@pytest.fixture
def world(autojump_clock: MockClock, nursery: trio.Nursery) -> World:
    world = World()
    nursery.start_soon(world.sweeper.run)
    return world


def facts(attempt: Attempt) -> int | str:
    return attempt.status or attempt.error or ""


# -- one attempt ---------------------------------------------------------------------------------------------


async def test_a_request_to_the_byte(autojump_clock: MockClock, world: World) -> None:
    assert await world.post(body="{ổn}".encode()) == Attempt(204, response=b"", ms=0)
    assert world.requests == [
        b"POST /hook?a=1 HTTP/1.1\r\nhost: shop.example\r\nuser-agent: UnifyPort/%b\r\n"
        b"content-type: application/json\r\naccept-encoding: identity\r\n"
        b"x-a: b\r\ncontent-length: 6\r\n\r\n{\xe1\xbb\x95n}" % VERSION.encode()
    ]


@attrs.frozen
class Observed:
    """A status or a reason, after so many seconds, and whether the connection is kept."""

    what: int | str
    after: float = 0
    kept: bool = False


def drip(data: bytes, every: float = 1.0) -> list[Step]:
    """Byte by byte."""
    return [step for byte in data for step in (every, bytes([byte]))]


BROKEN = {
    "reset": ([RESET], Observed("connection_lost")),
    "closed": ([END], Observed("connection_lost")),
    "half a head, then closed": ([HEAD[:20], END], Observed("connection_lost")),
    "only an interim answer": ([b"HTTP/1.1 100 Continue\r\n\r\n", END], Observed("connection_lost")),
    "nonsense": ([b"SSH-2.0-OpenSSH\r\n"], Observed("invalid_response")),
    "a head without end": ([HEAD[:17], b"x: y\r\n" * MAX_HEAD], Observed("response_headers_too_large")),
    "silence": ([SILENCE], Observed("timeout", TIMEOUT)),
    "half a head, then silence": ([HEAD[:20], SILENCE], Observed("timeout", TIMEOUT)),
    "a head that drips": (drip(HEAD), Observed("timeout", TIMEOUT)),
    "interim answers that drip": (
        [b"HTTP/1.1 100 Continue\r\n\r\n", 1.0] * 20,
        Observed("timeout", TIMEOUT),
    ),
}
ANSWERED = {
    "at once": (OK, Observed(204, kept=True)),
    "with a body": ([answer(200, b"ok")], Observed(200, kept=True)),
    "in chunks": (
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", b"0\r\n\r\n"],
        Observed(200, kept=True),
    ),
    "late": ([9.5, answer(204)], Observed(204, 9.5, kept=True)),
    "piece by piece": (drip(HEAD + b"ok", 0.25), Observed(200, 0.25 * len(HEAD + b"ok"), kept=True)),
    "after 100": ([b"HTTP/1.1 100 Continue\r\n\r\n", 1.0, answer(413)], Observed(413, 1, kept=True)),
    "with a body that is late": ([HEAD, 1.8, b"ok"], Observed(200, 1.8, kept=True)),
    "with a body that is too late": ([HEAD, 2.5, b"ok"], Observed(200, client.READ_ON)),
    "and silence": ([HEAD, SILENCE], Observed(200, client.READ_ON)),
    "late, and silence": ([9.0, HEAD, SILENCE], Observed(200, TIMEOUT)),
    "and a body that drips": ([HEAD[:17], b"\r\n", *drip(b"x" * 100, 0.3)], Observed(200, client.READ_ON)),
    "and a body without end": ([HEAD[:17], b"\r\n", *[b"x" * 999] * (MAX_ANSWER // 99)], Observed(200)),
    "and trailers without end": (
        [
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
            *[b"x: y\r\n" * 99] * (MAX_ANSWER // 99),
        ],
        Observed(200),
    ),
    "and reset": ([HEAD, RESET], Observed(200)),
    "and closed": ([HEAD, b"o", END], Observed(200)),
    "and more than was promised": ([HEAD + b"okay"], Observed(200)),
    "and another answer": ([HEAD + b"ok" + answer(404)], Observed(200)),
    "and that was the last": ([answer(200, more="connection: close\r\n")], Observed(200)),
    "as of old": ([b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok"], Observed(200)),
    "with a redirect": ([answer(307, more="location: http://[::1]/\r\n")], Observed(307, kept=True)),
    "with another protocol": (
        [b"HTTP/1.1 101 -\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhello"],
        Observed(101),
    ),
}
CASES = BROKEN | ANSWERED


@pytest.mark.parametrize(("script", "observed"), CASES.values(), ids=CASES.keys())
async def test_what_a_receiver_does_is_observed_in_bounded_time(
    autojump_clock: MockClock, world: World, script: list[Step], observed: Observed
) -> None:
    world.script = [script]
    attempt = await world.post()
    assert facts(attempt) == observed.what
    assert observed.after * 1000 <= attempt.ms <= (observed.after + 2 * sweeper.TICK) * 1000
    assert world.open == observed.kept
    assert len(world.requests) == 1
    world.script = [OK]
    assert facts(await world.post()) == 204
    assert len(world.dialled) == 2 - observed.kept


async def test_public_addresses_show_the_beginning_of_an_answer(
    autojump_clock: MockClock, world: World
) -> None:
    world.script = [[answer(400, b"x" * 5000)]]
    attempt = await world.post()
    assert (attempt.response, attempt.response_size) == (b"x" * EXCERPT, 5000)


@pytest.mark.parametrize("names", [[PRIVATE], [FIRST, PRIVATE]])
async def test_private_addresses_show_nothing_but_status_and_size(
    autojump_clock: MockClock, world: World, names: list[str]
) -> None:
    world.guard.allow = (ipaddress.ip_network("10.0.0.0/8"),)
    world.names["shop.example"] = names
    world.script = [[answer(400, b"secret", more="retry-after: 5\r\n")]]
    assert await world.post() == Attempt(400, retry_after=5, response=None, response_size=6, ms=0)


async def test_an_endpoint_of_the_file_shows_what_a_private_address_answers(
    autojump_clock: MockClock, world: World
) -> None:
    world.guard.allow = (ipaddress.ip_network("10.0.0.0/8"),)
    world.names["shop.example"] = [PRIVATE]
    world.script = [[answer(400, b"why")]]
    world.client.shows_private = True
    assert (await world.post()).response == b"why"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(
            ("0", 0),
            ("120", 120),
            (" 7 ", 7),
            ("9" * 30, 999_999_999),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ),
        *(("soon", None), ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Sat, 32 Dec 2060 00:00:00 GMT", None)),
        *(("٣", None), ("é", None), ("1, 2", None)),
    ],
)
async def test_retry_after_is_understood_or_ignored(
    autojump_clock: MockClock, world: World, value: str, seconds: float | None
) -> None:
    line = f"Retry-After: {value}\r\n".encode()
    world.script = [[b"HTTP/1.1 429 -\r\ncontent-length: 0\r\n" + line + b"\r\n"]]
    attempt = await world.post()
    assert (attempt.status, attempt.retry_after) == (429, seconds)


async def test_retry_after_may_be_a_date(autojump_clock: MockClock, world: World) -> None:
    then = email.utils.formatdate(time.time() + 100, usegmt=True)
    world.script = [[answer(503, more=f"retry-after: {then}\r\n")]]
    attempt = await world.post()
    assert attempt.retry_after is not None
    assert 90 < attempt.retry_after <= 100


DATES = st.lists(st.sampled_from("Thu, 01 Jan 2026 00:00:00 GMT +0000 -9999 :: ,  1 99999999999".split(" ")))


@given(st.text() | DATES.map(" ".join))
def test_no_retry_after_is_more_than_seconds(value: str) -> None:
    seconds = parse_retry_after(value, 0)
    assert seconds is None or 0 <= seconds < math.inf


# -- connections that are kept -------------------------------------------------------------------------------


async def test_one_after_another_on_one_connection_at_once_on_their_own(
    autojump_clock: MockClock, world: World
) -> None:
    for _ in range(5):
        await world.post()
    assert (len(world.dialled), len(world.requests), world.open) == (1, 5, 1)
    await world.post_at_once(4)
    assert (len(world.dialled), len(world.requests), world.open) == (4, 9, 4)
    await world.post_at_once(4)
    assert len(world.dialled) == 4


async def test_the_connection_that_was_used_last_is_used_first(
    autojump_clock: MockClock, world: World
) -> None:
    await world.post_at_once(3)
    for _ in range(4):
        await trio.sleep(sweeper.IDLE_SECONDS / 3)
        await world.post()
    assert (len(world.dialled), world.open) == (3, 1)


@pytest.mark.parametrize("end", [RESET, END])
async def test_a_kept_connection_that_turns_out_to_be_closed_costs_one_more_try_on_a_fresh_one(
    autojump_clock: MockClock, world: World, end: Step
) -> None:
    world.script = [OK, [end], OK]
    await world.post()
    assert facts(await world.post()) == 204
    assert world.requests[1] == world.requests[2]
    assert (len(world.dialled), len(world.requests), world.open) == (2, 3, 1)


async def test_and_not_a_third(autojump_clock: MockClock, world: World) -> None:
    await world.post_at_once(3)
    world.script = [[RESET]]
    assert facts(await world.post()) == "connection_lost"
    assert (len(world.dialled), len(world.requests)) == (4, 5)


@pytest.mark.parametrize(
    ("script", "observed"),
    [*BROKEN.values(), ([HEAD, RESET], Observed(200)), ([1.0, answer(500)], Observed(500, 1))],
    ids=[*BROKEN.keys(), "answered, then reset", "failed"],
)
async def test_on_a_kept_connection_nothing_else_is_sent_twice(
    autojump_clock: MockClock, world: World, script: list[Step], observed: Observed
) -> None:
    await world.post()
    world.script = [script]
    again = script in ([RESET], [END])
    attempt = await world.post()
    assert facts(attempt) == observed.what
    assert observed.after * 1000 <= attempt.ms <= (observed.after + 2 * sweeper.TICK) * 1000
    assert len(world.requests) == 2 + again


async def test_both_tries_share_one_time_out(autojump_clock: MockClock, world: World) -> None:
    world.script = [OK, [6.0, RESET], [SILENCE]]
    await world.post()
    attempt = await world.post()
    assert attempt.error == "timeout"
    assert 10_000 <= attempt.ms <= 10_200


@pytest.mark.parametrize(
    "script",
    [[answer(204), END], [answer(204), RESET], [answer(204), answer(408)], [answer(204), b"x"]],
    ids=["closed", "reset", "timed out", "nonsense"],
)
async def test_a_connection_that_went_stale_is_found_out_before_anything_is_sent(
    autojump_clock: MockClock, world: World, script: list[Step]
) -> None:
    world.script = [script, OK]
    await world.post()
    assert facts(await world.post()) == 204
    assert (len(world.dialled), len(world.requests), world.open) == (2, 2, 1)


async def test_idle_connections_are_closed_after_a_while(autojump_clock: MockClock, world: World) -> None:
    await world.post_at_once(3)
    await trio.sleep(sweeper.IDLE_SECONDS - 1)
    await world.post()
    assert world.open == 3
    await trio.sleep(2)
    assert world.open == 1
    await trio.sleep(sweeper.IDLE_SECONDS)
    assert world.open == 0
    assert facts(await world.post()) == 204


async def test_there_are_so_many_idle_connections_and_no_more(
    autojump_clock: MockClock, world: World
) -> None:
    other = HttpDeliveryClient(world.guard, world, world.sweeper)
    await world.post_at_once(sweeper.MAX_IDLE)
    await trio.sleep(2 * sweeper.TICK)
    assert world.open == sweeper.MAX_IDLE
    await other.post(URL, b"", b"{}", TIMEOUT)
    await trio.sleep(2 * sweeper.TICK)
    assert world.open == sweeper.MAX_IDLE
    await other.post(URL, b"", b"{}", TIMEOUT)  # on its own, which is not the one that was closed
    assert len(world.dialled) == sweeper.MAX_IDLE + 1


async def test_no_connection_is_used_for_ever(autojump_clock: MockClock, world: World) -> None:
    began = trio.current_time()
    while trio.current_time() < began + 2.5 * pool.MAX_AGE:
        await world.post()
        await trio.sleep(10)
    assert (len(world.dialled), world.open) == (3, 1)


async def test_an_endpoint_that_has_moved_hears_nothing_at_its_old_place(
    autojump_clock: MockClock, world: World
) -> None:
    world.names["new.example"] = [SECOND]
    new = URL.replace("shop", "new")
    await world.post()
    world.script = [[1.0, answer(204)], OK]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.post)
        await trio.sleep(0.5)
        await world.post(new)  # while the old one is under way
    before = len(world.requests)
    for _ in range(3):
        await world.post(new)
    assert world.dialled == [FIRST, SECOND]
    assert all(b"host: new.example\r\n" in request for request in world.requests[before:])
    assert world.open == 1


async def test_another_path_at_the_same_place_is_another_url(autojump_clock: MockClock, world: World) -> None:
    await world.post()
    await world.post(URL + "2")
    assert [request.split()[1] for request in world.requests] == [b"/hook?a=1", b"/hook?a=12"]
    assert (len(world.dialled), world.open) == (2, 1)


async def test_what_the_operator_no_longer_permits_is_no_longer_used(
    autojump_clock: MockClock, world: World
) -> None:
    url = "http://127.0.0.1:9000/"
    world.guard.allow = (LOOPBACK,)
    assert facts(await world.post(url)) == 204
    world.script = [[1.0, answer(204)]]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.post, url)
        await trio.sleep(0.5)
        world.guard.allow = ()  # while one is under way
    assert world.open == 1
    assert facts(await world.post(url)) == "webhook_url_not_allowed"
    assert (len(world.requests), world.open) == (2, 0)


async def test_closing_leaves_nothing_behind(autojump_clock: MockClock, world: World) -> None:
    await world.post_at_once(3)
    world.client.close()
    assert world.open == 0
    await trio.sleep(2 * sweeper.IDLE_SECONDS)
    assert facts(await world.post()) == 204


# -- the way there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["connection_refused", "certificate_not_trusted", "tls_error"])
async def test_why_there_is_no_connection(autojump_clock: MockClock, world: World, reason: str) -> None:
    world.refused = {FIRST: reason}
    assert await world.post() == Attempt(error=reason)


async def test_addresses_are_tried_in_order_when_the_first_is_dead(
    autojump_clock: MockClock, world: World
) -> None:
    world.names["shop.example"] = [FIRST, SECOND]
    world.refused = {FIRST: "connection_refused"}
    attempt = await world.post()
    assert (attempt.status, attempt.ms) == (204, 0)
    assert world.dialled == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("timeout", "count", "waits"), [(10.0, 2, 5.0), (60.0, 2, 5.0), (4.0, 2, 2.0), (10.0, 4, 2.5)]
)
async def test_a_silent_address_leaves_time_for_the_others(
    autojump_clock: MockClock, world: World, timeout: float, count: int, waits: float
) -> None:
    world.names["shop.example"] = [f"93.184.216.{number}" for number in range(count)]
    world.silent = {"93.184.216.0"}
    attempt = await world.post(timeout=timeout)
    assert (attempt.status, attempt.ms) == (204, waits * 1000)
    assert world.dialled == ["93.184.216.0", "93.184.216.1"]


async def test_when_no_address_answers_the_preferred_one_says_why(
    autojump_clock: MockClock, world: World
) -> None:
    world.names["shop.example"] = [FIRST, SECOND]
    world.refused = {FIRST: "connection_refused", SECOND: "network_unreachable"}
    assert facts(await world.post()) == "connection_refused"


async def test_addresses_that_are_all_silent_take_no_longer_than_the_time_out(
    autojump_clock: MockClock, world: World
) -> None:
    world.names["shop.example"] = [f"93.184.216.{number}" for number in range(9)]
    world.silent = set(world.names["shop.example"])
    assert await world.post() == Attempt(error="connect_timeout", ms=10_000)
    assert world.dialled == world.names["shop.example"][: connection.ADDRESSES]


async def test_what_is_missing_here_says_nothing_about_the_receiver(
    autojump_clock: MockClock, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_descriptors(target: Target, address: Address) -> ScriptedWire:
        raise LocalTrouble("EMFILE")

    monkeypatch.setattr(world, "connect", no_descriptors)
    attempt = await world.post()
    assert (attempt.error, judge(attempt)) == ("local_resources", Verdict.NOT_TRIED)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://unknown.example/", "name_not_resolved"),
        ("https://127.0.0.1/", "webhook_url_not_allowed"),
        ("https://private.example/", "webhook_url_not_allowed"),
        ("https://mixed.example/", "webhook_url_not_allowed"),
        ("http://shop.example/", "webhook_url_not_allowed"),
        ("https://user:password@shop.example/", "webhook_url_not_allowed"),
        ("nonsense", "webhook_url_not_allowed"),
    ],
)
async def test_where_no_request_goes(autojump_clock: MockClock, world: World, url: str, error: str) -> None:
    world.names |= {"private.example": [PRIVATE], "mixed.example": [FIRST, PRIVATE]}
    assert await world.post(url) == Attempt(error=error)
    assert world.dialled == []


async def test_a_name_that_is_public_when_written_and_private_when_dialled_gains_nothing(
    autojump_clock: MockClock, world: World
) -> None:
    await world.guard.vet(URL)
    world.names["shop.example"] = [PRIVATE]
    assert facts(await world.post()) == "webhook_url_not_allowed"
    with pytest.raises(UrlNotAllowed):
        await world.guard.vet(URL)
    assert world.dialled == []


@pytest.mark.parametrize(("pause", "after"), [(10, pool.MAX_AGE), (sweeper.IDLE_SECONDS + 1, 31)])
async def test_a_name_that_turns_private_is_refused_with_the_next_connection(
    autojump_clock: MockClock, world: World, pause: float, after: float
) -> None:
    await world.post()
    world.names["shop.example"] = [PRIVATE]
    while facts(attempt := await world.post()) == 204:  # on the connection to the address that was checked
        await trio.sleep(pause)
    assert facts(attempt) == "webhook_url_not_allowed"
    assert trio.current_time() == pytest.approx(after)
    assert (world.dialled, world.open) == ([FIRST], 0)


async def test_a_name_server_that_is_silent_ends_in_time(
    autojump_clock: MockClock, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(host: str) -> Sequence[Address]:
        await trio.sleep_forever()

    monkeypatch.setattr(world.guard, "resolve", silent)
    assert await world.post() == Attempt(error="connect_timeout", ms=10_000)


# -- cancellation --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [False, True], ids=["fresh", "kept"])
async def test_cancelled_at_any_moment_nothing_is_left_open(
    autojump_clock: MockClock, world: World, kept: bool
) -> None:
    world.names["shop.example"] = [FIRST, SECOND]
    world.refused = {FIRST: "connection_refused"}
    interrupted = 0
    while True:
        if kept:
            world.script = [OK]
            await world.post()
        world.script = [[HEAD[:9], HEAD[9:], b"o", b"k"]]
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as scope:
                nursery.start_soon(cancel_after_turns, interrupted, scope)
                assert facts(await world.post()) == 200
        if not scope.cancelled_caught:
            break
        interrupted += 1
        assert world.open == 0
        assert not world.sweeper._open
    assert interrupted >= (4 if kept else 7)  # send, receive four times; before that look up and dial twice
    assert world.open == 1


async def cancel_after_turns(turns: int, scope: trio.CancelScope) -> None:
    for _ in range(turns):
        await trio.lowlevel.checkpoint()
    scope.cancel()


@pytest.mark.parametrize(
    ("at", "phase"),
    [(0.5, "dial"), (1.5, "head"), (2.5, "body")],
)
async def test_cancelled_while_it_waits_nothing_is_left_open(
    autojump_clock: MockClock, world: World, at: float, phase: str
) -> None:
    if phase == "dial":
        world.silent = {FIRST}
    world.script = [[2.0, HEAD, SILENCE]]
    with trio.move_on_after(at) as scope:
        await world.post()
    assert scope.cancelled_caught
    assert world.open == 0
    assert len(world.requests) == (phase != "dial")
    world.script, world.silent = [OK], set()
    assert facts(await world.post()) == 204
