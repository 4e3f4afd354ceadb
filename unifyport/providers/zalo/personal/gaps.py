"""What came in while the account was not connected: asked for by the highest message id that was committed.

Reactions are asked for in the same way, once the messages that they may be about have come.

The first connection of a session has no such id: what the platform has then is only looked at for it, as it
is from before the login. An answer that brings nothing newer ends the fetch. If it has only older messages,
or none after the id 0, the newest are asked for once, as Zalo publishes neither the order of an answer nor
what `lastId` counts from.

Later the same is asked now and then, as a socket may answer after days and have no news any more
(https://github.com/RFS-ADRENO/zca-js/issues/153); a fresh login with the same cookies heals that. A message
of others in an answer that no frame had told may have come while the answer was made: two answers in a row
are proof (`deaf`).
"""

from typing import Final

from unifyport.model.inbound import MessageReceived
from unifyport.protocols.zalo_frames import Command
from unifyport.protocols.zalo_frames.frames import old_frame

from .parse import Read
from .records import Marks

MESSAGES: Final = (Command.OLD_USER_MESSAGES, Command.OLD_GROUP_MESSAGES)
REACTIONS: Final = (Command.OLD_USER_REACTIONS, Command.OLD_GROUP_REACTIONS)
COMMANDS: Final = (*MESSAGES, *REACTIONS)  # in the order of `Marks.all`
MAX_REQUESTS: Final = 1000  # of one fetch
PROOF: Final = 2  # answers in a row with a message that no frame had told
SECONDS: Final = 10.0  # for so long newer messages wait for an answer


Commands = tuple[Command, ...]  # `MESSAGES` or `REACTIONS`


def _highest(read: Read) -> tuple[int, ...]:
    """In the order of `COMMANDS`."""
    return read.last_user, read.last_group, read.last_user_reaction, read.last_group_reaction


class Gap:
    """One fetch, of messages or reactions of people or in groups. `after` None: the first connection."""

    def __init__(self, command: Command, after: int | None) -> None:
        self.command = command
        self.after = after  # messages up to this id are known
        self.open = True
        self.unheard = 0  # answers in a row to `begin_again`
        self._begun_again = False
        self._asked_newest = after is None
        self._requests = 0

    def request(self, number: int) -> bytes:
        self._requests += 1
        last = None if self._asked_newest else str(self.after)
        return old_frame(self.command, last, number)

    def told(self, highest: int) -> None:
        """A frame of news."""
        if not self.open and self.after is not None:
            self.after = max(self.after, highest)

    def begin_again(self) -> None:
        self._begun_again = True
        self._asked_newest = self.after is None
        self._requests = 0

    def take(self, read: Read) -> bool:
        """An answer: leave out of it what is from before the login; whether to ask again."""
        highest = _highest(read)[COMMANDS.index(self.command)]
        if self._begun_again:
            self._begun_again = False
            unheard = self.after is not None and any(isinstance(e, MessageReceived) for e in read.events)
            self.unheard = self.unheard + 1 if unheard else 0
        again = False
        if self.after is None:
            read.events.clear()
            read.references.clear()
            self.after = highest
        elif highest > self.after:
            self.after = highest
            again = self._requests < MAX_REQUESTS
        elif (read.known or not self.after) and not self._asked_newest:
            self._asked_newest = again = True
        self.open = self.open and again
        return again

    @property
    def cut_off(self) -> bool:
        """Whether there may be more than was fetched."""
        return self._requests >= MAX_REQUESTS


class Gaps:
    """The fetches of a connection. `marks`: what is durable."""

    def __init__(self, marks: Marks) -> None:
        self._numbers = 0
        afters = zip(COMMANDS, marks.all, strict=True)
        self._gaps = {command: Gap(command, after) for command, after in afters}

    def open(self, commands: Commands) -> bool:
        return any(self._gaps[command].open for command in commands)

    def cut_off(self, commands: Commands) -> bool:
        return any(self._gaps[command].cut_off for command in commands)

    @property
    def looked_at(self) -> Marks:
        """What is known to the fetches."""
        return Marks(*(self._gaps[command].after for command in COMMANDS))

    def requests(self, commands: Commands = MESSAGES) -> list[bytes]:
        """One for people and one for groups."""
        return [self._request(self._gaps[command]) for command in commands]

    def after(self, command: int) -> int:
        """Up to which id messages of an answer are known; of any other frame 0."""
        gap = self._gaps.get(Command(command)) if command in COMMANDS else None
        return gap.after or 0 if gap is not None else 0

    def take(self, command: int, read: Read) -> bytes | None:
        """An answer of `COMMANDS`; the next request, if there is one."""
        gap = self._gaps[Command(command)]
        return self._request(gap) if gap.take(read) else None

    def give_up(self, commands: Commands = MESSAGES) -> bool:
        """Fetch no more; whether something may be missing that came after the first connection."""
        given_up = [self._gaps[command] for command in commands]
        missing = any(gap.open and gap.after is not None for gap in given_up)
        for gap in given_up:
            gap.open = False
        return missing

    def told(self, read: Read) -> None:
        """A frame that is no answer."""
        for gap, highest in zip(self._gaps.values(), _highest(read), strict=True):
            gap.told(highest)
        if read.last_user or read.last_group:
            for command in MESSAGES:
                self._gaps[command].unheard = 0

    @property
    def deaf(self) -> bool:
        return any(gap.unheard >= PROOF for gap in self._gaps.values())

    def ask_again(self) -> list[bytes]:
        """Requests for the messages that came since then: the answers are of `MESSAGES`."""
        for command in MESSAGES:
            self._gaps[command].begin_again()
        return self.requests()

    def _request(self, gap: Gap) -> bytes:
        self._numbers += 1
        return gap.request(self._numbers)
