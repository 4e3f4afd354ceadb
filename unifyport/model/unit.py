"""The commit unit: everything durable that an account does at one time, all of it or none.

Units of an account travel one road in FIFO order (account actor, its normalizer partition, writer). A unit
is never split over two transactions. Its `provider_events` are what the connector saw; the normalizer turns
them into `items`, which is what the store reads.
"""

from typing import Any

import attrs

from .event import Event
from .inbound import ProviderEvent
from .message import CommandState


@attrs.define
class Quarantined:
    """Raw bytes that could not be normalised, kept for an upgrade that can. Sealed in the store."""

    reason: str
    raw: bytes


@attrs.define
class CommandResolution:
    """What a receipt says of a send that nobody knew the outcome of."""

    command_id: str
    state: CommandState
    answer: bytes


@attrs.define
class Item:
    """One provider event: its dedupe key and what it became."""

    key: bytes
    events: list[Event] = attrs.field(factory=list)
    quarantined: Quarantined | None = None
    settles: CommandResolution | None = None


@attrs.define
class Announcement:
    """A standard event about the account itself; the normalizer gives it its id and body."""

    type: str
    data: dict[str, Any]
    occurred_at: int
    expires_at: int | None = None  # unix ms: past it nobody may be told


@attrs.define
class SessionChange:
    """One record of connection state: `value` None deletes it."""

    name: str
    key: bytes
    value: bytes | None


@attrs.define
class CommandChange:
    """A step of a send, see `CommandState`."""

    id: str
    state: CommandState
    at: int
    client_ref: str | None = None
    answer: bytes | None = None


@attrs.define
class Unit:
    """`generation` is None for what the supervisor says: such a unit is never refused as stale."""

    account_no: int
    account_id: str
    provider: str
    epoch: int
    generation: int | None = None
    provider_events: list[ProviderEvent] = attrs.field(factory=list)
    announcements: list[Announcement] = attrs.field(factory=list)
    session: list[SessionChange] = attrs.field(factory=list)
    new_session: bool = False  # forget the old one first
    account_changes: dict[str, Any] = attrs.field(factory=dict)
    login: int = 0  # whose `account_changes` these are; of an older one only the operator's word counts
    command: CommandChange | None = None
    items: list[Item] = attrs.field(factory=list)

    @property
    def rows(self) -> int:
        """How many rows it will write, roughly: what a batch of the writer is bounded by."""
        return 1 + len(self.provider_events) + len(self.announcements) + len(self.session)
