"""The conversations of an account, the newest first, page by page.

https://core.telegram.org/method/messages.getDialogs
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import attrs
from telethon.tl import functions, types

from unifyport.providers.contract.errors import Rejected

from .errors import Unreadable
from .peer import id_of, input_peer_of

log = logging.getLogger(__name__)
Call = Callable[[Any], Awaitable[Any]]
MOST_DIALOGS: Final = 500
_LIMIT: Final = 100


@attrs.define
class Dialogs:
    """Answers to `messages.getDialogs`. `is_complete`: there is nothing more that was asked for."""

    pages: list[Any] = attrs.field(factory=list)
    is_complete: bool = False


async def dialogs(
    call: Call, *, most: int = MOST_DIALOGS, is_last: Callable[[Any], bool] = lambda page: False
) -> Dialogs:
    """Pages up to the one that `is_last`, to `most` conversations, or to one that cannot be read. Raises
    failure classes.
    """
    told = Dialogs()
    date, number, peer, count, limit = None, 0, types.InputPeerEmpty(), 0, _LIMIT
    while count < most:
        request = functions.messages.GetDialogsRequest(
            date, number, peer, limit, 0, exclude_pinned=count > 0 or None
        )
        try:
            found = await call(request)
        except Unreadable:
            if limit == 1:
                log.warning("telegram: conversations from %d on cannot be read", count)
                return told
            limit = max(limit // 4, 1)
            continue
        if isinstance(found, types.messages.DialogsNotModified):
            raise Rejected("unexpected_answer")
        told.pages.append(found)
        count += len(found.dialogs)
        if not isinstance(found, types.messages.DialogsSlice) or not found.dialogs or is_last(found):
            told.is_complete = True
            return told
        last = found.dialogs[-1]
        dates = {(id_of(each.peer_id), each.id): getattr(each, "date", None) for each in found.messages}
        next_date = dates.get((id_of(last.peer), last.top_message))
        if next_date is None or (next_date, last.top_message) == (date, number):
            return told
        date, number = next_date, last.top_message
        peer = input_peer_of(last.peer, [*found.users, *found.chats])
    return told
