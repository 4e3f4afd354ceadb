"""Who makes room for whom, what one peer may have, and descriptors."""

import ipaddress
import resource
import subprocess
import sys

import attrs
import pytest
import trio
from trio.testing import MockClock

from tests.front.serving import GET, Front, Peer, echo, front, post, settle
from unifyport.front.connections import GRACE, TICK, Connections, Phase, peer_of
from unifyport.front.exchange import Exchange
from unifyport.front.limits import LIMITS
from unifyport.process import descriptors

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@attrs.define(eq=False)
class Known:
    """A member in a known state."""

    name: str
    phase: Phase
    since: float
    body_rate: float = 0.0
    peer: str | None = None
    deadline: float = float("inf")
    closed: bool = False

    def fileno(self) -> int:
        return -1

    def overdue(self) -> None:
        raise AssertionError

    def peer_closed(self, gone: bool) -> None:
        raise AssertionError(gone)

    def close(self) -> None:
        self.closed = True


def crowd(*members: Known, most: int | None = None) -> Connections:
    connections = Connections(lambda: len(members) if most is None else most)
    for member in members:
        connections.add(member)
    return connections


def order(connections: Connections, members: list[Known], peer: str | None = None) -> list[str]:
    """The members in the order in which they make room."""
    names = list[str]()
    while connections.make_room(peer):
        [closed] = [member for member in members if member.closed and member.name not in names]
        names.append(closed.name)
        connections.add(Known(f"in place of {closed.name}", Phase.WORK, 0, peer=peer))
    return names


async def test_the_order_in_which_connections_make_room(mock_clock: MockClock) -> None:
    mock_clock.jump(100)
    now = trio.current_time()
    members = [
        Known("work", Phase.WORK, now - 90),
        Known("fast body", Phase.BODY, now - 50, 9000.0),
        Known("slow body", Phase.BODY, now - 2, 10.0),
        Known("new body", Phase.BODY, now - 0.1, float("inf")),
        Known("late head", Phase.HEAD, now - 2),
        Known("early head", Phase.HEAD, now - 9),
        Known("new head", Phase.HEAD, now - GRACE / 2),
        Known("late idle", Phase.IDLE, now - 3),
        Known("early idle", Phase.IDLE, now - 60),
        Known("new idle", Phase.IDLE, now),
        Known("newer idle", Phase.IDLE, now),
    ]
    connections = crowd(*members)
    old = ["early idle", "late idle", "early head", "late head", "slow body", "fast body"]
    new = ["new head", "new idle", "newer idle", "new body"]
    assert order(connections, members) == [*old, *new]
    assert connections.closed == {"idle": 4, "head": 3, "body": 3}
    assert connections.refused == 1
    assert len(connections) == len(members)


async def test_what_has_begun_a_request_is_no_victim_any_more(mock_clock: MockClock) -> None:
    mock_clock.jump(100)
    members = [Known(f"{n}", Phase.IDLE, float(n)) for n in range(10)]
    connections = crowd(*members)
    assert connections.make_room(None)
    assert members[0].closed
    for member in members[1:]:
        member.phase, member.since = Phase.WORK, 100
    late = Known("late", Phase.IDLE, 50)
    connections.add(late)
    assert connections.make_room(None)
    assert late.closed
    connections.add(Known("in its place", Phase.WORK, 100))
    assert not connections.make_room(None)
    assert not any(member.closed for member in members[1:])


async def test_one_peer_has_half(mock_clock: MockClock) -> None:
    mock_clock.jump(100)
    mine = [Known(f"{n}", Phase.IDLE, 50.0 + n, peer="1.2.3.4") for n in range(3)]
    other = Known("other", Phase.IDLE, 0, peer="1.2.3.5")
    connections = crowd(*mine, other, most=6)
    assert connections.make_room("1.2.3.5")
    assert connections.make_room(None)
    assert not any(member.closed for member in [*mine, other])
    assert order(connections, mine, "1.2.3.4") == ["0", "1", "2"]
    assert not other.closed
    assert connections.refused == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.2.3.4", "1.2.3.5", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_who_is_one_peer(one: str, other: str, same: bool) -> None:
    assert (peer_of(one) == peer_of(other)) is same
    assert peer_of(None) is None


async def test_looking_for_room_takes_a_bounded_part_of_the_time() -> None:
    """By the real clock: thousands of newcomers that find everything in work."""
    members = [Known(f"{n}", Phase.WORK, 0) for n in range(20_000)]
    connections = crowd(*members)
    began = trio.current_time()
    for _ in range(3_000):
        assert not connections.make_room(None)
    assert trio.current_time() - began < 1.5  # looking at all of them each time takes many seconds


# -- over sockets --------------------------------------------------------------------------------------------


async def _work(exchange: Exchange) -> None:
    if exchange.method == "GET":
        await trio.sleep_forever()
    await echo(exchange)


async def test_newcomers_take_the_place_of_what_does_nothing(mock_clock: MockClock) -> None:
    async with front(_work, most=4, trusted=LOOPBACK) as served:
        working, body, head, idle = [await served.connect() for _ in range(4)]
        await working.send(GET)
        await body.send(post(b"abc")[:-1])
        await head.send(b"GET")
        await idle.send(post(b""))
        await idle.answer()
        await settle()
        mock_clock.jump(GRACE)
        for victim in (idle, head, body):
            newcomer = await served.connect()
            await newcomer.send(GET)
            assert await victim.rest() == b""
        refused = await served.connect()
        answer = await refused.answer()
        assert (answer.status, answer.fields["connection"]) == (503, "close")
        assert answer.fields["retry-after"] == "1"
        assert "date" in answer.fields
        assert await refused.rest() == b""
        assert (served.connections.refused, len(served.connections)) == (1, 4)


async def test_one_peer_leaves_room_for_others() -> None:
    async with front(_work, most=10) as served:
        greedy = [await served.connect() for _ in range(5)]
        for peer in greedy:
            await peer.send(GET)
        await settle()
        assert (await (await served.connect()).answer()).status == 503
        other = await served.connect("127.0.0.2")
        await other.send(post(b"abc"))
        assert (await other.answer()).body == b"POST / abc"


async def test_trusted_proxies_may_have_everything() -> None:
    async with front(_work, most=4, trusted=LOOPBACK) as served:
        for _ in range(4):
            await (await served.connect()).send(GET)
        await settle()
        assert len(served.connections) == 4
        assert served.connections.refused == 0


async def test_thousands_of_newcomers_do_not_keep_out_one_that_asks() -> None:
    """1,000 connections that send nothing take each other's places."""
    async with front(echo, most=64, trusted=LOOPBACK) as served:
        crowd = list[Peer]()
        async with trio.open_nursery() as nursery:
            for n in range(1000):
                crowd.append(await served.connect())
                if n % 100 == 50:
                    nursery.start_soon(_ask, served)
        assert len(served.connections) <= 64
        for peer in crowd:
            await peer.stream.aclose()


async def _ask(served: Front) -> None:
    peer = await served.connect()
    async with peer.stream:
        await peer.send(GET)
        assert (await peer.answer()).status == 200


EXHAUSTED = """
import contextlib, os, resource, socket, trio
from tests.front.serving import GET, Peer, echo, front

async def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    async with front(echo, most=1000) as served:
        known = await served.connect()
        await known.send(GET)
        await known.answer()
        callers = [Peer(trio.SocketStream(trio.socket.socket())) for _ in range(3)]
        taken = []
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for caller in callers:
            await caller.socket.connect(served.address)
            assert (await caller.answer()).status == 503
            assert await caller.rest() == b""
        assert served.connections.refused == len(callers)
        await known.send(GET)
        assert (await known.answer()).status == 200
        for number in taken:
            os.close(number)
        assert await served.works()
        print("served again")

trio.run(main)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of descriptors differ")
def test_without_descriptors_newcomers_are_refused_and_the_others_served() -> None:
    ended = subprocess.run([sys.executable, "-c", EXHAUSTED], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "served again\n", ended.stderr


# -- shares --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("most", "account_sockets", "share"),
    [
        (1024, 0, 1024 - 64 - 256),
        (1024, 100, 1024 - 64 - 256 - 100),
        (1024, 5000, 512),  # at most half is kept back
        (1_048_576, 0, 1_048_576 - 64 - 1024),
        (256, 0, 128),
        (100, 0, 64),  # at least 64
    ],
)
def test_the_share_of_the_front(most: int, account_sockets: int, share: int) -> None:
    assert descriptors.share_of_front(most, account_sockets) == share


RAISED = """
import resource
from unifyport.process import descriptors
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200))
assert descriptors.limit() == 100
descriptors.raise_limit()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (200, 200)
assert descriptors.limit() == 200
"""


def test_the_limit_is_raised_as_far_as_it_may() -> None:
    subprocess.run([sys.executable, "-c", RAISED], check=True, timeout=60)
    assert descriptors.limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert LIMITS.idle_seconds > 60 > TICK
