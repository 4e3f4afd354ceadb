"""Where an account's updates stand when it logs in: what comes from then on is told, and nothing before.

It is asked for as a part of the login, so that nothing falls between the login and the first connection. The
newest conversations are asked for with it, as the position of each channel is told there, and how to reach
people.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from telethon.tl import functions, types

from unifyport.model.unit import SessionChange
from unifyport.providers.contract.errors import Rejected

from .errors import Unreadable
from .peer import id_of, input_peer_of, is_number, peer_of
from .peers import PEER_RECORD, dump_peer, key_of
from .positions import CHANNEL, STATE, ChannelState, State, channel_key, dump

log = logging.getLogger(__name__)
Call = Callable[[Any], Awaitable[Any]]

MOST_DIALOGS: Final = 500
_LIMIT: Final = 100


async def beginning(call: Call) -> list[SessionChange]:
    """The records with which an account begins. Raises failure classes."""
    told = await call(functions.updates.GetStateRequest())
    state = State(told.pts, told.qts, int(told.date.timestamp()), told.seq)
    channels: dict[int, ChannelState] = {}
    entities: list[Any] = []
    for page in await dialogs(call):
        entities += [*page.users, *page.chats]
        for dialog in page.dialogs:
            if isinstance(dialog.peer, types.PeerChannel):
                if not is_number(dialog.peer.channel_id):
                    continue
                channels[dialog.peer.channel_id] = ChannelState(dialog.pts or 0, dialog.top_message)
            elif isinstance(dialog, types.Dialog):
                state.top = max(state.top, dialog.top_message)
    peers = {peer.id: peer for each in entities if (peer := peer_of(each)) is not None}
    return [
        SessionChange(STATE, b"", dump(state)),
        *(SessionChange(CHANNEL, channel_key(number), dump(each)) for number, each in channels.items()),
        *(SessionChange(PEER_RECORD, key_of(id_), dump_peer(peer)) for id_, peer in peers.items()),
    ]


async def dialogs(call: Call) -> list[Any]:
    """Pages of the newest conversations, up to one that cannot be read. Raises failure classes."""
    pages: list[Any] = []
    date, number, peer, count, limit = None, 0, types.InputPeerEmpty(), 0, _LIMIT
    while count < MOST_DIALOGS:
        request = functions.messages.GetDialogsRequest(
            date, number, peer, limit, 0, exclude_pinned=count > 0 or None
        )
        try:
            found = await call(request)
        except Unreadable:
            if limit == 1:
                log.warning("telegram: conversations from %d on cannot be read", count)
                break
            limit = max(limit // 4, 1)
            continue
        if isinstance(found, types.messages.DialogsNotModified):
            raise Rejected("unexpected_answer")
        pages.append(found)
        count += len(found.dialogs)
        if not isinstance(found, types.messages.DialogsSlice) or not found.dialogs:
            break
        last = found.dialogs[-1]
        dates = {(id_of(each.peer_id), each.id): getattr(each, "date", None) for each in found.messages}
        next_date = dates.get((id_of(last.peer), last.top_message))
        if next_date is None or (next_date, last.top_message) == (date, number):
            break
        date, number = next_date, last.top_message
        peer = input_peer_of(last.peer, [*found.users, *found.chats])
    return pages
