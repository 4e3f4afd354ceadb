"""People, groups and channels that the account has seen: their names, and what it takes to reach them.

A peer is reached by its number and an `access_hash`, which is valid for this account only. A `min` peer has
no such hash: it is reached through a message that it was seen with, and never replaces what is known in full
(https://core.telegram.org/api/min).
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec
from telethon.tl import types

from unifyport.providers.contract.capabilities import CONTACT_NOT_FOUND, CONVERSATION_NOT_FOUND
from unifyport.providers.contract.errors import Rejected
from unifyport.providers.records import Draft, Records

from .peer import CHANNELS, Peer, is_number, peer_of

PEER_RECORD: Final = "peer"


def key_of(id_: int) -> bytes:
    return id_.to_bytes(8, signed=True)


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
        if -CHANNELS < id_ < 0:
            return types.InputPeerChat(-id_)
        peer = await self.get(id_)
        if peer is None:
            raise _unknown()
        if id_ > 0:
            if peer.access_hash:
                return types.InputPeerUser(id_, peer.access_hash)
        elif peer.access_hash:
            return types.InputPeerChannel(peer.number, peer.access_hash)
        if not peer.seen_in[1] or peer.seen_in[0] == id_:
            raise _unknown()
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
        raise _unknown()

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


def _unknown() -> Rejected:
    return Rejected(
        "contact_not_reachable",
        "this account has not met it: a user of Telegram is reached by a chat, a group in common, the contact"
        " list, an @name, or a phone number",
    )
