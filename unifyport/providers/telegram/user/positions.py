"""Where the account is in its updates, as it is kept: positions become durable with the events before them.

record                  holds
--------------------    ----------------------------------------------------------------------------
("state", b"")          `State`: pts, qts, date and seq of the account, newest message of its chats
("channel", number)     `ChannelState`: pts of a channel, its newest message, when something came last
("chats", bucket)       message number -> conversation, for deletions, which name no conversation
("reacted", id)         of a conversation's last messages with reactions: who reacted how
("pending", random id)  `pending.Row`: a send whose answer is not known
"""

import datetime
from typing import Final

import msgspec

from unifyport.providers.records import Draft

STATE: Final = "state"
CHANNEL: Final = "channel"
CHATS: Final = "chats"
REACTED: Final = "reacted"

_PER_BUCKET: Final = 64
_BUCKETS: Final = 2048
_REACTED: Final = 64  # messages of a conversation


class State(msgspec.Struct, array_like=True):
    """`date`: unix seconds. `top`: the newest message of private chats and basic groups that was told."""

    pts: int = 0
    qts: int = 0
    date: int = 0
    seq: int = 0
    top: int = 0

    @property
    def time(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(max(self.date, 1), datetime.UTC)


class ChannelState(msgspec.Struct, array_like=True):
    """`at`: unix seconds, to the minute."""

    pts: int = 0
    top: int = 0
    at: int = 0


def channel_key(number: int) -> bytes:
    return number.to_bytes(8)


def dump(value: State | ChannelState) -> bytes:
    return msgspec.msgpack.encode(value)


async def remember_chat(draft: Draft, message_id: int, conversation: int) -> None:
    """Keep the conversation of a message of a private chat or basic group."""
    if not 0 < message_id < 2**31:
        return
    bucket = message_id // _PER_BUCKET
    known = await _bucket(draft, bucket)
    if not known and bucket >= _BUCKETS:
        draft.put(CHATS, (bucket - _BUCKETS).to_bytes(4), None)
    if known.get(message_id) != conversation:
        known[message_id] = conversation
        draft.put(CHATS, bucket.to_bytes(4), msgspec.msgpack.encode(known))


async def chats_of(draft: Draft, message_ids: list[int]) -> dict[int, int]:
    """The conversations of messages, of those that are known."""
    found: dict[int, int] = {}
    for bucket in {id_ // _PER_BUCKET for id_ in message_ids if 0 < id_ < 2**31}:
        known = await _bucket(draft, bucket)
        found |= {id_: known[id_] for id_ in message_ids if id_ in known}
    return found


async def _bucket(draft: Draft, bucket: int) -> dict[int, int]:
    stored = await draft.get(CHATS, bucket.to_bytes(4))
    return msgspec.msgpack.decode(stored, type=dict[int, int]) if stored is not None else {}


async def reactions_of(draft: Draft, conversation: int) -> dict[int, dict[str, str]]:
    """Message -> who -> emoji, of the last messages with reactions."""
    stored = await draft.get(REACTED, conversation.to_bytes(8, signed=True))
    return msgspec.msgpack.decode(stored, type=dict[int, dict[str, str]]) if stored is not None else {}


async def remember_reactions(draft: Draft, conversation: int, message_id: int, now: dict[str, str]) -> None:
    known = await reactions_of(draft, conversation)
    before = known.pop(message_id, {})
    if now:
        known[message_id] = now
    while len(known) > _REACTED:
        del known[next(iter(known))]
    if before != now:
        draft.put(
            REACTED, conversation.to_bytes(8, signed=True), msgspec.msgpack.encode(known) if known else None
        )
