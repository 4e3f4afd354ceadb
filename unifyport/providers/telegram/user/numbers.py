"""Messages by their numbers, where a difference or a history cannot be read.

An answer is one object: where a part of it cannot be read, none of it can, and asking again gives the same.
So its messages are asked for by their numbers, fewer at a time, until the one that cannot be read stands
alone. That one is quarantined, and the next one asked for. What the answer said beside new messages (edits,
deletions, read marks) is in the quarantined answer only.

The account numbers the messages of all its private chats and basic groups in one sequence, and each channel
has its own: https://core.telegram.org/api/updates. The newest number is not told, so the end is where
`_MOST_EMPTY` numbers in a row have no message.
"""

from typing import TYPE_CHECKING, Any, Final

import attrs
from telethon.tl import functions, types

from .errors import Unreadable
from .peer import channel_id
from .positions import State
from .update_box import ACCOUNT

if TYPE_CHECKING:
    from .link import UserLink

_PAGE: Final = 100
_MOST: Final = 1000  # messages
_MOST_EMPTY: Final = 300
_LARGEST_NUMBER: Final = 2**31 - 1


@attrs.frozen
class Numbers:
    """What is still to be fetched: the messages above `after`, `size` at a time, at most `left`. `pts` and
    `state`: to be reached with the last one. `empty`: numbers without a message before.
    """

    after: int
    pts: int
    state: State | None = None
    size: int = _PAGE
    left: int = _MOST
    empty: int = 0


@attrs.frozen
class Page:
    """`following`: what is still to be fetched; without it `pts` and `state` are reached."""

    updates: list[Any] = attrs.field(factory=list)
    entities: list[Any] = attrs.field(factory=list)
    pts: int = 0
    state: State | None = None
    following: Numbers | None = None
    gap: tuple[int, int] | None = None
    unreadable: tuple[str, bytes] | None = None


async def by_number(parts: "UserLink", box: int, numbers: Numbers) -> Page:
    """The next messages. Raises failure classes."""
    last = min(numbers.after + min(numbers.size, numbers.left), _LARGEST_NUMBER)
    try:
        found = await _messages(parts, box, range(numbers.after + 1, last + 1))
    except Unreadable as error:
        if numbers.size > 1:
            return Page(following=attrs.evolve(numbers, size=max(numbers.size // 4, 1)))
        rest = attrs.evolve(numbers, after=last, left=numbers.left - 1, empty=0)
        return attrs.evolve(_page(rest, last), unreadable=(f"message {last}", error.body))
    messages = [each for each in found.messages if not isinstance(each, types.MessageEmpty)]
    messages = sorted(
        (each for each in messages if numbers.after < each.id <= last), key=lambda each: each.id
    )
    make = types.UpdateNewMessage if box == ACCOUNT else types.UpdateNewChannelMessage
    rest = attrs.evolve(
        numbers,
        after=last,
        size=min(numbers.size * 2, _PAGE),
        left=numbers.left - len(messages),
        empty=last - messages[-1].id if messages else numbers.empty + last - numbers.after,
    )
    updates, entities = [make(each, 0, 0) for each in messages], [*found.users, *found.chats]
    return attrs.evolve(_page(rest, last), updates=updates, entities=entities)


def _page(rest: Numbers, last: int) -> Page:
    if rest.left > 0 and rest.empty < _MOST_EMPTY and last < _LARGEST_NUMBER:
        return Page(following=rest)
    return Page(pts=rest.pts, state=rest.state, gap=(last, 0) if rest.left <= 0 else None)


async def _messages(parts: "UserLink", box: int, numbers: range) -> Any:
    named = [types.InputMessageID(number) for number in numbers]
    if box == ACCOUNT:
        return await parts.rpc.call(functions.messages.GetMessagesRequest(named))
    channel = await parts.peers.input_channel(channel_id(box))
    request = functions.channels.GetMessagesRequest(channel, named)
    return await parts.rpc.call(request, peer=str(channel_id(box)))
