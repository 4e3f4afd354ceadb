"""What is remembered of messages: what requests about them need, and the ids of one message.

In busy groups Zalo repeats a message under several ids. The first one is what receivers know; a deletion, a
reaction or a receipt that names another one is told of the first. Of a person's messages there is one id.
"""

from collections import OrderedDict

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
from unifyport.providers.contract.session import MAX_PAGE, Session

from .messages import Reference
from .people import is_group
from .records import FIRST, MESSAGE, SENT

KEPT_DAYS = 14
MOST_KEPT = 20_000
_COPIES = 256
_FIELDS = tuple[str, str, str, str, str, str, int, str]


class Draft:
    """Changes that are not handed over yet, on top of what the session holds."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._changes: dict[tuple[str, bytes], bytes | None] = {}

    async def get(self, name: str, key: bytes) -> bytes | None:
        if (name, key) in self._changes:
            return self._changes[name, key]
        return await self._session.get(name, key)

    def add(self, change: SessionChange) -> None:
        self._changes[change.name, change.key] = change.value

    @property
    def changes(self) -> list[SessionChange]:
        return [SessionChange(name, key, value) for (name, key), value in self._changes.items()]


def place_of(conversation_id: str, message_id: str) -> bytes:
    return f"{conversation_id}\0{message_id}".encode()


def change_of(reference: Reference, message_id: str = "") -> SessionChange:
    """The record of a message. `message_id`: another id of it."""
    place = place_of(reference.conversation_id, message_id or reference.message_id)
    return SessionChange(MESSAGE, place, msgspec.msgpack.encode(attrs.astuple(reference)))


class References:
    """`of` keeps copies of those that were used last: nobody else writes them."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._copies: OrderedDict[bytes, Reference] = OrderedDict()

    async def of(self, conversation_id: str, message_id: str) -> Reference | None:
        """Of a message that is remembered, by any of its ids; `message_id` of it is the first one."""
        return await self._find(Draft(self._session), conversation_id, message_id)

    async def _find(self, draft: Draft, conversation_id: str, message_id: str) -> Reference | None:
        place = place_of(conversation_id, message_id)
        if place in self._copies:
            self._copies.move_to_end(place)
            return self._copies[place]
        stored = await draft.get(MESSAGE, place)
        if stored is None:
            return None
        reference = Reference(*msgspec.msgpack.decode(stored, type=_FIELDS))
        self._keep(place, reference)
        return reference

    async def remember(self, draft: Draft, reference: Reference) -> None:
        """Remember a message that came; its first id is that of an earlier one with the same client id."""
        first = await self._first(draft, reference)
        if first != reference.message_id:
            known = await self._find(draft, reference.conversation_id, first)
            original = known or attrs.evolve(reference, message_id=first)
            draft.add(change_of(original, reference.message_id))
            return
        draft.add(change_of(reference))
        self._keep(place_of(reference.conversation_id, reference.message_id), reference)

    async def _first(self, draft: Draft, reference: Reference) -> str:
        """The id under which the message came first."""
        if not reference.client_id or not is_group(reference.conversation_id):
            return reference.message_id
        key = "\0".join((reference.conversation_id, reference.sender, reference.client_id)).encode()[:256]
        known = await draft.get(FIRST, key)
        if known is not None:
            return known.partition(b"\0")[0].decode()
        draft.add(SessionChange(FIRST, key, f"{reference.message_id}\0{reference.at}".encode()))
        return reference.message_id

    def keep_sent(self, reference: Reference) -> SessionChange:
        """Remember a message that the account has sent; the change is to be committed."""
        self._keep(place_of(reference.conversation_id, reference.message_id), reference)
        return change_of(reference)

    def _keep(self, place: bytes, reference: Reference) -> None:
        self._copies[place] = reference
        self._copies.move_to_end(place)
        if len(self._copies) > _COPIES:
            self._copies.popitem(last=False)

    # -- events ---------------------------------------------------------------------------------------------

    async def translate(self, draft: Draft, event: ProviderEvent) -> None:
        """Put the first ids of messages into an event of a group."""
        conversation = getattr(event, "conversation", None)
        if conversation is None or not is_group(conversation.id):
            return

        async def first(id_: str) -> str:
            known = await self._find(draft, conversation.id, id_)
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


async def sweep(session: Session, now_ms: int) -> None:
    """Forget what is old, and the oldest messages beyond `MOST_KEPT`."""
    oldest = now_ms - KEPT_DAYS * 86_400_000
    for name in (MESSAGE, FIRST, SENT):
        ages = await _ages(session, name)
        ages.sort()
        beyond = max(len(ages) - MOST_KEPT, 0)
        gone = [key for number, (at, key) in enumerate(ages) if number < beyond or at < oldest]
        for start in range(0, len(gone), MAX_PAGE):
            await session.commit([SessionChange(name, key, None) for key in gone[start : start + MAX_PAGE]])


async def _ages(session: Session, name: str) -> list[tuple[int, bytes]]:
    found: list[tuple[int, bytes]] = []
    after: bytes | None = None
    while True:
        page = await session.scan(name, after=after, limit=MAX_PAGE)
        found += [(_time_of(name, value), key) for key, value in page]
        if len(page) < MAX_PAGE:
            return found
        after = page[-1][0]


def _time_of(name: str, value: bytes) -> int:
    if name == MESSAGE:
        return Reference(*msgspec.msgpack.decode(value, type=_FIELDS)).at
    return int(value.rpartition(b"\0")[2] or 0)
