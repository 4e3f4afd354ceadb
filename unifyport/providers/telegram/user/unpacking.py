"""What the platform pushes, and what it answers calls with, as a list of updates.

https://core.telegram.org/constructor/updates and its siblings.
"""

from typing import Any, Final

import attrs
from telethon.tl import types

from .peer import is_number

NOWHERE: Final = -1


@attrs.define
class Container:
    """`seq_start` and `seq` 0: not ordered by it. `date`: unix seconds; 0: not said. `is_too_long`: get the
    difference. `users`: people whom it names by numbers only, who must be known.
    """

    updates: list[Any] = attrs.field(factory=list)
    entities: list[Any] = attrs.field(factory=list)
    date: int = 0
    seq_start: int = 0
    seq: int = 0
    is_too_long: bool = False
    users: frozenset[int] = frozenset()


def unpack(found: Any, me: int) -> Container:
    """Anything but updates is empty."""
    match found:
        case types.Updates():
            entities = [*found.users, *found.chats]
            return Container(found.updates, entities, _unix(found.date), found.seq, found.seq)
        case types.UpdatesCombined():
            entities = [*found.users, *found.chats]
            return Container(found.updates, entities, _unix(found.date), found.seq_start, found.seq)
        case types.UpdateShort():
            return Container([found.update], date=_unix(found.date))
        case types.UpdateShortMessage():
            author = types.PeerUser(me if found.out else found.user_id)
            peer, users = types.PeerUser(found.user_id), frozenset({found.user_id})
            return _short(found, peer, author, users)
        case types.UpdateShortChatMessage():
            author, peer = types.PeerUser(found.from_id), types.PeerChat(found.chat_id)
            return _short(found, peer, author, frozenset({found.from_id, -found.chat_id}))
        case types.UpdatesTooLong():
            return Container(is_too_long=True)
    return Container()


def _short(found: Any, peer: Any, author: Any, users: frozenset[int]) -> Container:
    message = types.Message(
        found.id,
        peer,
        found.date,
        found.message,
        out=found.out,
        mentioned=found.mentioned,
        media_unread=found.media_unread,
        silent=found.silent,
        from_id=None if isinstance(peer, types.PeerUser) else author,
        fwd_from=found.fwd_from,
        via_bot_id=found.via_bot_id,
        reply_to=found.reply_to,
        entities=found.entities,
        ttl_period=found.ttl_period,
    )
    update = types.UpdateNewMessage(message, found.pts, found.pts_count)
    return Container([update], date=_unix(found.date), users=users)


def sent_message(found: Any, peer: Any, text: str) -> Any:
    """`updateShortSentMessage`, the short answer to a send, as the update that it stands for."""
    message = types.Message(
        found.id, peer, found.date, text, out=True, media=found.media, entities=found.entities
    )
    date = found.date
    update = types.UpdateNewMessage(message, found.pts, found.pts_count)
    return types.Updates([update], [], [], date, 0)


def _unix(date: Any) -> int:
    return int(date.timestamp()) if date is not None else 0


def box_of(update: Any) -> int:
    """The channel whose sequence an update belongs to; 0: the account's; `NOWHERE`: a channel that no account
    can be in.
    """
    box = _box_of(update)
    return box if box == 0 or is_number(box) else NOWHERE


def _box_of(update: Any) -> int:
    message = getattr(update, "message", None)
    peer = getattr(message, "peer_id", None)
    if isinstance(peer, types.PeerChannel):
        return int(peer.channel_id) or NOWHERE
    number = getattr(update, "channel_id", None)
    if isinstance(number, int):
        return number or NOWHERE
    peer = getattr(update, "peer", None)
    return int(peer.channel_id) if isinstance(peer, types.PeerChannel) and _is_of_channel(update) else 0


def _is_of_channel(update: Any) -> bool:
    return "Channel" in type(update).__name__
