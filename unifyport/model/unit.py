"""The commit unit: everything durable that an account does at one time, committed whole or not at all.

Units of an account travel the road in FIFO order (account actor, its normalizer partition, writer). A unit is
never split over two transactions. The connector supplies `provider_events`; the normalizer turns them into
`items`, which the store writes.
"""

from typing import Any

import attrs

from .aliases import AliasChanges
from .event import Event
from .inbound import ProviderEvent
from .message import CommandState


@attrs.define
class Quarantined:
    """Raw bytes that could not be normalised, kept for a later version that can. Sealed in the store."""

    reason: str
    raw: bytes


@attrs.define
class Original:
    """What came in, of an event that does not hold it. Sealed in the store, kept as long as the event.

    `message`: a key of the message that it shows, by which a deletion of the message finds it.
    """

    event_id: str
    message: bytes
    raw: bytes


@attrs.define
class Edit:
    """That an event shows a message as it is since an edit at `at` (unix ms), the `number`th of that time.

    If a newer edit of the message was committed before, the event is left out.
    """

    event_id: str
    message: bytes
    at: int
    number: int = 0


@attrs.define
class CommandResolution:
    """What a receipt says of a send whose outcome was not known."""

    client_ref: str  # the id that the platform got with the send
    state: CommandState
    answer: bytes


@attrs.define
class Item:
    """A normalised provider event: its dedupe key, its standard events, or why there are none.

    `erases`: the keys of messages that were deleted; originals that show them are deleted, too, and their
    files can no longer be had. `files`: links to the files that it brings, of an incoming message.
    """

    key: bytes
    events: list[Event] = attrs.field(factory=list)
    quarantined: Quarantined | None = None
    settles: CommandResolution | None = None
    originals: list[Original] = attrs.field(factory=list)
    erases: list[bytes] = attrs.field(factory=list)
    files: list[str] = attrs.field(factory=list)
    edit: Edit | None = None
    aliases: AliasChanges | None = None


@attrs.define
class Announcement:
    """A standard event about the account itself; the normalizer gives it its id and body."""

    type: str
    data: dict[str, Any]
    occurred_at: int
    expires_at: int | None = None  # unix ms; the event must not be delivered later


@attrs.define
class SessionChange:
    """One row of the session; `value` None deletes it."""

    name: str
    key: bytes
    value: bytes | None


@attrs.define
class CommandChange:
    """A change of a send's state, see `CommandState`."""

    id: str
    state: CommandState
    at: int
    client_ref: str | None = None
    answer: bytes | None = None


@attrs.define
class Unit:
    """`generation` None: what the supervisor reports. Such a unit is not refused after another one failed."""

    account_no: int
    account_id: str
    provider: str
    epoch: int
    generation: int | None = None
    provider_events: list[ProviderEvent] = attrs.field(factory=list)
    announcements: list[Announcement] = attrs.field(factory=list)
    session: list[SessionChange] = attrs.field(factory=list)
    new_session: bool = False  # delete the stored session first
    account_changes: dict[str, Any] = attrs.field(factory=dict)
    login: int = 0  # of the changes; from an older login, fields in `OF_A_LOGIN` are dropped
    command: CommandChange | None = None
    items: list[Item] = attrs.field(factory=list)

    @property
    def rows(self) -> int:
        """Roughly how many rows it writes. The writer bounds its batches by this."""
        return 1 + len(self.provider_events) + len(self.announcements) + len(self.session)
