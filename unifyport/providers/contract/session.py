"""`Session`: the durable state of one connection, as its connector reads and changes it.

The state is records `(name, key) -> value`, sealed in the store. A `Session` belongs to one incarnation, and
while it is open only it writes the records of its account. Its changes travel the account's road in the order
in which they were handed over, together with the batches of `Link.deliver`.

    what happens                           the connector calls                   afterwards it
    ------------------------------------   -----------------------------------   -------------------------
    something was read, state moved on     link.deliver(Batch(events, changes))  acknowledges it
    a command's message is about to go     session.sending(message, changes)     writes the first byte
    any other frame is about to go         session.commit(changes)               writes the first byte
    the platform may repeat what it sent   session.seen(keys)                    acknowledges, and no more

State that bytes on the wire consume is durable before the first of them. A step that was made durable and
never used (a kill, a refusal) is skipped and never used for other bytes; the protocol must allow skipping.

A connector that computes new state from old holds a lock of its own (for each ratchet, or for the connection)
from the first `get` until `deliver`, `sending` or `commit` has ended; several locks are taken in the order of
their keys. A change is visible to `get`, `scan` and `seen` from the moment it was handed over, so a cancelled
call never makes the next one read older state than the disk will hold.
"""

from collections.abc import Collection, Sequence
from typing import Protocol

from unifyport.model.message import OutboundMessage
from unifyport.model.unit import SessionChange

MAX_NAME = 32  # ASCII characters
MAX_KEY = 256  # bytes
MAX_VALUE = 256 * 1024  # bytes
MAX_CHANGES = 1000  # of one call. More: several calls, and the bytes wait for the last one
MAX_PAGE = 500
MAX_SEEN = 1000  # keys of one `seen`


class Session(Protocol):
    """`ConnectorContext.session`. All methods may be called by several tasks at a time.

    While the store is unavailable every method waits and the connection stays up. No method is a sign of life
    of the platform: only `Link.observed` and `Link.deliver` are.
    """

    async def get(self, name: str, key: bytes = b"") -> bytes | None:
        """The newest value that was handed over or is durable; None where there is none.

        A read costs a hop to a thread; a connector may keep copies of at most 256 records. Cancelled: nothing
        has happened. Raises `SessionLost` once the session is closed.
        """

    async def scan(
        self, name: str, prefix: bytes = b"", *, after: bytes | None = None, limit: int = 100
    ) -> list[tuple[bytes, bytes]]:
        """At most `limit` (up to `MAX_PAGE`) records whose key begins with `prefix`, by key, above `after`.

        One page is a snapshot, several pages are not. Fewer than `limit`: there are no more. Otherwise as
        `get`.
        """

    async def seen(self, keys: Collection[bytes]) -> set[bytes]:
        """Which provider events (`ProviderEvent.key`, at most `MAX_SEEN`) are committed or handed over.

        Acknowledge such an event once it is durable (`commit(())` waits for that), and do not decrypt it: its
        keys are used up. Otherwise as `get`.
        """

    async def commit(self, changes: Sequence[SessionChange]) -> None:
        """Make `changes` durable, all or none, after everything that was handed over before. Empty: wait for
        that.

        For prekeys, device lists, tokens, salts, receipts and every frame of no command. Cancelled: they are
        handed over and will be durable unless the session is lost; what they were for was not written, so
        they are skipped. Raises `SessionLost`, and `ValueError` for what exceeds the limits (then nothing was
        handed over).
        """

    async def keep(self, change: SessionChange) -> None:
        """Make a record durable that all incarnations share, also once this session is closed.

        For what must not be lost whatever becomes of the connection, such as tokens of which each serves once
        (`oauth.py`). Those that write the record agree on their order among themselves. Cancelled: it may be
        durable. Raises `SessionLost` if it will not be: the account has other credentials, or another
        process has it.
        """

    async def sending(
        self,
        message: OutboundMessage,
        changes: Sequence[SessionChange] = (),
        *,
        client_ref: str | None = None,
    ) -> None:
        """Record the command of `message` as `sending` and make `changes` durable, in one unit; then send it.

        Called inside a sending capability, exactly once, after everything that may fail without effect
        (upload, device list, rendering) and immediately before the first byte of the message. Until it has
        returned, what the capability raises, and its cancellation, is `not_sent` whatever `maybe_applied`
        says; a `Rejected` stays a refusal. From then on the class of the error decides, and cancellation is
        `unknown`. `changes` are what the message consumes. `client_ref` (1 to 64 ASCII characters, unique in
        the account) is the idempotency id given to the platform; None: `message.client_ref`. Receipts find
        the command by it.

        Cancelled: `not_sent`, the changes are skipped. Raises `NotBegun` before anything is handed over,
        `SessionLost`, `ValueError`, and `RuntimeError` for a message that is not in progress or is marked
        already (a bug).

        Only connections that declare `marks_sending` call it; for the others the outbox records `sending`
        before it calls the capability.
        """


def check_place(name: str, key: bytes) -> None:
    """Raises `TypeError` for a record that is named otherwise than by text and bytes."""
    if not isinstance(name, str) or not isinstance(key, bytes):
        raise TypeError("a session record is named by a str and bytes")


def check_changes(changes: Sequence[SessionChange]) -> None:
    """Raises `ValueError` for changes that exceed the limits of one call, `TypeError` for other types."""
    if len(changes) > MAX_CHANGES:
        raise ValueError(f"{len(changes)} session changes in one call, at most {MAX_CHANGES}")
    for change in changes:
        check_place(change.name, change.key)
        if not isinstance(change.value, bytes | None):
            raise TypeError(f"the value of a session record is bytes, not {type(change.value).__name__}")
        if not (0 < len(change.name) <= MAX_NAME and change.name.isascii()):
            raise ValueError(f"the name of a session record must have 1 to {MAX_NAME} ASCII characters")
        if len(change.key) > MAX_KEY:
            raise ValueError(f"the key of a session record may have {MAX_KEY} bytes")
        if change.value is not None and len(change.value) > MAX_VALUE:
            raise ValueError(f"the value of a session record may have {MAX_VALUE} bytes")
