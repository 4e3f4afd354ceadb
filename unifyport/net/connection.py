"""One HTTP/1.1 connection to a peer that is not trusted: dialling it, and one request at a time on it.

A connection belongs to a pool (`pool.py`), to which it returns after each exchange that leaves it usable. Its
deadline is the sweeper's matter (`sweeper.py`), so an exchange needs no cancel scope.
"""

import math
from typing import Any, Protocol

import trio

from .answer import Answer, InvalidAnswer
from .guard import Target
from .wire import Backend, DialFailed, NothingSent, Wire

CONNECT_SECONDS = 5.0  # at most for one address, if there are others
ADDRESSES = 4  # how many addresses of a name are tried


async def dial(backend: Backend, target: Target, deadline: float) -> Wire:
    """Connect to the first address that answers. Each address gets a share of the time that is left.

    Raises the errors of the backend; if no address answers, that of the preferred one.
    """
    addresses = target.addresses[:ADDRESSES]
    failed: DialFailed | None = None
    for place, address in enumerate(addresses):
        now, left = trio.current_time(), len(addresses) - place
        share = (deadline - now) / left
        try:
            with trio.fail_at(now + (share if left == 1 else min(share, CONNECT_SECONDS))):
                return await backend.connect(target, address)
        except DialFailed as error:
            failed = failed or error
        except trio.TooSlowError:
            failed = failed or DialFailed("connect_timeout")
    assert failed is not None
    raise failed


class Home(Protocol):
    """Where a connection belongs: its pool."""

    def keep(self, connection: Any, now: float) -> None:
        """The connection was in use. It is idle now and can be used again."""

    def drop(self, connection: Any) -> None:
        """Close the connection, which was in use."""

    def retire(self, connection: Any) -> None:
        """Close the connection, which is idle."""


# Why an exchange has no complete answer; beside these, the text of `InvalidAnswer`.
LOST = "connection_lost"  # the status counts if there is one
UNSENT = "not_sent"  # lost, and it is certain that the peer got no byte of the request
TIMEOUT = "timeout"


class Connection:
    """A wire, the parser of its answers, and its times for the sweeper (trio's clock).

    `fresh`: no exchange has ended yet. `ended`: when the last one did. `read_on`: seconds for the rest of an
    answer whose status is known.
    """

    __slots__ = (
        *("_home", "_receive", "_send", "_swept", "_wire", "answer", "born", "deadline", "ended", "fresh"),
        *("idle_since", "read_on", "stale"),
    )

    def __init__(self, home: Home, wire: Wire, answer: Answer, read_on: float = math.inf) -> None:
        self._home = home
        self._wire = wire
        self._send, self._receive, self.stale = wire.send, wire.receive, wire.stale
        self.answer = answer
        self.read_on = read_on
        self.born = self.ended = trio.current_time()
        self.idle_since = self.deadline = math.inf
        self.fresh = True
        self._swept = False

    async def exchange(self, request: bytes, deadline: float) -> str | None:
        """Send a request and read its answer into `answer`, until `enough`. Returns why it is not all there.

        Then the connection is idle in its pool, or closed. Cancelled: closed, and the request may have been
        received.
        """
        answer, receive = self.answer, self._receive
        answer.begin()
        self.idle_since, self.deadline = math.inf, deadline
        error, limited, reusable = None, False, False
        try:
            try:
                await self._send(request)
            except NothingSent:
                error = UNSENT
            except OSError:
                error = LOST
            if error is UNSENT and not self.fresh:
                return error  # an answer would be to an earlier request
            while True:  # after an error too: the peer may have answered before it closed
                data = await receive()
                if not data:
                    answer.finish()
                    error = error or LOST
                    break
                answer.feed(data)
                if answer.enough:
                    break
                if answer.status and not limited:
                    limited = True
                    self.deadline = min(deadline, trio.current_time() + self.read_on)
            reusable = error is None and answer.reusable and not self._swept
        except InvalidAnswer as invalid:
            error = str(invalid)
        except (OSError, trio.ClosedResourceError):
            error = error or (TIMEOUT if self._swept else LOST)
        finally:
            self.deadline, self.ended = math.inf, trio.current_time()
            if reusable:
                self.fresh = False
                self._home.keep(self, self.ended)
            else:
                self._home.drop(self)
        return error

    def sweep(self) -> None:
        self._swept = True
        self._wire.close()

    def retire(self) -> None:
        self._home.retire(self)

    def close(self) -> None:
        self._wire.close()
        self.answer.close()
