"""Our own calls as the platform reports them back: settled, not told again.

A message is recognised by the number of its call and its chat; it is kept until its echo comes, or for a day.
The key of the message is recorded with its echo, so that a chat's history does not tell it again. Other calls
(a read mark, an unsend) are remembered in memory only: after a restart their echo is told, as if the
account's phone had made it.
"""

from collections.abc import Iterable

import msgspec
import trio

from unifyport.model.inbound import Conversation, Ignored, ProviderEvent, Status, StatusChanged, dedupe_key
from unifyport.model.message import OutboundMessage
from unifyport.model.unit import SessionChange
from unifyport.process.clock import Clock
from unifyport.providers.recent import Recent
from unifyport.providers.records import scan_all

from .chats import chat_of, is_id, message_key_of, time_of
from .items import item_of
from .operations import ECHOES
from .records import COUNTER, SENT, Me, Records, SentCall, number_key
from .structures import SEND_MESSAGE, Message, Operation

KEPT_MS = 86_400_000
MOST_KEPT = 1000  # sends whose echo has not come
_OTHER_CALLS = 512
_FIRST, _LAST = 1, 2**31 - 1


class Echoes:
    """The numbers of calls of one connection."""

    def __init__(self, records: Records, me: Me, clock: Clock) -> None:
        self._records = records
        self._me = me
        self._clock = clock
        self._lock = trio.Lock()
        self._others: Recent[int, bool] = Recent(_OTHER_CALLS)
        self._first: Recent[str, int] = Recent(_OTHER_CALLS)  # by the id of the command
        self._answered: Recent[str, bool] = Recent(MOST_KEPT)  # ids of messages

    async def number(self) -> int:
        """The number of a call that is no message; durable before it is used."""
        async with self._lock:
            number = await self._next()
            await self._records.commit([_counter(number)])
        self._others.put(number, True)
        return number

    async def sending(self, message: OutboundMessage, *, again: bool = False) -> int:
        """The number of a message: its command is recorded as sending. `again`: it was recorded already, and
        the platform has refused it. Raises what `Session.sending` raises.
        """
        async with self._lock:
            number = await self._next()
            first = self._first.get(message.client_ref) or number
            sent = SentCall(message.conversation_id, self._clock.now_ms(), first if again else 0)
            kept = SessionChange(SENT, number_key(number), msgspec.msgpack.encode(sent))
            changes = [_counter(number), kept]
            if again:
                changes += [SessionChange(SENT, number_key(first), None)] if first != number else []
                await self._records.commit(changes)
            else:
                self._first.put(message.client_ref, number)
                await self._records.sending(message, changes, self._me.client_ref(number))
        return number

    def answered(self, message_id: str) -> None:
        """A send of ours has become this message."""
        self._answered.put(message_id, True)

    def in_history(self, message: Message) -> ProviderEvent | None:
        """Nothing to tell, for a message of a chat's history that is known to be a send of ours."""
        if self._answered.get(message.id or "") is None:
            return None
        return Ignored(message_key_of(self._me.mid, message))

    async def settle(self, operation: Operation) -> tuple[list[ProviderEvent], list[SessionChange]] | None:
        """The end of a send, or nothing to tell, for the echo of a call of ours; None for any other."""
        number = operation.req_seq or 0
        if operation.type not in ECHOES or not _FIRST <= number <= _LAST:
            return None
        if operation.type != SEND_MESSAGE:
            if self._others.get(number) is None:
                return None
            return [Ignored(self._key(operation))], []
        stored = await self._records.get(SENT, number_key(number))
        message = operation.message
        if stored is None or message is None:
            return None
        call = msgspec.msgpack.decode(stored, type=SentCall)
        if message.to != call.chat:
            return None
        if not is_id(message.id) or not is_id(message.sender):
            return None
        chat, client_ref = chat_of(message, self._me.mid), self._me.client_ref(call.first or number)
        told = [self._sent(operation, chat, client_ref), Ignored(message_key_of(self._me.mid, message))]
        return told, [SessionChange(SENT, number_key(number), None)]

    async def sweep(self) -> None:
        """Forget sends whose echo will not come; none while the clock is in doubt."""
        if self._clock.in_doubt:
            return
        oldest = self._clock.now_ms() - KEPT_MS
        found = await scan_all(self._records.session, SENT)
        old = [key for key, value in found if msgspec.msgpack.decode(value, type=SentCall).at < oldest]
        too_many = [key for key, _ in found[: max(len(found) - MOST_KEPT, 0)]]
        gone: Iterable[bytes] = dict.fromkeys([*old, *too_many])
        if changes := [SessionChange(SENT, key, None) for key in gone]:
            await self._records.commit(changes)

    # -- inside ---------------------------------------------------------------------------------------------

    def _key(self, operation: Operation) -> bytes:
        return dedupe_key("line-device", self._me.mid, "operation", operation.revision or 0)

    def _sent(self, operation: Operation, chat: Conversation, client_ref: str) -> ProviderEvent:
        message = operation.message
        assert message is not None
        at = time_of(message.created) or time_of(operation.created)
        ids = [message.id or ""]
        event = StatusChanged(self._key(operation), chat, ids, Status.SENT, at, client_ref=client_ref)
        event.provider_data = item_of(operation)
        return event

    async def _next(self) -> int:
        stored = await self._records.get(*COUNTER)
        number = int.from_bytes(stored) + 1 if stored is not None else _FIRST
        return number if number <= _LAST else _FIRST


def _counter(number: int) -> SessionChange:
    return SessionChange(*COUNTER, number_key(number))
