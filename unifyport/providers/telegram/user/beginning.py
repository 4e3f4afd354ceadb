"""Where an account's updates stand when it logs in: what comes from then on is told, and nothing before.

It is asked for as a part of the login, so that nothing falls between the login and the first connection. The
newest conversations are asked for with it, as the position of each channel is told there, and how to reach
people.
"""

from typing import Any

from telethon.tl import functions, types

from unifyport.model.unit import SessionChange

from .dialogs import Call, dialogs
from .peer import is_number, peer_of
from .peers import PEER_RECORD, dump_peer, key_of
from .positions import CHANNEL, STATE, ChannelState, State, channel_key, dump


async def beginning(call: Call) -> list[SessionChange]:
    """The records with which an account begins. The last of them says that it has begun: they may become
    durable in several commits. Raises failure classes.
    """
    told = await call(functions.updates.GetStateRequest())
    state = State(told.pts, told.qts, int(told.date.timestamp()), told.seq)
    channels: dict[int, ChannelState] = {}
    entities: list[Any] = []
    for page in (await dialogs(call)).pages:
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
        *(SessionChange(CHANNEL, channel_key(number), dump(each)) for number, each in channels.items()),
        *(SessionChange(PEER_RECORD, key_of(id_), dump_peer(peer)) for id_, peer in peers.items()),
        SessionChange(STATE, b"", dump(state)),
    ]
