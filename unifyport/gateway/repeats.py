"""Sends under an idempotency key.

A caller that does not know the outcome of a send repeats it under the same key, and gets the outcome of the
first one. A key is the workspace's, for one send: the same key with another body is refused. While the first
send is under way a repeat waits for it and takes no place in the queue. A send that provably did not happen
releases its key. Keys are kept for 24 h after the outcome; where the outcome is not known, for 7 days.
"""

import contextlib
from collections.abc import Callable, Iterator

import attrs
import msgspec
import trio

from unifyport.model.message import Answer, CommandState
from unifyport.storage.contract import AcceptCommand, CommandRecord, Store, StoreUnavailable

from .errors import KEY_IN_USE, KEY_REUSED, OperationFailure, UseCaseError
from .outcomes import failed, not_running
from .platform import DEADLINE_MS
from .writes import NotKnownYet, TimedWriter, WriteRefused

KEY_FIELD = "Idempotency-Key"  # as callers call it
POLL_SECONDS = 0.5  # for a send that another process has under way
_OPEN = (CommandState.ACCEPTED, CommandState.SENDING)


@attrs.frozen
class IdempotencyKey:
    """`body_hash`: SHA-256 of what is sent, as it was understood. `on_repeat` is called once if it is a
    repeat.
    """

    value: str
    body_hash: bytes
    on_repeat: Callable[[], None]


@attrs.frozen
class Repeats:
    """Knows the sends that this process has under way."""

    _store: Store
    _writes: TimedWriter
    _under_way: dict[str, trio.Event] = attrs.field(factory=dict, init=False)  # set at the outcome
    _being_recorded: dict[str, trio.Event] = attrs.field(factory=dict, init=False)  # by key

    async def find(self, key: IdempotencyKey) -> CommandRecord | None:
        """The first send under a key. None: the caller's is the first; others wait until it calls `recorded`.

        Raises `UseCaseError`, `StoreUnavailable`.
        """
        while (event := self._being_recorded.get(key.value)) is not None:
            await event.wait()
        self._being_recorded[key.value] = trio.Event()
        found = None
        try:
            found = await self._store.command_of_key(key.value)
        except BaseException:
            self.recorded(key)
            raise
        if found is None:
            return None
        self.recorded(key)
        known, body_hash = found
        if body_hash != key.body_hash:
            raise _reused()
        return known

    def recorded(self, key: IdempotencyKey) -> None:
        """The first send under a key is on record, or was given up."""
        self._being_recorded.pop(key.value).set()

    async def accept(self, write: AcceptCommand) -> CommandRecord | CommandState:
        """Record a send. Returns its state, or the record of the first send if this one is a repeat.

        Raises `UseCaseError`, `WriteRefused`, `StoreUnavailable`.
        """
        try:
            known: CommandRecord | CommandState = await self._writes.write(write)
        except NotKnownYet:
            raise
        except StoreUnavailable:
            text = "storage is unavailable, try again"
            outcome = CommandState.NOT_SENT.value
            raise UseCaseError(OperationFailure.FAILED, text, retry_after=1, outcome=outcome) from None
        except WriteRefused as refused:
            if refused.reason == "no_such_account":  # it was deleted meanwhile
                raise failed(not_running(), "sent") from None
            if refused.reason != "key_reused":
                raise
            raise _reused() from None
        return known

    @contextlib.contextmanager
    def under_way(self, command_id: str) -> Iterator[None]:
        """While a send is carried out; repeats of it wait for the end of this."""
        done = self._under_way[command_id] = trio.Event()
        try:
            yield
        finally:
            done.set()
            del self._under_way[command_id]

    async def join(self, known: CommandRecord) -> Answer:
        """The outcome of the first send, once there is one.

        Raises `UseCaseError` if that takes longer than `DEADLINE_MS`. Cancelled: only the waiting ends.
        """
        record: CommandRecord | None = known
        with trio.move_on_after(DEADLINE_MS / 1000):
            while record is not None and record.state in _OPEN:
                with trio.move_on_after(POLL_SECONDS):
                    if (done := self._under_way.get(known.id)) is not None:
                        await done.wait()
                    else:
                        await trio.sleep(POLL_SECONDS)
                record = await self._store.command(known.id)
        if record is None or record.state in _OPEN:
            text = "the first send is still under way"
            raise UseCaseError(KEY_IN_USE, text, field=KEY_FIELD, retry_after=1)
        if record.answer is None:  # a process ended before it was known
            return Answer(record.state, code="interrupted")
        answer = msgspec.json.decode(record.answer, type=Answer)
        answer.state = record.state  # a receipt may have told more since
        return answer


def _reused() -> UseCaseError:
    return UseCaseError(KEY_REUSED, "this key was used for another send", field=KEY_FIELD)
