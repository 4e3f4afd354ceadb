"""The `Store` protocol: what the gateway needs of a database.

`commit` takes all writes: a list, applied in order in one transaction, with one result for each write. The
contract fixes the boundaries of transactions: a unit is never split, and fan-out happens in the transaction
that writes the events. The SQL is up to the implementation.

Reads return plain values. Row numbers (`seq`, `no`) are opaque outside this room: they may be compared and
passed back, but not computed with. Times are unix milliseconds of the wall clock. What the store measures
ages by is of the steady clock (`unifyport.process.clock`), and so are the bounds of `Purge`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

import attrs

from unifyport.model.account import Account
from unifyport.model.aliases import Alias
from unifyport.model.event import number_of
from unifyport.model.message import CommandState, SendCommand
from unifyport.model.owed import Blocked, LaneKey, Owed, Stretch
from unifyport.model.unit import Unit
from unifyport.model.webhook import WebhookEndpoint
from unifyport.process.clock import Remembered

# -- errors -----------------------------------------------------------------------------------------------


class StoreUnavailable(Exception):
    """Disk full, database locked or I/O error: a state, not a bug.

    `done`: the results of the first writes of the list, which are committed already. `maybe_committed`: the
    others may be, too; a later try says what became of them.
    """

    def __init__(self, reason: str, done: Sequence["Result"] = (), *, maybe_committed: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.done = list(done)
        self.maybe_committed = maybe_committed


class StoreLocked(Exception):
    """Another process owns this database."""


class SchemaTooNew(Exception):
    """The database was written by a newer version of the program."""


# -- results ----------------------------------------------------------------------------------------------


@attrs.frozen
class Committed:
    """Durable. `value` is described at the write."""

    value: Any = None


@attrs.frozen
class Duplicate:
    """Durable, but every provider event of the unit was committed before."""


@attrs.frozen
class Refused:
    """Not written; `reason` is machine-readable. The other writes of the batch are not affected.

    `place`: the index of the refused write in a `Together`.
    """

    reason: str
    place: int = 0


@attrs.frozen
class Fenced:
    """Not written: another process holds the lease now. The actor that sent the write must end."""


Result = Committed | Duplicate | Refused | Fenced

# -- writes beside `Unit` -----------------------------------------------------------------------------------


@attrs.define
class PutAccount:
    """Insert (`account.no == 0`) or replace by version. Value: the account as stored. Refuses `conflict`.

    `declared`: replace only the columns that a declaration holds, of whatever version; with `new_login` also
    those that hold the state of a login.
    """

    account: Account
    declared: bool = False
    new_login: bool = False


@attrs.define
class DeleteAccount:
    """Delete an account and its lease. Its accepted commands become `not_sent`, sending ones `unknown`."""

    account_id: str


@attrs.define
class PutEndpoint:
    """Insert (`endpoint.no == 0`) or replace by version.

    Value: the endpoint as stored. Refuses `conflict`.
    """

    endpoint: WebhookEndpoint


@attrs.define
class DeleteEndpoint:
    """Delete the endpoint and everything owed to it."""

    endpoint_id: str


@attrs.define
class DropOwed:
    """Delete the debts of round 0 of an endpoint. Value: their number."""

    endpoint_id: str


@attrs.define
class AcceptCommand:
    """Record a send before anything else is done about it. Value: the state in which it is recorded.

    `key` is the caller's idempotency key. If a command with this key is recorded already, nothing is written
    and the value is its `CommandRecord`. Refuses `key_reused` if that one had another `body_hash`, and
    `no_such_account` for a new command of an account that is deleted.

    `begin`: the send begins as soon as this is durable, under the lease of that epoch. It is recorded as
    `sending`, with its id as `client_ref`; where the lease is no longer held, as `accepted`.
    """

    account_no: int
    command: SendCommand
    body: bytes
    key: str | None = None
    body_hash: bytes | None = None
    begin: int | None = None


@attrs.define
class RecoverCommands:
    """At boot: accepted commands become `not_sent`, sending ones `unknown`. Value: the two counts."""


ACTIVE = "active"  # of an API key; no other one admits a request


@attrs.define
class ApiKey:
    """`hash` is SHA-256 of the key; the key itself is shown once and never stored."""

    id: str
    name: str
    prefix: str
    hash: bytes
    status: str = ACTIVE
    created_at: int = 0
    last_used_at: int | None = None
    origin: str = "api"
    expires_at: int | None = None  # unix ms; from then on it is refused


@attrs.define
class PutApiKey:
    key: ApiKey


@attrs.define
class ChangeApiKey:
    """Change what is given of a stored key, and leave the rest as it is. Value: the key as stored.

    Refuses `no_such_key`; with `keep_one` also `last_active_key`, if it would deactivate that one.
    """

    key_id: str
    name: str | None = None
    prefix: str | None = None
    hash: bytes | None = None
    status: str | None = None
    keep_one: bool = False
    expires_at: int | None = None


@attrs.define
class UseApiKey:
    """Record that a key was used at `at`; an earlier time than the stored one changes nothing."""

    key_id: str
    at: int


@attrs.define
class DeleteApiKey:
    """`keep_one`: refused as `last_active_key` if no other active key is left."""

    key_id: str
    keep_one: bool = False


@attrs.define
class PutWorkspace:
    """Replace what is given. Value: the workspace as stored."""

    name: str
    status: str | None = None
    metadata: dict[str, str] | None = None


@attrs.define
class Together:
    """All of these writes, or none if one is refused. Value: their values, in order."""

    writes: "list[Declaration]"


Declaration = PutAccount | PutEndpoint | DeleteEndpoint | DropOwed | PutApiKey | DeleteApiKey | PutWorkspace


@attrs.define
class Settled:
    """The outcome of one attempt, and what becomes of the debt.

    `delivered`, `dead` and `expired` end the debt. `retry`: it has `attempts` outcomes now and is due again
    at `due`. `kept`: the debt is unchanged, as the attempt was an extra one. The other fields are history.
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
    """A change of an endpoint's health, with the operational events (`GatewayEventType`) to log for it."""

    failing_since: int | None
    events: list[str]
    disabled: str | None = None  # the reason; None: the status stays
    reason: str | None = None  # of failing


@attrs.define
class Settle:
    """Outcomes of one endpoint, in order, with its health if that changed.

    Value: the new version of the endpoint; None if there was no health to write, or `version` is not current.
    """

    endpoint_no: int
    endpoint_id: str
    epoch: int
    outcomes: list[Settled]
    now: int
    health: EndpointHealth | None = None
    version: int = 0  # of the endpoint when `health` was observed; of another version it is not written


@attrs.define
class DeadLetters:
    """Dead letters of an endpoint: by (seq, round), by event id, or all that died in [start, end)."""

    places: list[tuple[int, int]] | None = None
    event_ids: list[str] | None = None
    start: int = 0
    end: int | None = None


@attrs.define
class LoggedEvents:
    """Events in the log that an endpoint subscribes to: by id, or all committed in [start, end)."""

    event_ids: list[str] | None = None
    start: int = 0
    end: int | None = None


@attrs.define
class Replay:
    """Owe an endpoint again what it was owed before, one page at a time; an event still owed is skipped.

    Value: `Replayed`. All pages of one replay share a `round`; 0 begins a new one.
    """

    endpoint_id: str
    which: DeadLetters | LoggedEvents
    round: int = 0
    after: int = 0  # `Replayed.last` of the page before
    upto: int = 0  # the last position of the log that is part of the replay
    page: int = 1000


@attrs.define
class Replayed:
    """One page of a replay. `more`: there is another page, which begins after `last`."""

    round: int
    owed: int
    already_owed: int
    last: int
    more: bool


@attrs.define
class RetryNow:
    """Order an extra attempt of a debt that waits for its retry. Refuses `not_waiting`."""

    endpoint_no: int
    seq: int
    round: int


@attrs.define
class EraseMessages:
    """Record that messages were deleted, by their keys, and delete originals that show them."""

    account_no: int
    account_id: str
    messages: list[bytes]


@attrs.define
class Purge:
    """Delete one page (at most `page` rows of each table) of rows past their retention. Value: rows deleted.

    The attempts of an event are deleted with it. Events past their own expiry lose their secrets.
    """

    now: int
    events_before: int
    seen_before: int
    dead_before: int
    commands_before: int
    keys_before: int = 0  # idempotency keys of commands with a known outcome; the key may then be used again
    quarantine_before: int = 0
    aliases_before: int = 0  # of conversations with several ids
    page: int = 1000
    messages_before: int = 0  # what became of messages


@attrs.define
class DropQuarantined:
    """Delete items of the quarantine by their numbers. Value: how many there were."""

    numbers: list[int]


@attrs.define
class RememberClock:
    """Store what the next process needs of this one's clock."""

    clock: Remembered


Write = (
    Unit
    | DropQuarantined
    | Settle
    | PutAccount
    | DeleteAccount
    | PutEndpoint
    | DeleteEndpoint
    | AcceptCommand
    | RecoverCommands
    | PutApiKey
    | ChangeApiKey
    | UseApiKey
    | DeleteApiKey
    | PutWorkspace
    | Together
    | DropOwed
    | Replay
    | RetryNow
    | EraseMessages
    | Purge
    | RememberClock
)

# -- what reading returns -----------------------------------------------------------------------------------


@attrs.define
class LoggedEvent:
    """`account_no` is None for the gateway's own events, and of a deleted account."""

    seq: int
    id: str
    type: str
    body: bytes
    account_no: int | None = None

    @property
    def kind(self) -> int:
        return number_of(self.type)


@attrs.define
class AttemptRecord:
    """One attempt. `outcome`: what became of the debt, or `not_counted`."""

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
    """One event for one endpoint in one round, with its attempts, newest first."""

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


@attrs.define
class QuarantineRow:
    """`QuarantineEntry` without its contents. `size`: bytes as stored, a little more than they are."""

    n: int
    account_no: int
    at: int
    reason: str
    size: int


class Store(Protocol):
    """A database. A method can be cancelled while it waits for its turn; a commit that has begun finishes.

    Every asynchronous method can raise `StoreUnavailable`.
    """

    async def commit(self, writes: Sequence[Write]) -> list[Result]:
        """Commit all writes in one transaction; if one fails, each in its own, so that only it is refused.

        Does not pass a checkpoint after the transaction has committed.
        """

    async def claim(self, resources: Sequence[str], owner: str) -> list[int]:
        """Raise the epoch of each lease and return the new ones."""

    @property
    def trouble(self) -> str | None:
        """Why the database cannot be used now, as far as reads and checks have shown it."""

    def wal_bytes(self) -> int:
        """The size of the write-ahead log."""

    async def accounts(self) -> list[Account]: ...
    async def account(self, account_id: str) -> Account | None: ...
    async def account_count(self) -> int: ...
    async def account_of(self, channel: str, provider_account_ref: str) -> str | None:
        """The id of the account with this identity."""

    async def account_deleted(self, account_id: str) -> bool:
        """Whether this account was deleted; known for as long as quarantine is kept."""

    async def changed_endpoints(
        self, known: Mapping[str, tuple[int, int]], among: Collection[str] | None = None
    ) -> tuple[list[WebhookEndpoint], list[str]]:
        """Endpoints whose (version, orders) is not the known one, and ids of known ones that are gone.

        `among`: look at the endpoints with these ids only, to which those of `known` belong.
        """

    async def endpoints(self) -> list[WebhookEndpoint]: ...
    async def endpoint(self, endpoint_id: str) -> WebhookEndpoint | None: ...
    async def api_keys(self) -> list[ApiKey]: ...
    async def api_key(self, hash_: bytes) -> ApiKey | None: ...
    async def keys_version(self) -> int:
        """A number that every transaction that writes or deletes an API key raises; its use does not."""

    async def workspace(self) -> Workspace: ...
    async def command(self, command_id: str) -> CommandRecord | None: ...
    async def command_of_key(self, key: str) -> tuple[CommandRecord, bytes | None] | None:
        """The send that was recorded under an idempotency key, and the hash of its body."""

    async def session(self, account_no: int) -> dict[tuple[str, bytes], bytes]:
        """The session of an account: (name, key) -> value."""

    async def session_record(self, account_no: int, name: str, key: bytes) -> bytes | None:
        """One record of the connection state."""

    async def session_page(
        self, account_no: int, name: str, *, prefix: bytes, after: bytes | None, limit: int
    ) -> list[tuple[bytes, bytes]]:
        """At most `limit` records of a name, by key, above `after`, whose key begins with `prefix`."""

    async def seen(self, account_no: int, keys: Sequence[bytes]) -> set[bytes]:
        """Those of these dedupe keys that are committed already."""

    async def fresh(self, endpoint_no: int, after: int, limit: int) -> list[Owed]:
        """Debts of round 0 that were never tried, with a seq above `after`, in order of seq."""

    async def replays(self, endpoint_no: int, after: int, limit: int) -> list[Owed]:
        """Replayed debts that were never tried, in the order of the replays; `due` is their ordinal."""

    async def blocked(self, endpoint_no: int) -> list[Blocked]:
        """All debts that wait for a retry; with lanes these are the heads of their lanes."""

    async def delivery_error(self, endpoint_no: int) -> str | None:
        """What the debt failed with whose retry is the last one; None: none waits for a retry."""

    async def in_lanes(self, endpoint_no: int, stretches: Sequence[Stretch], limit: int) -> list[list[Owed]]:
        """Owed events of each stretch in order, at most `limit`."""

    async def owed_ones(self, endpoint_no: int, keys: Sequence[LaneKey]) -> list[list[Owed]]:
        """The owed event of each (round, seq); none if it is not owed."""

    async def ordered(self, endpoint_no: int, after: tuple[int, int], limit: int) -> list[Owed]:
        """Debts with an extra attempt ordered, above `after` (seq, round)."""

    async def owed(self, endpoint_no: int, most: int) -> tuple[int, int]:
        """The numbers of owed events and of dead letters of an endpoint, each counted up to `most`."""

    async def deliveries(
        self,
        endpoint_no: int,
        before: tuple[int, int] | None,
        limit: int,
        *,
        status: DeliveryStatus | None = None,
        event_id: str | None = None,
    ) -> list[DeliveryRecord]:
        """Deliveries below `before` (seq, round), newest first, each with its last attempt."""

    async def delivery(self, endpoint_no: int, seq: int, round_: int) -> DeliveryRecord | None:
        """One delivery, with its newest attempts (at most 100)."""

    async def position_at(self, at: int) -> int:
        """The position in the log after which every event was committed at `at` or later."""

    async def events(
        self, after: int, limit: int, *, mask: int, account_no: int | None = None
    ) -> list[LoggedEvent]:
        """Events above position `after`, in commit order, of the kinds whose bit is set in `mask`."""

    async def event(self, event_id: str) -> LoggedEvent | None: ...

    async def newest_in_lane(self, account_no: int, lane: int, kind: int) -> bytes | None:
        """The body of the newest event of a kind in a lane; None if the account's latest have none."""

    async def newest_position(self) -> int:
        """The end of the log; 0 if it never had an event."""

    async def oldest_position(self) -> int:
        """The position before the oldest event in the log."""

    async def purged(self, position: int) -> bool:
        """Whether events after `position` were purged."""

    async def newest_event_id(self) -> str | None: ...
    async def aliases(self, account_no: int, ids: Sequence[str]) -> dict[str, Alias]:
        """The rows of these ids of conversations, at most 1,000; with no ids, any one row."""

    async def original(self, event_id: str) -> bytes | None:
        """What came in, of an event that does not hold it; None if there is none, or no longer."""

    async def erased(self, account_id: str, keys: Sequence[bytes]) -> set[bytes]:
        """Those of these keys whose messages were deleted."""

    async def quarantine(self, limit: int) -> list[QuarantineEntry]: ...
    async def quarantine_entry(self, n: int) -> QuarantineEntry | None: ...
    async def quarantined(
        self, before: int | None, limit: int, account_no: int | None = None
    ) -> list[QuarantineRow]:
        """The newest first, with a number below `before`."""

    async def clock(self) -> Remembered | None:
        """What `RememberClock` stored; None at the first start."""

    async def lane_key(self) -> bytes:
        """The key with which lanes are hashed: random, made with the database."""
