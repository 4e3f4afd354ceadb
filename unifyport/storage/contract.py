"""The Store protocol: what the house asks of a database, in values.

All writing goes through `commit`: a list of writes, in order, in one transaction, with one result each. The
boundaries of the transactions are the contract (a unit is never split; fan-out happens in the transaction
that writes the events); the SQL behind them is each store's own business.

Reading returns plain values. Row numbers (`seq`, `no`) are opaque outside this room: compared and passed
back, never computed with.
"""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import attrs

from unifyport.model.account import Account
from unifyport.model.message import CommandState, SendCommand
from unifyport.model.owed import Blocked, Owed
from unifyport.model.unit import Unit
from unifyport.model.webhook import WebhookEndpoint

# -- errors -----------------------------------------------------------------------------------------------


class StoreUnavailable(Exception):
    """Disk full, locked, I/O error: a state, not a bug.

    `done` holds the results of writes already committed.
    """

    def __init__(self, reason: str, done: Sequence["Result"] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.done = list(done)


class StoreLocked(Exception):
    """Another process owns this database."""


class SchemaTooNew(Exception):
    """The database was written by a newer version of the program."""


# -- results ----------------------------------------------------------------------------------------------


@attrs.frozen
class Committed:
    """Durable. `value` is what the write was asked to return."""

    value: Any = None


@attrs.frozen
class Duplicate:
    """Durable, and every provider event in it had been seen before."""


@attrs.frozen
class Refused:
    """Not written; `reason` is machine-readable. The other writes of the batch are not affected.

    `place`: of `Together`, which of its writes it was.
    """

    reason: str
    place: int = 0


@attrs.frozen
class Fenced:
    """Not written: somebody else acts for this resource now. Terminal for the writer of it."""


Result = Committed | Duplicate | Refused | Fenced

# -- writes beside `Unit` -----------------------------------------------------------------------------------


@attrs.define
class PutAccount:
    """Insert (`account.no == 0`) or replace by version. Value: the account as stored. Refuses `conflict`.

    `declared`: replace only what a declaration holds, whatever the account itself has found out meanwhile,
    and with `new_login` what the old login came to.
    """

    account: Account
    declared: bool = False
    new_login: bool = False


@attrs.define
class DeleteAccount:
    account_id: str


@attrs.define
class PutEndpoint:
    """Insert (`endpoint.no == 0`) or replace by version.

    Value: the endpoint as stored. Refuses `conflict`.
    """

    endpoint: WebhookEndpoint


@attrs.define
class DeleteEndpoint:
    """Ends the endpoint and everything owed to it."""

    endpoint_id: str


@attrs.define
class DropOwed:
    """Ends everything that an endpoint is owed for the first time. Value: how many that were."""

    endpoint_id: str


@attrs.define
class AcceptCommand:
    """Record the intention of a send before anything else happens.

    `key` is the caller's, so that a repeat is known: then nothing is recorded and the value is the
    `CommandRecord` of the first one. Refuses `key_reused` when that was for something else (another
    `body_hash`).
    """

    account_no: int
    command: SendCommand
    body: bytes
    key: str | None = None
    body_hash: bytes | None = None


@attrs.define
class RecoverCommands:
    """At boot: what was queued was never sent; what was being sent is unknown. Value: the two counts."""

    now: int


@attrs.define
class ApiKey:
    """`hash` is SHA-256 of the key; the key itself is shown once and never stored."""

    id: str
    name: str
    prefix: str
    hash: bytes
    status: str = "active"
    created_at: int = 0
    last_used_at: int | None = None
    origin: str = "api"


@attrs.define
class PutApiKey:
    key: ApiKey


@attrs.define
class UseApiKey:
    """A key was used; the newest use counts."""

    key_id: str
    at: int


@attrs.define
class DeleteApiKey:
    key_id: str


@attrs.define
class PutWorkspace:
    name: str
    status: str
    metadata: dict[str, str]


@attrs.define
class Together:
    """All of these writes, or none when one is refused. Value: the values of all, in their order."""

    writes: "list[Declaration]"


Declaration = PutAccount | PutEndpoint | DeleteEndpoint | DropOwed | PutApiKey | DeleteApiKey | PutWorkspace


@attrs.define
class Settled:
    """What one attempt came to, and what becomes of the debt.

    `delivered`, `dead` and `expired` end it. `retry`: it counts `attempts` outcomes now and is due again at
    `due`. `kept`: it is as it was, an extra attempt that was ordered has been made. The rest is for people.
    """

    seq: int
    round: int
    becomes: Literal["delivered", "dead", "expired", "retry", "kept"]
    attempts: int
    at: int
    ms: int = 0
    due: int | None = None
    reason: str | None = None
    status: int | None = None
    response: bytes | None = None
    response_size: int = 0


@attrs.define
class EndpointHealth:
    """A change of an endpoint's health, with the operational events (`GatewayEventType`) that tell of it."""

    failing_since: int | None
    events: list[str]
    disabled: str | None = None  # the reason; None leaves the status alone
    reason: str | None = None  # of failing


@attrs.define
class Settle:
    """Outcomes of one endpoint, in order, with its health where that changed.

    Value: the new version, or None.
    """

    endpoint_no: int
    endpoint_id: str
    epoch: int
    outcomes: list[Settled]
    now: int
    health: EndpointHealth | None = None
    version: int = 0  # of the endpoint that `health` was observed of; of another one it says nothing


@attrs.define
class DeadLetters:
    """Dead letters of an endpoint: those named by (seq, round), or of some events,
    or all that died in [start, end).
    """

    places: list[tuple[int, int]] | None = None
    event_ids: list[str] | None = None
    start: int = 0
    end: int | None = None


@attrs.define
class LoggedEvents:
    """Events in the log that an endpoint subscribes to: some, or all committed in [start, end)."""

    event_ids: list[str] | None = None
    start: int = 0
    end: int | None = None


@attrs.define
class Replay:
    """Owe an endpoint once more what it was owed before, a page at a time.

    What it still is owed is left alone.

    Value: `Replayed`. All pages of one replay share a `round`: 0 begins a new one.
    """

    endpoint_id: str
    which: DeadLetters | LoggedEvents
    now: int
    round: int = 0
    after: int = 0  # where the page before ended, as `Replayed.last` said
    upto: int = 0  # of the log: what comes later is no part of it
    page: int = 1000


@attrs.define
class Replayed:
    """`more`: the next page begins after `last`."""

    round: int
    owed: int
    already_owed: int
    last: int
    more: bool


@attrs.define
class RetryNow:
    """Order one extra attempt of something that waits for its retry. Refuses `not_waiting`."""

    endpoint_no: int
    seq: int
    round: int


@attrs.define
class Purge:
    """One page (at most `page` rows a table) of what retention has outlived. Value: rows deleted.

    An event's attempts go with it. Of events past their own expiry the secrets are taken out.
    """

    now: int
    events_before: int
    seen_before: int
    dead_before: int
    commands_before: int
    keys_before: int = 0  # of commands whose outcome is known: the caller may use the key for something else
    quarantine_before: int = 0
    page: int = 1000


Write = (
    Unit
    | Settle
    | PutAccount
    | DeleteAccount
    | PutEndpoint
    | DeleteEndpoint
    | AcceptCommand
    | RecoverCommands
    | PutApiKey
    | UseApiKey
    | DeleteApiKey
    | PutWorkspace
    | Together
    | DropOwed
    | Replay
    | RetryNow
    | Purge
)

# -- what reading returns -----------------------------------------------------------------------------------


@attrs.define
class LoggedEvent:
    seq: int
    id: str
    type: str
    body: bytes


@attrs.define
class AttemptRecord:
    """What one attempt looked like. `outcome`: what became of the debt, or `not_counted`."""

    attempt: int
    outcome: str
    at: int
    ms: int
    status: int | None
    error: str | None
    response: bytes | None
    response_size: int


DeliveryStatus = Literal["pending", "retrying", "delivered", "dead", "expired"]


@attrs.define
class DeliveryRecord:
    """One event for one endpoint (once more for each replay), and its newest attempts first."""

    endpoint_no: int
    seq: int
    round: int
    status: DeliveryStatus
    event_id: str
    type: str
    attempts: int  # recorded outcomes
    due: int | None = None
    reason: str | None = None
    ended_at: int | None = None
    history: list[AttemptRecord] = attrs.field(factory=list)


@attrs.define
class CommandRecord:
    id: str
    account_id: str
    state: CommandState
    answer: bytes | None
    created_at: int
    finished_at: int | None


@attrs.define
class Workspace:
    name: str
    status: str
    metadata: dict[str, str]


@attrs.define
class QuarantineEntry:
    n: int
    account_no: int
    at: int
    reason: str
    raw: bytes


class Store(Protocol):
    """A database.

    Methods may be cancelled while they wait for their turn; a commit that has begun finishes.
    """

    async def commit(self, writes: Sequence[Write]) -> list[Result]:
        """One transaction for all, or, when one of them is bad, one each: only the culprit is refused.

        Does not pass a checkpoint after the transaction has committed. Raises `StoreUnavailable`.
        """

    async def claim(self, resources: Sequence[str], owner: str) -> list[int]:
        """Raise the epoch of each lease and return the new ones."""

    def wal_bytes(self) -> int:
        """The size of the write-ahead log."""

    async def accounts(self) -> list[Account]: ...
    async def account(self, account_id: str) -> Account | None: ...
    async def account_count(self) -> int: ...
    async def account_of(self, channel: str, provider_account_ref: str) -> str | None:
        """The id of the account that is this provider identity."""

    async def account_deleted(self, account_id: str) -> bool:
        """Whether there was such an account, not longer ago than quarantine is kept."""

    async def endpoints(self) -> list[WebhookEndpoint]: ...
    async def endpoint(self, endpoint_id: str) -> WebhookEndpoint | None: ...
    async def api_keys(self) -> list[ApiKey]: ...
    async def api_key(self, hash_: bytes) -> ApiKey | None: ...
    async def workspace(self) -> Workspace: ...
    async def command(self, command_id: str) -> CommandRecord | None: ...

    async def session(self, account_no: int) -> dict[tuple[str, bytes], bytes]:
        """The connection state of an account: (name, key) -> value."""

    async def seen(self, account_no: int, keys: Sequence[bytes]) -> set[bytes]:
        """Which of these provider events are committed already."""

    async def fresh(self, endpoint_no: int, after: int, limit: int) -> list[Owed]:
        """Never tried, in order, above `after`."""

    async def replays(self, endpoint_no: int, after: int, limit: int) -> list[Owed]:
        """Replays that were never tried, in the order in which they were ordered; `due` is their ordinal."""

    async def blocked(self, endpoint_no: int) -> list[Blocked]:
        """All that wait for a retry: the heads of their lanes, where there are lanes."""

    async def in_lane(
        self, endpoint_no: int, round_: int, lane: int, after: int, upto: int, limit: int
    ) -> list[Owed]:
        """Owed events of one lane, `after` < seq <= `upto`, in order."""

    async def owed_one(self, endpoint_no: int, round_: int, seq: int) -> Owed | None:
        """One owed event."""

    async def ordered(self, endpoint_no: int, after: tuple[int, int], limit: int) -> list[Owed]:
        """What an extra attempt was ordered of, above (seq, round)."""

    async def owed(self, endpoint_no: int, most: int) -> tuple[int, int]:
        """How many events an endpoint is owed, and how many are dead letters; counted up to `most`."""

    async def deliveries(
        self,
        endpoint_no: int,
        before: tuple[int, int] | None,
        limit: int,
        *,
        status: DeliveryStatus | None = None,
        event_id: str | None = None,
    ) -> list[DeliveryRecord]:
        """The newest first, below (seq, round), each with its last attempt."""

    async def delivery(self, endpoint_no: int, seq: int, round_: int) -> DeliveryRecord | None:
        """One, with all attempts that are kept."""

    async def position_at(self, at: int) -> int:
        """The position in the log after which everything was committed at `at` or later."""

    async def events(
        self, after: int, limit: int, *, mask: int, account_no: int | None = None
    ) -> list[LoggedEvent]:
        """The log in commit order, above `after`: kinds whose bit is set in `mask`."""

    async def event(self, event_id: str) -> LoggedEvent | None: ...

    async def newest_in_lane(self, account_no: int, lane: int, kind: int) -> bytes | None:
        """The body of the newest event of a kind in a lane, among the account's latest;
        None when there is none.
        """

    async def newest_position(self) -> int:
        """The end of the log; 0 when nothing was ever logged."""

    async def oldest_position(self) -> int:
        """The position before the oldest event that is kept."""

    async def purged(self, position: int) -> bool:
        """Whether retention has taken events that a reader at `position` has not read."""

    async def newest_event_id(self) -> str | None: ...
    async def quarantine(self, limit: int) -> list[QuarantineEntry]: ...
    async def lane_key(self) -> bytes:
        """The random key, made with the database, that lanes are hashed with."""
