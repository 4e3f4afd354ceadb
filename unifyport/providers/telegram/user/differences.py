"""What was missed, fetched from the platform: differences, and histories where a difference is too long.

    answer                       what follows
    -------------------------    ---------------------------------------------------------------------------
    a slice                      its updates are told, and the next one is asked for
    channelDifferenceTooLong     the channel's history from the last message that was told on, page by page
    differenceTooLong            the same for each private chat and basic group with newer messages
    more than `MOST_MISSED`      the rest is left out, and a `gap` event says between which messages
    it cannot be read            its messages are asked for by their numbers (`numbers.py`)

https://core.telegram.org/api/updates#recovering-gaps
"""

from typing import TYPE_CHECKING, Any, Final

import attrs
from telethon.tl import functions, types

from unifyport.providers.contract.errors import ChannelError, Rejected

from .beginning import dialogs
from .errors import Unreadable
from .numbers import Numbers, Page, by_number
from .peer import channel_id, id_of
from .positions import State
from .update_box import ACCOUNT

if TYPE_CHECKING:
    from .link import UserLink

MOST_MISSED: Final = 1000  # messages of a conversation
_PAGE: Final = 100
_LIMIT: Final = 100
_LONG_DIFFERENCE: Final = 10_000
_GONE: Final = frozenset(
    {"CHANNEL_PRIVATE", "CHANNEL_INVALID", "CHANNEL_PUBLIC_GROUP_NA", "USER_BANNED_IN_CHANNEL"}
)


@attrs.frozen
class History:
    """The part of a history that is still to be fetched: of conversation `chat` what is above message
    `after`, up to `until`, at most `left` messages; then that of the `others`, each with its newest message.
    """

    chat: int
    after: int
    until: int
    pts: int  # to be reached with the last message
    left: int = MOST_MISSED
    others: tuple[tuple[int, int], ...] = ()
    start: int = 0  # `after` of the others


@attrs.frozen
class Fetched:
    """A part of what was missed, of the sequence `box`. `gap`: messages between these two were left out."""

    box: int
    messages: list[Any] = attrs.field(factory=list)  # updates of new messages
    updates: list[Any] = attrs.field(factory=list)
    entities: list[Any] = attrs.field(factory=list)
    pts: int = 0
    is_final: bool = True
    state: Any = None  # of the account
    history: History | Numbers | None = None
    gap: tuple[int, int] | None = None
    unreadable: tuple[str, bytes] | None = None  # which part cannot be read, and how it begins
    error: ChannelError | None = None

    @property
    def is_gone(self) -> bool:
        """The account has no access to the channel any more."""
        if self.box == ACCOUNT or not isinstance(self.error, Rejected):
            return False
        return self.error.code in _GONE or self.error.reason == "contact_not_reachable"


class Differences:
    """Calls of one account. Every method raises failure classes."""

    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    async def of_account(self, state: State, pts: int) -> Fetched:
        try:
            return await self._of_account(state, pts)
        except Unreadable as error:
            return await self._number_by_number(ACCOUNT, state.top, error)

    async def _of_account(self, state: State, pts: int) -> Fetched:
        found = await self._call(
            functions.updates.GetDifferenceRequest(max(pts, 1), state.time, state.qts, _LONG_DIFFERENCE)
        )
        match found:
            case types.updates.DifferenceEmpty():
                moved = types.updates.State(pts, state.qts, found.date, found.seq, 0)
                return Fetched(ACCOUNT, pts=pts, state=_plain_state(moved))
            case types.updates.DifferenceTooLong():
                return await self._too_long(state, found.pts)
        is_final = isinstance(found, types.updates.Difference)
        reached = found.state if is_final else found.intermediate_state
        return Fetched(
            ACCOUNT,
            [types.UpdateNewMessage(each, 0, 0) for each in found.new_messages],
            found.other_updates,
            [*found.users, *found.chats],
            reached.pts,
            is_final,
            _plain_state(reached),
        )

    async def _too_long(self, state: State, pts: int) -> Fetched:
        entities: list[Any] = []
        newer: list[tuple[int, int]] = []
        for page in await dialogs(self._call):
            entities += [*page.users, *page.chats]
            newer += [
                (id_of(dialog.peer), dialog.top_message)
                for dialog in page.dialogs
                if not isinstance(dialog.peer, types.PeerChannel) and dialog.top_message > state.top
            ]
        if not newer or not state.top:
            return Fetched(ACCOUNT, entities=entities, pts=pts, is_final=False)
        (chat, until), *others = newer
        history = History(chat, state.top, until, pts, others=tuple(others), start=state.top)
        return Fetched(ACCOUNT, entities=entities, is_final=False, history=history)

    async def of_channel(self, number: int, pts: int, top: int) -> Fetched:
        try:
            return await self._of_channel(number, pts, top)
        except Unreadable as error:
            return await self._number_by_number(number, top, error)

    async def _of_channel(self, number: int, pts: int, top: int) -> Fetched:
        channel = await self._parts.peers.input_channel(channel_id(number))
        found = await self._call(
            functions.updates.GetChannelDifferenceRequest(
                channel, types.ChannelMessagesFilterEmpty(), max(pts, 1), _LIMIT
            ),
            channel_id(number),
        )
        match found:
            case types.updates.ChannelDifferenceEmpty():
                return Fetched(number, pts=found.pts)
            case types.updates.ChannelDifferenceTooLong():
                entities = [*found.users, *found.chats]
                reached, newest = found.dialog.pts or 0, found.dialog.top_message
                if not top or newest <= top:
                    return Fetched(number, entities=entities, pts=reached)
                history = History(channel_id(number), top, newest, reached)
                return Fetched(number, entities=entities, is_final=False, history=history)
        return Fetched(
            number,
            [types.UpdateNewChannelMessage(each, 0, 0) for each in found.new_messages],
            found.other_updates,
            [*found.users, *found.chats],
            found.pts,
            bool(found.final),
        )

    async def more(self, box: int, history: History | Numbers) -> Fetched:
        """The next page of a history, the oldest messages first."""
        if isinstance(history, Numbers):
            return _fetched(box, await by_number(self._parts, box, history))
        try:
            return await self._more(box, history)
        except Unreadable as error:
            after = history.start if box == ACCOUNT else history.after
            return await self._number_by_number(box, after, error)

    async def _more(self, box: int, history: History) -> Fetched:
        peer = await self._parts.peers.input_peer(history.chat)
        found = await self._call(
            functions.messages.GetHistoryRequest(
                peer, history.after + 1, None, -_PAGE, _PAGE, 0, history.after, 0
            ),
            history.chat,
        )
        messages = sorted(
            (each for each in found.messages if history.after < each.id <= history.until),
            key=lambda each: each.id,
        )[: history.left]
        make = types.UpdateNewMessage if box == ACCOUNT else types.UpdateNewChannelMessage
        updates = [make(each, 0, 0) for each in messages]
        entities = [*found.users, *found.chats]
        after = messages[-1].id if messages else history.until
        left = history.left - len(messages)
        if messages and after < history.until and left > 0:
            more = attrs.evolve(history, after=after, left=left)
            return Fetched(box, updates, entities=entities, is_final=False, history=more)
        gap = (after, history.until) if messages and after < history.until else None
        if history.others:
            (chat, until), *others = history.others
            more = History(chat, history.start, until, history.pts, others=tuple(others), start=history.start)
            return Fetched(box, updates, entities=entities, is_final=False, history=more, gap=gap)
        return Fetched(box, updates, entities=entities, pts=history.pts, is_final=box != ACCOUNT, gap=gap)

    async def _number_by_number(self, box: int, top: int, error: Unreadable) -> Fetched:
        """Begin to fetch what an answer held that cannot be read: the messages above `top`."""
        unreadable = (f"difference after {top}", error.body)
        if box == ACCOUNT:
            told = await self._call(functions.updates.GetStateRequest())
            numbers = Numbers(top, told.pts, _plain_state(told))
            return Fetched(box, is_final=False, history=numbers, unreadable=unreadable)
        channel = await self._parts.peers.input_channel(channel_id(box))
        full = await self._call(functions.channels.GetFullChannelRequest(channel), channel_id(box))
        pts = full.full_chat.pts
        if not top:  # nothing of it was told, so there is nothing to go on from
            return Fetched(box, pts=pts, unreadable=unreadable)
        return Fetched(box, is_final=False, history=Numbers(top, pts), unreadable=unreadable)

    async def _call(self, request: Any, peer: int = 0) -> Any:
        return await self._parts.rpc.call(request, peer=str(peer) if peer else "")


def _fetched(box: int, page: Page) -> Fetched:
    found = Fetched(box, page.updates, entities=page.entities, gap=page.gap, unreadable=page.unreadable)
    if page.following is not None:
        return attrs.evolve(found, is_final=False, history=page.following)
    return attrs.evolve(found, pts=page.pts, state=page.state, is_final=box != ACCOUNT)


def _plain_state(told: Any) -> State:
    date = int(told.date.timestamp()) if told.date is not None else 0
    return State(told.pts, told.qts or 0, date, told.seq or 0)
