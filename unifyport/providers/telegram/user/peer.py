"""A person, group or channel, as the platform's objects name it. Pure.

Ids of conversations are those of the Bot API: a user's number, a basic group's with a minus, a channel's or
supergroup's as -1000000000000 minus its number (https://core.telegram.org/api/bots/ids). Numbers have up to
64 bits.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from telethon.tl import types

from unifyport.providers.contract.capabilities import CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import Rejected

CHANNELS: Final = 10**12
_LONGEST_NAME: Final = 256
_MOST_NUMBER: Final = 2**52  # https://core.telegram.org/bots/api#user

USER, GROUP, SUPERGROUP, CHANNEL = "private", "group", "supergroup", "channel"


class Peer(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True):
    """`type`: as in the Bot API. `access_hash` 0: not known. `seen_in`: conversation and message of a min
    peer.
    """

    id: int  # as in events
    type: str
    access_hash: int = 0
    title: str = ""
    first_name: str = ""
    last_name: str = ""
    username: str = ""
    phone: str = ""
    is_min: bool = False
    seen_in: tuple[int, int] = (0, 0)
    is_forum: bool = False
    is_bot: bool = False
    is_left: bool = False  # a group or channel that the account is not in
    is_own: bool = False  # a channel, not a supergroup, in which the account posts

    @property
    def number(self) -> int:
        """The number that the platform's objects have."""
        return number_of(self.id)

    @property
    def name(self) -> str:
        """What people call it."""
        whole = " ".join(part for part in (self.first_name, self.last_name) if part)
        return self.title or whole or self.username

    def as_chat(self) -> dict[str, Any]:
        """A `Chat` of the Bot API."""
        return {"id": self.id, "type": self.type, **self._names()}

    def as_user(self) -> dict[str, Any]:
        """A `User` of the Bot API."""
        return {"id": self.id, "is_bot": self.is_bot, **self._names()}

    def _names(self) -> dict[str, str]:
        names = {name: getattr(self, name) for name in ("title", "first_name", "last_name", "username")}
        return {name: value for name, value in names.items() if value}


Known = Mapping[int, Peer]


def id_of(peer: Any) -> int:
    """The id, as in events, of a `Peer...` or `InputPeer...`; 0: of none."""
    match peer:
        case types.PeerUser() | types.InputPeerUser() | types.InputPeerUserFromMessage():
            return int(peer.user_id)
        case types.PeerChat() | types.InputPeerChat():
            return -int(peer.chat_id)
        case types.PeerChannel() | types.InputPeerChannel() | types.InputPeerChannelFromMessage():
            return channel_id(peer.channel_id)
    return 0


def peer_of_id(id_: int) -> Any:
    """The `Peer...` of an id as in events."""
    if id_ > 0:
        return types.PeerUser(id_)
    number = number_of(id_)
    return types.PeerChannel(number) if id_ < -CHANNELS else types.PeerChat(number)


def channel_id(number: int) -> int:
    return -CHANNELS - int(number)


def number_of(id_: int) -> int:
    if id_ > 0:
        return id_
    return -id_ - CHANNELS if id_ < -CHANNELS else -id_


def read_id(conversation_id: str) -> int:
    """The number in a conversation's id. Raises `Rejected`."""
    digits = conversation_id.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19) or int(conversation_id) == 0:
        raise Rejected(CONVERSATION_NOT_FOUND, "it is not the id of a chat of Telegram")
    return int(conversation_id)


def is_number(number: int) -> bool:
    """Whether a user or channel can have this number. Numbers of the platform have 64 bits."""
    return 0 < number < _MOST_NUMBER


def peer_of(entity: Any) -> Peer | None:
    """What a `User`, `Chat` or `Channel` says; None if it says nothing, as of an account that was deleted."""
    if not is_number(getattr(entity, "id", 0)):
        return None
    match entity:
        case types.User():
            return Peer(
                entity.id,
                USER,
                0 if entity.min else entity.access_hash or 0,
                first_name=_name(entity.first_name),
                last_name=_name(entity.last_name),
                username=_username(entity),
                phone="+" + entity.phone if entity.phone and entity.phone.isdigit() else "",
                is_min=bool(entity.min),
                is_bot=bool(entity.bot),
            )
        case types.Chat() | types.ChatForbidden() if entity.id < CHANNELS:
            return Peer(-entity.id, GROUP, title=_name(entity.title), is_left=_is_left(entity))
        case types.Channel() | types.ChannelForbidden():
            is_min = bool(getattr(entity, "min", False))
            return Peer(
                channel_id(entity.id),
                CHANNEL if entity.broadcast else SUPERGROUP,
                0 if is_min else entity.access_hash or 0,
                title=_name(entity.title),
                username=_username(entity),
                is_min=is_min,
                is_forum=bool(getattr(entity, "forum", False)),
                is_left=_is_left(entity),
                is_own=bool(entity.broadcast) and _may_post(entity),
            )
    return None


def _may_post(channel: Any) -> bool:
    rights = getattr(channel, "admin_rights", None)
    return bool(getattr(channel, "creator", False) or (rights is not None and rights.post_messages))


def _is_left(entity: Any) -> bool:
    is_forbidden = isinstance(entity, types.ChatForbidden | types.ChannelForbidden)
    return is_forbidden or bool(entity.left)


def _name(text: Any) -> str:
    return str(text or "")[:_LONGEST_NAME]


def _username(entity: Any) -> str:
    names = getattr(entity, "usernames", None) or []
    active = [each.username for each in names if getattr(each, "active", False)]
    return _name(getattr(entity, "username", None) or (active[0] if active else ""))


def input_peer_of(peer: Any, entities: list[Any]) -> Any:
    """The `InputPeer...` of a peer that came with an answer."""
    id_ = id_of(peer)
    if isinstance(peer, types.PeerChat):
        return types.InputPeerChat(peer.chat_id)
    for each in entities:
        if isinstance(each, types.User) and each.id == id_:
            return types.InputPeerUser(each.id, each.access_hash or 0)
        if isinstance(each, types.Channel | types.ChannelForbidden) and channel_id(each.id) == id_:
            return types.InputPeerChannel(each.id, each.access_hash or 0)
    return types.InputPeerEmpty()
