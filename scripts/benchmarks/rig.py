"""The surroundings of a subject: its platforms, its callers and the receiver of its webhooks.

They run in one thread of this process, on a core that no subject uses. Every run checks that each message
arrived, and how many arrived twice or out of order.
"""

import gc
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Self

import attrs

from .loop import Connection, Loop
from .platforms import Platforms
from .process import PeerFailed
from .tracker import Tracker
from .traffic import CONVERSATIONS, number_in, signed

ACCEPTED = b"HTTP/1.1 204 No Content\r\n\r\n"
REFUSED = (429, 503)  # "come again": the request is repeated
_AGAIN_SECONDS = 0.02
_ARRIVAL_SECONDS = 60.0
_LONGEST_SECONDS = 300.0  # of a run
_CHECK_SECONDS = 0.005
_SETTLE_SECONDS = 0.1  # for what a subject does after the last arrival, and for late repeats


@attrs.define
class Run:
    """What was measured. Times in seconds, sorted; `rate` is per second, until the last message arrived."""

    count: int
    rate: float
    answers: list[float]  # from the request to its answer
    arrivals: list[float]  # from the request to the arrival at the receiver or the platform
    refused: int
    repeated: int
    misordered: int

    @property
    def latencies(self) -> dict[str, float]:
        """Percentiles in milliseconds."""
        return {
            f"{name} p{share}": percentile(times, share / 100) * 1000
            for name, times in (("answer", self.answers), ("arrival", self.arrivals))
            for share in (50, 99)
        }


def percentile(values: Sequence[float], share: float) -> float:
    """A percentile of sorted values; 0 if there are none."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


@attrs.frozen
class Load:
    """Requests to one port, each numbered. Each caller sends its next request when one was answered.

    `request` makes the bytes of a number. With `seconds` no request begins after that time, and `count` is
    only the most there can be.
    """

    port: int
    callers: int
    count: int
    request: Callable[[int], bytes]
    seconds: float = float("inf")


class Rig:
    """`hook` is the receiver's URL; `platforms` the platforms. Use it as a context manager."""

    def __init__(self) -> None:
        self._loop = Loop()
        self._first = CONVERSATIONS
        self._received = Tracker()
        self._sample = (b"", b"")
        self.platforms = Platforms(self._loop)
        self.hook = f"http://127.0.0.1:{self._loop.listen(self._take)}/hook"

    def __enter__(self) -> Self:
        self._loop.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.__exit__()

    def inbound(self, load: Load) -> Run:
        """Messages of customers: they must arrive at the receiver, signed."""
        run = self._drive(load, self._received)
        if not signed(*self._sample):
            raise PeerFailed("a delivery has no valid signature")
        return run

    def arrived(self, numbers: range) -> float:
        """Wait until these messages are at the receiver; when the last one came.

        The rig does not send them itself. Raises `PeerFailed` if one is missing, came twice or out of order.
        """
        deadline = time.perf_counter() + _LONGEST_SECONDS
        while (missing := len(numbers) - len(self._received.arrived)) > 0:
            if time.perf_counter() > deadline:
                raise PeerFailed(f"{missing} of {len(numbers)} messages did not arrive")
            time.sleep(_CHECK_SECONDS)
        found = self._received
        if found.repeated or found.misordered:
            raise PeerFailed(f"{found.repeated} came twice, {found.misordered} out of order")
        return max(found.arrived[number] for number in numbers)

    def expect(self, numbers: range) -> None:
        """Make the receiver ready for these messages, which the rig does not send itself."""
        self._loop.call(lambda: self._received.expect(numbers))

    def outbound(self, load: Load, delay: float = 0.0) -> Run:
        """Messages to customers: they must arrive at the platform, which takes `delay` seconds for each."""
        self.platforms.delay = delay
        return self._drive(load, self.platforms.sent)

    def cut_platforms(self, seconds: float) -> None:
        self._loop.call(lambda: self.platforms.cut(seconds))

    def _take(self, connection: Connection, head: bytes, body: bytes) -> None:
        number = number_in(body)
        if number is not None:
            self._received.arrive(number)
            self._sample = (head, body)
        connection.send(ACCEPTED)

    def _drive(self, load: Load, tracker: Tracker) -> Run:
        if CONVERSATIONS % load.callers:
            raise ValueError(f"the number of callers must divide {CONVERSATIONS}")
        rounds = -(-load.count // load.callers)
        numbers = range(self._first, self._first + rounds * load.callers)
        self._first += -(-len(numbers) // CONVERSATIONS) * CONVERSATIONS
        requests = [load.request(number) for number in numbers]
        gc.collect()
        gc.disable()
        try:
            drive = _Drive(self._loop, load, numbers, requests, tracker)
            self._loop.call(drive.start)
            run = drive.done.result()
        finally:
            gc.enable()
        return run


class _Drive:
    """One run, in the loop's thread. `done` gets its result, or `PeerFailed`."""

    def __init__(
        self, loop: Loop, load: Load, numbers: range, requests: list[bytes], tracker: Tracker
    ) -> None:
        self._loop = loop
        self._load = load
        self._numbers = numbers
        self._requests = requests
        self._tracker = tracker
        self._began: dict[int, float] = {}
        self._answers: list[float] = []
        self._active = load.callers
        self._refused = 0
        self._from = self._until = 0.0
        self._connections: list[Connection] = []
        self.done: Future[Run] = Future()

    def start(self) -> None:
        self._tracker.expect(self._numbers)
        self._loop.later(_LONGEST_SECONDS, lambda: self._fail("a request was never answered"))
        self._from = time.perf_counter()
        for caller in range(self._load.callers):
            self._caller(caller)

    def _caller(self, caller: int) -> None:
        places = iter(range(caller, len(self._numbers), self._load.callers))
        place = next(places)

        def send() -> None:
            connection.send(self._requests[place])

        def begin() -> None:
            self._began[self._numbers[place]] = time.perf_counter()
            send()

        def answered(_: Connection, head: bytes, body: bytes) -> None:
            nonlocal place
            status = int(head[9:12])
            if status in REFUSED:
                self._refused += 1
                self._loop.later(_AGAIN_SECONDS, send)
                return
            if not 200 <= status < 300:
                self._fail(f"HTTP {status}: {body[:300].decode(errors='replace')}")
                return
            now = time.perf_counter()
            self._answers.append(now - self._began[self._numbers[place]])
            following = next(places, None)
            if following is None or now - self._from > self._load.seconds:
                connection.close()
                self._ended()
            else:
                place = following
                begin()

        closed = "a connection was closed before its answer"
        connection = self._loop.connect(self._load.port, answered, lambda _: self._fail(closed))
        self._connections.append(connection)
        begin()

    def _ended(self) -> None:
        self._active -= 1
        if self._active == 0:
            self._until = time.perf_counter()
            self._await_arrivals()

    def _await_arrivals(self) -> None:
        missing = len(self._began) - len(self._tracker.arrived)
        if missing <= 0:
            self._loop.later(_SETTLE_SECONDS, self._finish)
        elif time.perf_counter() - self._until > _ARRIVAL_SECONDS:
            self._fail(f"{missing} of {len(self._began)} messages did not arrive")
        else:
            self._loop.later(_CHECK_SECONDS, self._await_arrivals)

    def _finish(self) -> None:
        if self.done.done():
            return
        self._close()
        arrived = self._tracker.arrived
        seconds = max(self._until, *arrived.values()) - self._from
        run = Run(
            count=len(self._began),
            rate=len(self._began) / seconds,
            answers=sorted(self._answers),
            arrivals=sorted(arrived[number] - began for number, began in self._began.items()),
            refused=self._refused,
            repeated=self._tracker.repeated,
            misordered=self._tracker.misordered,
        )
        self.done.set_result(run)

    def _fail(self, why: str) -> None:
        if not self.done.done():
            self._close()
            self.done.set_exception(PeerFailed(why))

    def _close(self) -> None:
        for connection in self._connections:
            connection.close()
