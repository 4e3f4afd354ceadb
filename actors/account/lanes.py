"""The lanes of an outbox: which commands wait, and in which order.

A lane is a conversation (by its canonical id), or the account itself for commands that name no conversation.
Within a lane commands are carried out one after another, in the order in which their places were reserved;
lanes do not wait for each other.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

import attrs
import trio

from unifyport.model.message import Answer, MarkRead, PlatformCall, SendCommand
from unifyport.model.send_pace import Pace
from unifyport.providers.contract.capabilities import CAPABILITIES

from ..reply import Reply
from .connection_lease import ConnectionLease

MAX_QUEUED = 1024  # commands of one account, the ones in progress included
MAX_LANE = 64  # commands of one conversation
MIN_NEEDS, MAX_NEEDS = 2.0, 10.0  # seconds that a command is given for its own work
MIN_RETRY, MAX_RETRY = 1, 3600  # seconds
MAX_APPOINTED = (
    120.0  # seconds; with more callers than commands that can begin until then, they share the time
)
FIRST_GUESS, ALPHA = 1.0, 1 / 8  # seconds; the weight of the newest sample

Command = SendCommand | MarkRead | PlatformCall
Prepare = Callable[[SendCommand], AbstractAsyncContextManager[SendCommand]]


class NotPrepared(Exception):
    """The file of a send cannot be had: `answer` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.code)
        self.answer = answer


@attrs.define(eq=False)
class Place:
    """A place in a lane. It is reserved before the command is recorded, then filled or released, once.

    With a `lease` it also has a slot and its tokens, and its send is recorded as `sending` at once.
    """

    lane: "Lane"
    paced: bool  # whether it takes tokens, and has not yet
    kind: str  # the type of the conversation, for its pace
    decided: bool = False  # filled or released
    command: Command | None = None
    prepare: Prepare | None = None  # fetches the file of a send, at its turn
    has_slot: bool = False
    tokens: Pace | None = None  # it has taken its tokens, at this pace
    lease: ConnectionLease | None = None  # the connection on which it may begin at once
    scope: trio.CancelScope | None = None  # while its command is carried out
    waiting: bool = False  # of that: for what the command needs to begin
    dropped: bool = False  # the account stops: it does not begin any more
    answer: Answer | None = None  # what came of it, durable or not
    reply: Reply[Answer] = attrs.field(factory=Reply)  # the same, once it is recorded
    patience: trio.CancelScope | None = None  # of the caller that waits for the reply

    def fill(self, command: Command, prepare: Prepare | None = None) -> None:
        """Its command is recorded: carry it out at its turn."""
        self.decided, self.command, self.prepare = True, command, prepare

    def drop(self) -> None:
        """Do not begin any more."""
        self.dropped = True
        if self.waiting and self.scope is not None:
            self.scope.cancel()


@attrs.define(eq=False)
class Lane:
    """`conversation`: its canonical id; None: the lane of the account."""

    conversation: str | None
    places: deque[Place] = attrs.field(factory=deque)
    working: bool = False  # a task carries out its commands

    @property
    def ready(self) -> bool:
        """Whether its first place is decided, and no task carries it out."""
        return not self.working and bool(self.places) and self.places[0].decided


@attrs.frozen
class Wanted:
    """A command that asks for a place: its conversation, whether it is paced, and as which type of
    conversation.
    """

    conversation: str | None
    paced: bool = False
    kind: str = "user"


def wanted_by(command: Command, canonical: Callable[[str], str]) -> Wanted:
    """The place that a command asks for. `canonical` maps the spellings of a conversation id to one."""
    match command:
        case SendCommand(message=message):
            return Wanted(canonical(message.conversation_id), True, message.conversation_type)
        case MarkRead():
            return Wanted(canonical(command.conversation_id))
    conversation = CAPABILITIES[command.capability].conversation_of(command.arguments)
    return Wanted(None if conversation is None else canonical(conversation))


@attrs.frozen(kw_only=True)
class SendFigures:
    """What an outbox is doing. `begins_in`: seconds until a message to an idle conversation would begin."""

    queued: int  # commands that wait or are in progress
    in_progress: int
    slots: int
    service_seconds: float  # moving average of an attempt
    begins_in: float


class Lanes:
    """All lanes of one account. `slots`: how many commands may be in progress at a time."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.queued = 0  # places in all lanes, commands in progress included
        self.service_seconds = FIRST_GUESS  # moving average of an attempt
        self.paced = 0  # of `queued`: messages that have not taken their tokens
        self._lanes: dict[str | None, Lane] = {}

    def observe_service(self, seconds: float) -> None:
        """An attempt took so long."""
        self.service_seconds += ALPHA * (seconds - self.service_seconds)

    def ahead(self, wanted: Wanted) -> Sequence[Place]:
        """The places of its lane."""
        lane = self._lanes.get(wanted.conversation)
        return lane.places if lane is not None else ()

    def reserve(self, wanted: Wanted) -> Place:
        """The last place of the lane. Its holder must fill or release it."""
        lane = self._lanes.get(wanted.conversation)
        if lane is None:
            lane = self._lanes[wanted.conversation] = Lane(wanted.conversation)
        place = Place(lane, wanted.paced, wanted.kind)
        lane.places.append(place)
        self.queued += 1
        self.paced += wanted.paced
        return place

    def take_tokens(self, place: Place) -> None:
        """The message has taken its tokens: it no longer counts as waiting for them."""
        self.paced -= place.paced
        place.paced = False

    def leave(self, place: Place) -> None:
        """The first place of its lane is done with."""
        lane = place.lane
        assert lane.places[0] is place, "commands of a lane end in their order"
        lane.places.popleft()
        self.take_tokens(place)
        self.queued -= 1
        if not lane.places:
            del self._lanes[lane.conversation]

    def places(self) -> list[Place]:
        """All of them."""
        return [place for lane in self._lanes.values() for place in lane.places]
