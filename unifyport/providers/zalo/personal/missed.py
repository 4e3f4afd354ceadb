"""What came in while the account was not connected is fetched, and news wait until that is told.

Messages come first, and then the reactions, which may be about them. Frames with news are held back until
what came before them is there: those of reactions until the reactions are, all others until the messages are.
"""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from unifyport.protocols.zalo_frames import Command
from unifyport.providers.contract.errors import Transient

from . import gaps
from .gaps import MESSAGES, REACTIONS, Commands, Gaps
from .inbox import Frame, Inbox
from .records import Marks
from .socket import FrameSocket

MOST_HELD, MOST_HELD_BYTES = 1000, 8 * 1024 * 1024  # frames of each kind, and their payloads
_NAMES: Final[dict[Commands, str]] = {MESSAGES: "messages", REACTIONS: "reactions"}


class Held:
    """Frames that wait, in their order."""

    def __init__(self, tell: Callable[[Frame], Awaitable[None]]) -> None:
        self._tell = tell
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._releasing = trio.Lock()

    def __bool__(self) -> bool:
        return bool(self._frames)

    @property
    def full(self) -> bool:
        return len(self._frames) >= MOST_HELD or self._bytes >= MOST_HELD_BYTES

    def add(self, frame: Frame) -> None:
        self._frames.append(frame)
        self._bytes += frame.size

    async def release(self) -> None:
        async with self._releasing:
            while self._frames:
                frame = self._frames.popleft()
                self._bytes -= frame.size
                await self._tell(frame)


class Missed:
    """`tell_gap` is called with what may be missing."""

    def __init__(
        self, marks: Marks, socket: FrameSocket, inbox: Inbox, tell_gap: Callable[[str], Awaitable[None]]
    ) -> None:
        self.gaps = Gaps(marks)
        self._socket = socket
        self._inbox = inbox
        self._tell_gap = tell_gap
        self._held: dict[Commands, Held] = {kind: Held(self._tell) for kind in (MESSAGES, REACTIONS)}
        self._answered = trio.Event()  # set and replaced

    async def fetch(self) -> None:
        for commands in (MESSAGES, REACTIONS):
            for request in self.gaps.requests(commands):
                await self._socket.send(request)
            while self.gaps.open(commands):
                with trio.move_on_after(gaps.SECONDS) as waiting:
                    await self._answered.wait()
                if waiting.cancelled_caught:
                    await self._give_up(commands)
            if self.gaps.cut_off(commands):
                await self._tell_gap(_NAMES[commands])

    async def take(self, command: int, frame: Frame) -> None:
        """A frame of the socket. Raises `Transient` if the socket is proved to be deaf."""
        if command in gaps.COMMANDS:
            await self._take_answer(command, frame)
            return
        commands = REACTIONS if command == Command.REACTIONS else MESSAGES
        held = self._held[commands]
        if not self.gaps.open(commands) and not held:
            await self._tell(frame)
            return
        held.add(frame)
        if held.full:
            await self._give_up(commands)

    async def answer(self) -> None:
        """Wait for the next answer to a request for what was missed."""
        await self._answered.wait()

    async def _tell(self, frame: Frame) -> None:
        """A frame of news. Only now do the marks count it: they become durable with the answers that follow,
        and a frame that is held would be lost with the process.
        """
        self.gaps.told(frame.read)
        await self._inbox.put(frame)

    async def _take_answer(self, command: int, frame: Frame) -> None:
        following = self.gaps.take(command, frame.read)
        self._answered.set()
        self._answered = trio.Event()
        frame.marks = self.gaps.looked_at
        await self._inbox.put(frame)
        if following is not None:
            await self._socket.send(following)
        commands = REACTIONS if command in REACTIONS else MESSAGES
        if not self.gaps.open(commands):
            await self._held[commands].release()
        if self.gaps.deaf:
            raise Transient("deaf_socket")

    async def _give_up(self, commands: Commands) -> None:
        """Fetch no more of them: what waits for them is told."""
        if self.gaps.give_up(commands):
            await self._tell_gap(_NAMES[commands])
        await self._held[commands].release()
