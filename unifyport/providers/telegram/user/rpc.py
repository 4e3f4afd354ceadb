"""Calls of the API: a Telethon request in, a Telethon object out; waits that the server orders; media
connections.

    the server answers     what follows
    -------------------    ------------------------------------------------------------------------------
    FLOOD_WAIT_n           this method waits for this peer, and nothing else does. A call waits up to its
                           `max_wait`; beyond it, and for as long as the wait lasts, `RateLimited`
    FILE_MIGRATE_n         the call is made once more at that data centre
    401, in any call       the login is void: the account's connection ends with that failure
    500 and above          a repeatable call is made again, a few times

An account has one connection with its own data centre, and one with each other for files, which closes when
it is idle.
"""

import logging
from collections import OrderedDict
from typing import Any, Final

import trio
from telethon.extensions import BinaryReader
from telethon.tl import TLRequest

from unifyport.protocols.mtproto.rpc_errors import ErrorClass, RpcError
from unifyport.providers.contract.base import ConnectorContext
from unifyport.providers.contract.errors import (
    ACCOUNT,
    CONVERSATION,
    ChannelError,
    LoggedOut,
    RateLimited,
    Transient,
)

from .connection import Connection
from .errors import Unreadable, failure_of
from .introduction import introduce
from .listener import Refused
from .media_connections import MediaConnections

log = logging.getLogger(__name__)
MAX_WAIT: Final = 10.0  # seconds that a call waits by itself
_MAX_WAITS: Final = 4096
_ATTEMPTS: Final = 3
_MOST_ATTEMPTS: Final = 8
_PAUSE_SECONDS: Final = 1.0


class Rpc:
    """The calls of one account, on its connection `main`."""

    def __init__(
        self, context: ConnectorContext, main: Connection, media: MediaConnections | None = None
    ) -> None:
        self._context = context
        self._main = main
        self._media = media
        self._waits: OrderedDict[tuple[str, str], float] = OrderedDict()  # trio's clock
        self._is_introduced = False
        self.failure: LoggedOut | None = None  # why the login is void

    def server_time(self) -> float:
        """Seconds of the epoch, by the server's clock."""
        return self._main.server_time()

    async def call(
        self,
        request: TLRequest,
        *,
        peer: str = "",
        repeatable: bool = True,
        max_wait: float = MAX_WAIT,
        dc: int = 0,
    ) -> Any:
        """The answer to `request`, an object of Telethon's.

        `peer`: the conversation that the call is about, if any; waits are kept by method and peer.
        `repeatable`: executing it twice does no harm. `dc`: another data centre than the account's,
        for files.

        Raises failure classes: `LoggedOut`, `RateLimited` (nothing was applied), `RpcRejected`, and
        `Transient`, with `maybe_applied` if the outcome is unknown.
        """
        method = type(request).__name__
        deadline = trio.current_time() + max_wait
        attempts = 0
        while True:
            await self._sleep_until_allowed(method, peer, deadline)
            try:
                return await self._call_once(request, repeatable, dc)
            except Refused as refused:
                error = refused.error
            attempts += 1
            elsewhere = dc not in (0, self._main.dc)
            if error.kind is ErrorClass.WAIT:
                self._note_wait(method, peer, error.seconds)
            elif error.kind is ErrorClass.MIGRATE and error.subject == "FILE" and dc != error.dc:
                dc = error.dc
            elif error.kind is ErrorClass.UNAUTHORIZED and elsewhere:
                if attempts > 1:
                    raise Transient("media_login_refused", cause=error.name)
                await self._forget_authorization(dc)
            elif error.kind is ErrorClass.SERVER and repeatable and attempts < _ATTEMPTS:
                await trio.sleep(_PAUSE_SECONDS * attempts)
            else:
                raise self._failure(error, peer)
            if attempts > _MOST_ATTEMPTS:
                raise self._failure(error, peer)

    async def _forget_authorization(self, dc: int) -> None:
        assert self._media is not None
        await self._media.forget(dc)

    async def _call_once(self, request: TLRequest, repeatable: bool, dc: int) -> Any:
        connection = self._main
        if dc not in (0, self._main.dc):
            if self._media is None:
                raise Transient(f"no_connection_with_data_centre_{dc}")
            connection = await self._media.get(dc, self)
        elif not self._is_introduced:
            body = introduce(self._context, request)
            answer = await connection.call(body, repeatable=repeatable)
            self._is_introduced = True
            return read_answer(request, answer)
        answer = await connection.call(bytes(request), repeatable=repeatable)
        return read_answer(request, answer)

    # -- waits --------------------------------------------------------------------------------------------

    async def _sleep_until_allowed(self, method: str, peer: str, deadline: float) -> None:
        """Raises `RateLimited` if that is after `deadline`."""
        now = trio.current_time()
        until = self._waits.get((method, peer), now)
        if until <= now:
            return
        if until > deadline:
            raise RateLimited(until - now, scope=CONVERSATION if peer else ACCOUNT)
        await trio.sleep_until(until)

    def _note_wait(self, method: str, peer: str, seconds: int) -> None:
        now = trio.current_time()
        self._waits[method, peer] = now + seconds
        self._waits.move_to_end((method, peer))
        while self._waits and (len(self._waits) > _MAX_WAITS or next(iter(self._waits.values())) <= now):
            self._waits.popitem(last=False)

    def _failure(self, error: RpcError, peer: str) -> ChannelError:
        failure = failure_of(error, peer=peer)
        if isinstance(failure, LoggedOut) and self.failure is None:
            self.failure = failure
            self._main.end(failure)
        return failure


def read_answer(request: TLRequest, body: bytes) -> Any:
    """Raises `Unreadable` for an answer that is not what the request asks for."""
    reader = BinaryReader(body)
    try:
        return request.read_result(reader)
    except Exception:
        log.warning("telegram: the answer to %s cannot be read", type(request).__name__)
        raise Unreadable(body) from None
    finally:
        reader.close()


def read_object(body: bytes) -> Any:
    """An object of Telethon's. Raises `ValueError`."""
    reader = BinaryReader(body)
    try:
        found = reader.tgread_object()
        reader.get_bytes()
    except Exception as error:
        raise ValueError(f"an object cannot be read ({type(error).__name__})") from None
    finally:
        reader.close()
    return found
