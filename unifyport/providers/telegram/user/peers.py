"""People, groups and channels that the account has seen: their names, and what it takes to reach them.

Ids of conversations are those of the Bot API: a user's number, a basic group's with a minus, a channel's or
supergroup's as -1000000000000 minus its number (https://core.telegram.org/api/bots/ids). Numbers have up to
64 bits.

A peer is reached by its number and an `access_hash`, which is valid for this account only. A `min` peer has
no such hash: it is reached through a message that it was seen with, and never replaces what is known in full
(https://core.telegram.org/api/min).
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from telethon.tl import types

from unifyport.providers.contract.capabilities import CONTACT_NOT_FOUND, CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.records import Draft, Records

PEER_RECORD: Final = "peer"
_CHANNELS: Final = 10**12
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
    return types.PeerChannel(number) if id_ < -_CHANNELS else types.PeerChat(number)


def channel_id(number: int) -> int:
    return -_CHANNELS - int(number)


def number_of(id_: int) -> int:
    if id_ > 0:
        return id_
    return -id_ - _CHANNELS if id_ < -_CHANNELS else -id_


def read_id(conversation_id: str) -> int:
    """The number in a conversation's id. Raises `Rejected`."""
    digits = conversation_id.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 19) or int(conversation_id) == 0:
        raise Rejected(CONVERSATION_NOT_FOUND, "it is not the id of a chat of Telegram")
    return int(conversation_id)


def is_number(number: int) -> bool:
    """Whether a user or channel can have this number. Numbers of the platform have 64 bits."""
    return 0 < number < _MOST_NUMBER


def key_of(id_: int) -> bytes:
    return id_.to_bytes(8, signed=True)


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
        case types.Chat() | types.ChatForbidden() if entity.id < _CHANNELS:
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
            )
    return None


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


def dump_peer(peer: Peer) -> bytes:
    return msgspec.msgpack.encode(peer)


class Peers:
    """The peers of one account."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def get(self, id_: int, draft: Draft | None = None) -> Peer | None:
        if not is_number(abs(id_)):
            return None
        stored = await (draft or self._records).get(PEER_RECORD, key_of(id_))
        return msgspec.msgpack.decode(stored, type=Peer) if stored is not None else None

    async def learn(self, draft: Draft, entities: Iterable[Any]) -> dict[int, Peer]:
        """Take what an answer or update says of peers. Returns them by id, as far as they are known."""
        found: dict[int, Peer] = {}
        for entity in entities:
            told = peer_of(entity)
            if told is None:
                continue
            known = await self.get(told.id, draft)
            kept = _join(known, told)
            if kept != known:
                draft.put(PEER_RECORD, key_of(kept.id), dump_peer(kept))
            found[kept.id] = kept
        return found

    async def note_seen(self, draft: Draft, peer: Peer, conversation: int, message_id: int) -> None:
        """Remember the message through which a min peer is reached."""
        if peer.access_hash or not peer.is_min or peer.seen_in == (conversation, message_id):
            return
        seen = msgspec.structs.replace(peer, seen_in=(conversation, message_id))
        draft.put(PEER_RECORD, key_of(peer.id), dump_peer(seen))

    async def note_left(self, draft: Draft, id_: int) -> None:
        """The account was removed from a group."""
        known = await self.get(id_, draft)
        if known is not None and not known.is_left:
            draft.put(PEER_RECORD, key_of(id_), dump_peer(msgspec.structs.replace(known, is_left=True)))

    async def input_peer(self, id_: int) -> Any:
        """An `InputPeer...`. Raises `Rejected` for a peer that this account has no way to reach."""
        if -_CHANNELS < id_ < 0:
            return types.InputPeerChat(-id_)
        peer = await self.get(id_)
        if peer is None:
            raise _unknown(id_)
        if id_ > 0:
            if peer.access_hash:
                return types.InputPeerUser(id_, peer.access_hash)
        elif peer.access_hash:
            return types.InputPeerChannel(peer.number, peer.access_hash)
        if not peer.seen_in[1] or peer.seen_in[0] == id_:
            raise _unknown(id_)
        where, message_id = peer.seen_in
        through = await self.input_peer(where)
        if id_ > 0:
            return types.InputPeerUserFromMessage(through, message_id, id_)
        return types.InputPeerChannelFromMessage(through, message_id, peer.number)

    async def input_user(self, id_: int) -> Any:
        """An `InputUser...`. Raises `Rejected`."""
        if id_ <= 0:
            raise Rejected(CONTACT_NOT_FOUND, "it is not the id of a user of Telegram")
        match await self.input_peer(id_):
            case types.InputPeerUser(user_id=user_id, access_hash=access_hash):
                return types.InputUser(user_id, access_hash)
            case types.InputPeerUserFromMessage(peer=peer, msg_id=msg_id, user_id=user_id):
                return types.InputUserFromMessage(peer, msg_id, user_id)
        raise _unknown(id_)

    async def input_channel(self, id_: int) -> Any:
        """An `InputChannel...` of a channel or supergroup. Raises `Rejected`."""
        match await self.input_peer(id_):
            case types.InputPeerChannel(channel_id=number, access_hash=access_hash):
                return types.InputChannel(number, access_hash)
            case types.InputPeerChannelFromMessage(peer=peer, msg_id=msg_id, channel_id=number):
                return types.InputChannelFromMessage(peer, msg_id, number)
        raise Rejected(CONVERSATION_NOT_FOUND, "it is neither a channel nor a supergroup")


def _join(known: Peer | None, told: Peer) -> Peer:
    """What is known of a peer after it was told once more. A min one never replaces a full one."""
    if known is None or not told.is_min:
        if known is not None and not told.access_hash and known.access_hash:
            return msgspec.structs.replace(told, access_hash=known.access_hash)
        return told
    if known.access_hash or not known.is_min:
        return known
    return msgspec.structs.replace(told, seen_in=known.seen_in)


def _unknown(id_: int) -> Rejected:
    return Rejected(
        "contact_not_reachable",
        "this account has not met it: a user of Telegram is reached by a chat, a group in common, the contact"
        " list, an @name, or a phone number",
    )
