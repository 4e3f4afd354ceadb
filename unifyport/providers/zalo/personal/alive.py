"""What keeps a connection alive: pings, keep-alive requests of the HTTP session, questions for messages."""

import logging
from collections.abc import Callable

import trio

from unifyport.process.clock import Clock
from unifyport.protocols.zalo_frames.frames import ping_frame
from unifyport.providers.contract.errors import ChannelError, LoggedOut

from . import requests
from .calls import Session, read_answer
from .login_info import Limits
from .socket import FrameSocket
from .transport import Transport

log = logging.getLogger(__name__)


class Alive:
    """`questions`: frames that ask for messages."""

    def __init__(
        self,
        transport: Transport,
        session: Session,
        limits: Limits,
        socket: FrameSocket,
        *,
        clock: Clock,
        questions: Callable[[], list[bytes]],
    ) -> None:
        self._transport = transport
        self._session = session
        self._limits = limits
        self._socket = socket
        self._clock = clock
        self._questions = questions

    async def ping(self) -> None:
        """As often as the server asks."""
        while True:
            await trio.sleep(self._limits.ping_seconds)
            await self._socket.send(ping_frame(self._clock.now_ms()))

    async def keep_alive(self) -> None:
        """Raises `LoggedOut`."""
        while True:
            await trio.sleep(self._limits.keep_alive_seconds)
            try:
                read_answer(await self._transport.ask(requests.keep_alive_call(self._session)), None)
            except LoggedOut:
                raise
            except ChannelError as error:
                log.info("zalo: the session could not be kept alive: %s", error.reason)
            await self.ask_for_news()  # pings are answered also by a deaf socket

    async def ask_for_news(self) -> None:
        """Ask over the socket for what came after the newest messages that are known."""
        for frame in self._questions():
            await self._socket.send(frame)
