"""What was missed, fetched from the platform: differences, and histories where a difference is too long.

    answer                       what follows
    -------------------------    ---------------------------------------------------------------------------
    a slice                      its updates are told, and the next one is asked for
    channelDifferenceTooLong     the channel's history from the last message that was told on, page by page
    differenceTooLong            the same for each private chat and basic group with newer messages
    more than `MOST_MISSED`      the rest is left out, and a `gap` event says between which messages
    a history is refused         it is left out, with a `gap` event
    more than `_MOST_CHATS`      the others are left out, and a `gap` event says above which message
    it cannot be read            its messages are asked for by their numbers (`numbers.py`)
    it is refused                the same, unless the account is not in the channel any more

https://core.telegram.org/api/updates#recovering-gaps
"""

import logging
from typing import TYPE_CHECKING, Any, Final

import attrs
from telethon.tl import functions, types

from unifyport.providers.contract.errors import ChannelError, LoggedOut, Rejected, SessionLost, Transient

from .dialogs import dialogs
from .errors import Unreadable
from .fetched import MOST_MISSED, Fetched, Gap, History, is_gone
from .numbers import Numbers, Page, by_number
from .peer import channel_id, id_of
from .positions import ChannelState, State
from .standing import Standing
from .update_box import ACCOUNT

if TYPE_CHECKING:
    from .link import UserLink

log = logging.getLogger(__name__)
_MOST_CHATS: Final = 2000  # conversations that are looked at, channels included
_PAGE: Final = 100
_LIMIT: Final = 100
_LONG_DIFFERENCE: Final = 10_000


class Differences:
    """Calls of one account. Every method raises failure classes."""

    def __init__(self, parts: "UserLink") -> None:
        self._parts = parts

    async def part(self, box: int, standing: Standing, history: History | Numbers | None) -> Fetched:
        """The next part of what was missed: of `history`, or of the difference. What fails is its `error`.

        Raises `LoggedOut` and `SessionLost`.
        """
        try:
            if history is not None:
                return await self.more(box, history)
            if box == ACCOUNT:
                return await self.of_account(standing.state, standing.box.position(ACCOUNT))
            known = standing.channels.get(box, ChannelState())
            return await self.of_channel(box, standing.box.position(box), known.top)
        except (LoggedOut, SessionLost):
            raise
        except ChannelError as error:
            return Fetched(box, error=error, history=history)
        except Exception:  # an answer of another kind than the call has
            log.exception("telegram: a difference could not be taken")
            return Fetched(box, error=Transient("malformed_answer"), history=history)

    async def of_account(self, state: State, pts: int) -> Fetched:
        try:
            return await self._of_account(state, pts)
        except Unreadable as error:
            return await self._number_by_number(ACCOUNT, state.top, error.body)
        except Rejected as error:
            log.warning("telegram: the difference of the account is refused: %s", error.reason)
            return await self._number_by_number(ACCOUNT, state.top)

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
        """The histories of the conversations with newer messages than were told, one after another."""

        def is_last(page: Any) -> bool:  # those after it are older
            tops = [each.top_message for each in page.dialogs if _is_plain(each)]
            return bool(tops) and max(tops) <= state.top

        found = await dialogs(self._call, most=_MOST_CHATS, is_last=is_last)
        entities: list[Any] = [each for page in found.pages for each in (*page.users, *page.chats)]
        plain = [each for page in found.pages for each in page.dialogs if _is_plain(each)]
        newer = {id_of(each.peer): each.top_message for each in plain if each.top_message > state.top}
        is_told = found.is_complete and (state.top or not newer)
        gap = None if is_told else Gap(state.top, 0)
        if not newer or not state.top:
            top = max(newer.values(), default=0) or None
            return Fetched(ACCOUNT, entities=entities, pts=pts, is_final=False, gap=gap, top=top)
        (chat, until), *others = newer.items()
        top = max(newer.values())
        history = History(chat, state.top, until, pts, others=tuple(others), start=state.top, top=top)
        return Fetched(ACCOUNT, entities=entities, is_final=False, history=history, gap=gap)

    async def of_channel(self, number: int, pts: int, top: int) -> Fetched:
        try:
            return await self._of_channel(number, pts, top)
        except Unreadable as error:
            return await self._number_by_number(number, top, error.body)
        except Rejected as error:
            if is_gone(error):
                raise
            log.warning("telegram: the difference of a channel is refused: %s", error.reason)
            return await self._number_by_number(number, top)

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
            return await self._number_by_number(box, after, error.body)
        except Rejected as error:
            if box != ACCOUNT and is_gone(error):
                raise
            log.warning("telegram: the history of a conversation is refused: %s", error.reason)
            gap = Gap(history.after, history.until, history.chat)
            return self._following(box, history, [], [], gap)

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
            top = 0 if box == ACCOUNT else None
            return Fetched(box, updates, entities=entities, is_final=False, history=more, top=top)
        gap = Gap(after, history.until, history.chat) if messages and after < history.until else None
        return self._following(box, history, updates, entities, gap)

    @staticmethod
    def _following(
        box: int, history: History, updates: list[Any], entities: list[Any], gap: Gap | None
    ) -> Fetched:
        """The last page of the history of a conversation; those of the others follow."""
        if history.others:
            (chat, until), *others = history.others
            more = attrs.evolve(
                history, chat=chat, after=history.start, until=until, left=MOST_MISSED, others=tuple(others)
            )
            return Fetched(box, updates, entities=entities, is_final=False, history=more, gap=gap, top=0)
        is_final, top = box != ACCOUNT, history.top if box == ACCOUNT else None
        return Fetched(box, updates, entities=entities, pts=history.pts, is_final=is_final, gap=gap, top=top)

    async def _number_by_number(self, box: int, top: int, body: bytes | None = None) -> Fetched:
        """Begin to fetch the messages above `top` without a difference: it is refused, or `body` is what
        cannot be read of it.
        """
        unreadable = None if body is None else (f"difference after {top}", body)
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


def _is_plain(dialog: Any) -> bool:
    """A private chat or a basic group."""
    return isinstance(dialog, types.Dialog) and not isinstance(dialog.peer, types.PeerChannel)


def _fetched(box: int, page: Page) -> Fetched:
    chat = channel_id(box) if box != ACCOUNT else 0
    gap = Gap(*page.gap, chat) if page.gap is not None else None
    found = Fetched(box, page.updates, entities=page.entities, gap=gap, unreadable=page.unreadable)
    if page.following is not None:
        return attrs.evolve(found, is_final=False, history=page.following)
    return attrs.evolve(found, pts=page.pts, state=page.state, is_final=box != ACCOUNT)


def _plain_state(told: Any) -> State:
    date = int(told.date.timestamp()) if told.date is not None else 0
    return State(told.pts, told.qts or 0, date, told.seq or 0)
