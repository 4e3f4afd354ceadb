"""One TCP connection with a data centre, and the MTProto session on it.

A call writes at once; acknowledgements wait for up to `FLUSH_SECONDS`. Answers are read by `run`. Before it
runs, and in a login, the call that waits for an answer reads. A lost connection ends the session: a new
connection begins a new one, and the common update box says what was missed.

This file repeats a call only within a session, where the server executes an identifier once.
"""

import logging
import os
from collections.abc import Callable
from typing import Final

import trio

from unifyport.net.wire import Wire
from unifyport.protocols.mtproto import events
from unifyport.protocols.mtproto.encryption import AuthKey
from unifyport.protocols.mtproto.errors import MTProtoError, TooManyCalls, TransportFailure
from unifyport.protocols.mtproto.session import ClientSession
from unifyport.protocols.mtproto.transports import ClientTransport
from unifyport.providers.contract.errors import ChannelError, Transient

from .errors import first_of, transport_failure
from .keys import AuthRecord
from .listener import Listener, Refused
from .waiting import Waiter, Waiting

log = logging.getLogger(__name__)
ANSWER_SECONDS: Final = 30.0
PING_SECONDS: Final = 60.0
DISCONNECT_SECONDS: Final = 75  # the server hangs up after such a silence of ours
SILENCE_SECONDS: Final = 90.0
FLUSH_SECONDS: Final = 0.5


class Connection:
    """An open connection. `dc`: the number of its data centre. `now`: the wall clock in seconds."""

    def __init__(
        self, dc: int, wire: Wire, transport: ClientTransport, auth: AuthRecord, *, now: Callable[[], float]
    ) -> None:
        self.dc = dc
        self.listener: Listener | None = None
        self.observed: Callable[[], None] = lambda: None
        self._wire = wire
        self._transport = transport
        self._now = now
        self._session = ClientSession(AuthKey(auth.key), salt=auth.salt, time_offset=auth.time_offset)
        self._salt = auth.salt
        self._waiting = Waiting()
        self._writing, self._reading = trio.Lock(), trio.Lock()
        self._running = False
        self._output = trio.Event()
        self.failure: ChannelError | None = None
        self.used_at = trio.current_time()

    def server_time(self) -> float:
        """Seconds of the epoch, by the server's clock."""
        return self._now() + self._session.time_offset

    async def call(self, body: bytes, *, repeatable: bool = True, timeout: float = ANSWER_SECONDS) -> bytes:
        """The answer to a query of the API, both as TL objects.

        Raises `Refused`, and `Transient`: with `maybe_applied` once bytes of it may have left. Cancelled: the
        server may execute it.
        """
        self._raise_if_lost()
        self.used_at = trio.current_time()
        try:
            number = self._session.call(body, repeatable=repeatable)
        except TooManyCalls:
            raise Transient("too_many_calls") from None
        waiter = self._waiting.calls[number] = Waiter()
        try:
            with trio.fail_after(timeout):
                await self._flush()
                await self._wait(waiter.event)
        except trio.TooSlowError:
            raise Transient("no_answer", maybe_applied=True) from None
        finally:
            self._waiting.calls.pop(number, None)
            self._session.forget(number)
        if waiter.error is not None:
            raise waiter.error
        if waiter.body is None:
            reason = self.failure.reason if self.failure is not None else "connection_lost"
            raise Transient(reason, maybe_applied=True)
        return waiter.body

    async def ping(self, timeout: float = ANSWER_SECONDS) -> None:
        """Wait for a pong. Raises `Transient`."""
        self._raise_if_lost()
        number = int.from_bytes(os.urandom(7), "little")
        event = self._waiting.pongs[number] = trio.Event()
        self._session.ping(number, disconnect_delay=DISCONNECT_SECONDS)
        try:
            with trio.fail_after(timeout):
                await self._flush()
                await self._wait(event)
        except trio.TooSlowError:
            raise Transient("no_answer") from None
        finally:
            self._waiting.pongs.pop(number, None)
        self._raise_if_lost()

    async def run(self) -> None:
        """Read, acknowledge and ping until the connection is lost; then raise a failure class."""
        self._running = True
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._acknowledge)
                nursery.start_soon(self._keep_alive)
                async with self._reading:
                    while True:
                        await self._receive()
        except* ChannelError as group:
            self._fail(first_of(group))
        finally:
            self.close()
        assert self.failure is not None
        raise self.failure

    def close(self) -> None:
        """Close at once; calls that wait for an answer raise `Transient`."""
        self.end(Transient("connection_lost"))

    def end(self, failure: ChannelError) -> None:
        """Close at once; `run` raises `failure`, if nothing has ended it before."""
        self._fail(failure)
        self._wire.close()

    # -- reading ------------------------------------------------------------------------------------------

    async def _wait(self, event: trio.Event) -> None:
        """Until `event`, reading if no other task does."""
        if self._running:
            await event.wait()
            return
        while not event.is_set() and not self._running:
            async with self._reading:
                if not event.is_set():
                    await self._receive()
        await event.wait()

    async def _receive(self) -> None:
        """Read once, and take what came. Raises a failure class, after which the connection is closed."""
        try:
            with trio.fail_after(SILENCE_SECONDS):
                data = await self._wire.receive()
            if not data:
                raise Transient("connection_lost")
            for packet in self._transport.receive(data):
                for event in self._session.receive(packet, self._now()):
                    self._take(event)
        except (OSError, trio.ClosedResourceError):
            raise self._fail(Transient("connection_lost")) from None
        except trio.TooSlowError:
            raise self._fail(Transient("no_answer")) from None
        except TransportFailure as error:
            raise self._fail(transport_failure(error.code)) from None
        except MTProtoError as error:
            log.warning("telegram: the connection with data centre %d is given up: %s", self.dc, error)
            raise self._fail(Transient("malformed_packet")) from None
        except Transient as error:
            raise self._fail(error) from None
        if self._session.has_urgent_output:
            await self._flush()
        elif self._session.has_output:
            self._output.set()
        self.observed()

    def _take(self, event: events.Event) -> None:
        match event:
            case events.Result(call=number, body=body):
                self._waiting.answer(number, body=body)
            case events.Failure(call=number, error=error):
                self._waiting.answer(number, error=Refused(error))
            case events.Lost(call=number, reason=reason):
                log.info("telegram: a call is lost (%s)", reason)
                self._waiting.answer(number, error=Transient("outcome_unknown", maybe_applied=True))
            case events.Update(body=body) if self.listener is not None:
                self.listener.push(body)
            case events.SessionCreated() if self.listener is not None:
                self.listener.gap()
            case events.SaltChanged(salt=salt):
                self._salt = salt
                self._keep()
            case events.TimeChanged():
                self._keep()
            case events.Ponged(ping_id=number) if number in self._waiting.pongs:
                self._waiting.pongs[number].set()
            case events.Ignored(reason=reason):
                log.info("telegram: a packet of data centre %d is ignored: %s", self.dc, reason)

    def _keep(self) -> None:
        if self.listener is not None:
            self.listener.keep(self._salt, self._session.time_offset)

    # -- writing ------------------------------------------------------------------------------------------

    async def _flush(self) -> None:
        """Write what the session has. Cancelled while bytes are written: the connection is closed."""
        async with self._writing:
            data = b"".join(self._transport.send(packet) for packet in self._session.flush(self._now()))
            if not data:
                return
            is_written = False
            try:
                await self._wire.send(data)
                is_written = True
            except (OSError, trio.ClosedResourceError):
                raise self._fail(Transient("connection_lost", maybe_applied=True)) from None
            finally:
                if not is_written:
                    self.close()

    async def _acknowledge(self) -> None:
        while True:
            await self._output.wait()
            await trio.sleep(FLUSH_SECONDS)
            self._output = trio.Event()
            if self._session.has_output:
                await self._flush()

    async def _keep_alive(self) -> None:
        while True:
            await trio.sleep(PING_SECONDS)
            await self.ping()

    # -- the end ------------------------------------------------------------------------------------------

    def _fail(self, failure: ChannelError) -> ChannelError:
        """The first failure is the one that counts."""
        if self.failure is None:
            self.failure = failure
        self._waiting.wake_all()
        return self.failure

    def _raise_if_lost(self) -> None:
        if self.failure is not None:
            raise Transient(self.failure.reason)
