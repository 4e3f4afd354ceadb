"""What is remembered of messages: what requests about them need, and the ids of one message.

In busy groups Zalo repeats a message under several ids. The first one is what receivers know; a deletion, a
reaction or a receipt that names another one is told of the first. Of a person's messages there is one id.
"""

import hashlib

import attrs
import msgspec

from unifyport.model.inbound import (
    MessageDeleted,
    MessageReceived,
    PlatformEvent,
    ProviderEvent,
    ReactionChanged,
    StatusChanged,
)
from unifyport.model.unit import SessionChange
from unifyport.providers.contract.session import MAX_KEY
from unifyport.providers.records import Draft, Records, scan_all

from .messages import Reference
from .people import is_group
from .records import FIRST, MESSAGE, SENT

KEPT_DAYS = 14
MOST_KEPT = 20_000
_FIELDS = tuple[str, str, str, str, str, str, int, str]


def place_of(*ids: str) -> bytes:
    """The key of a record. Long ids, which Zalo does not give out, are hashed: no session takes such keys."""
    key = "\0".join(ids).encode()
    return key if len(key) <= MAX_KEY else hashlib.sha256(key).digest()


def change_of(reference: Reference, message_id: str = "") -> tuple[str, bytes, bytes]:
    """The record of a message. `message_id`: another id of it."""
    place = place_of(reference.conversation_id, message_id or reference.message_id)
    return MESSAGE, place, msgspec.msgpack.encode(attrs.astuple(reference))


async def _find(draft: Draft, conversation_id: str, message_id: str) -> Reference | None:
    stored = await draft.get(MESSAGE, place_of(conversation_id, message_id))
    return None if stored is None else Reference(*msgspec.msgpack.decode(stored, type=_FIELDS))


class References:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def of(self, conversation_id: str, message_id: str) -> Reference | None:
        """Of a message that is remembered, by any of its ids; `message_id` of it is the first one."""
        return await _find(Draft(self._records), conversation_id, message_id)

    async def remember(self, draft: Draft, reference: Reference) -> bool:
        """Remember a message that came. False: it was known by another id, as one with the same sender and
        client id came before.
        """
        first = await self._first(draft, reference)
        if first != reference.message_id:
            known = await _find(draft, reference.conversation_id, first)
            original = known or attrs.evolve(reference, message_id=first)
            draft.put(*change_of(original, reference.message_id))
            return False
        draft.put(*change_of(reference))
        return True

    async def _first(self, draft: Draft, reference: Reference) -> str:
        """The id under which the message came first."""
        if not reference.client_id or not is_group(reference.conversation_id):
            return reference.message_id
        key = place_of(reference.conversation_id, reference.sender, reference.client_id)
        known = await draft.get(FIRST, key)
        if known is not None:
            return known.partition(b"\0")[0].decode()
        draft.put(FIRST, key, f"{reference.message_id}\0{reference.at}".encode())
        return reference.message_id

    # -- events ---------------------------------------------------------------------------------------------

    async def translate(self, draft: Draft, event: ProviderEvent) -> None:
        """Put the first ids of messages into an event of a group."""
        conversation = getattr(event, "conversation", None)
        if conversation is None or not is_group(conversation.id):
            return

        async def first(id_: str) -> str:
            known = await _find(draft, conversation.id, id_)
            return known.message_id if known is not None else id_

        match event:
            case MessageDeleted():
                event.message_id = await first(event.message_id)
            case ReactionChanged():
                event.target_message_id = await first(event.target_message_id)
            case StatusChanged():
                event.message_ids = list(dict.fromkeys([await first(id_) for id_ in event.message_ids]))
            case PlatformEvent(details={"target_message_id": str(target)}):
                event.details["target_message_id"] = await first(target)
            case MessageReceived() | PlatformEvent() if event.content is not None:
                if event.content.reply_to_message_id:
                    event.content.reply_to_message_id = await first(event.content.reply_to_message_id)


async def sweep(records: Records, now_ms: int) -> None:
    """Forget what is old, and the oldest messages beyond `MOST_KEPT`."""
    oldest = now_ms - KEPT_DAYS * 86_400_000
    for name in (MESSAGE, FIRST, SENT):
        ages = sorted((_time_of(name, value), key) for key, value in await scan_all(records.session, name))
        beyond = max(len(ages) - MOST_KEPT, 0)
        gone = [key for number, (at, key) in enumerate(ages) if number < beyond or at < oldest]
        if gone:
            async with records.lock:
                await records.commit([SessionChange(name, key, None) for key in gone])


def _time_of(name: str, value: bytes) -> int:
    if name == MESSAGE:
        return Reference(*msgspec.msgpack.decode(value, type=_FIELDS)).at
    return int(value.rpartition(b"\0")[2] or 0)
