"""The `Store` protocol on SQLite: connections, threads, and the meaning of errors.

One connection writes, in one thread at a time; read-only connections read. WAL with synchronous=FULL: a
commit that has returned is on the disk. The threads have their own limiters, so that threads which are stuck
elsewhere (in name look-ups) cannot delay a commit.
"""

import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import sqlite_utils
import trio

from unifyport.model.account import Account
from unifyport.model.aliases import Alias
from unifyport.model.owed import Blocked, LaneKey, Owed, Stretch
from unifyport.model.unit import Unit
from unifyport.model.webhook import WebhookEndpoint
from unifyport.process.clock import Moment, Remembered
from unifyport.process.redaction import forget_secrets

from ..contract import (
    ApiKey,
    CommandRecord,
    Committed,
    DeleteAccount,
    DeleteEndpoint,
    DeliveryRecord,
    DeliveryStatus,
    LoggedEvent,
    QuarantineEntry,
    QuarantineRow,
    Refused,
    Result,
    SchemaTooNew,
    StoreUnavailable,
    Together,
    Workspace,
    Write,
)
from ..sealing import WHAT_TO_DO, KeyRing, SealError
from . import messages, reads
from .aliases import SealedAliases, open_aliases
from .copies import copy_as_it_is, quick_check
from .damage import Damage
from .joint_reads import JointReads
from .marker import Marker
from .newest import Debts, NewestDebts, read_debts
from .resealing import note_sealing_key
from .schema import MIGRATIONS, check_version, migrate
from .trouble import damaged, is_damage, is_unavailable, is_undone
from .writes import Writes, reason_of

T = TypeVar("T")

log = logging.getLogger("unifyport.storage")

_READERS = 4
_QUICK_SECONDS = 2.0  # of `quick_check` at the start; `unifyport doctor --deep` checks everything
_LOG_SECONDS = 60.0
# What reading a damaged row raises: its values are not what was written.
_GARBLED = (ValueError, TypeError, LookupError, msgspec.MsgspecError)
PAGE_CACHE = 16 * 1024**2  # bytes
_WRITE_PRAGMAS = """
pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
pragma busy_timeout = 10000; pragma temp_store = memory;
pragma wal_autocheckpoint = 4000;
"""


class SqliteStore:
    """The `Store` of `contract.py`. `now_ms`: the wall clock, unix ms. `steady_ms`: the clock of ages, which
    no step of the wall clock moves; None: the same one. `page_cache`: bytes of the database that the
    connection which writes may keep in memory. `has_passed`: whether a time of the wall clock is over; None:
    by `now_ms`.
    """

    def __init__(
        self,
        path: Path,
        ring: KeyRing,
        now_ms: Callable[[], int],
        steady_ms: Callable[[], int] | None = None,
        *,
        page_cache: int = PAGE_CACHE,
        has_passed: Callable[[int], bool] | None = None,
    ) -> None:
        self._path = path
        self._ring = ring
        self._now_ms = now_ms
        self._steady_ms = steady_ms if steady_ms is not None else now_ms
        self._page_cache = page_cache
        self._has_passed = has_passed if has_passed is not None else lambda at: at <= now_ms()
        self._aliases: SealedAliases | None = None
        self._writer: sqlite3.Connection | None = None
        self._writer_age = 0  # how often there was damage before it was opened
        self._readers: list[sqlite3.Connection] = []
        self._write_turn = trio.CapacityLimiter(1)
        self._read_turns = trio.CapacityLimiter(_READERS)
        self._look_ups = JointReads(self._read)
        self._newest = NewestDebts()
        self._commits: list[Debts] = []  # of the call of `commit` that is in progress
        self._damage = Damage(path, lambda: self._connect("ro"))
        self._unreadable: str | None = None  # why the last read failed
        self._logged = -_LOG_SECONDS

    # -- opening -------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Create or migrate the database. Raises `SchemaTooNew`, `StoreUnavailable`, `SealError`."""
        marker = Marker(self._path)
        marker.require_database()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"cannot open {self._path}: {error.strerror}") from None
        try:
            connection = self._connect("rwc")
            try:
                self._prepare(connection)
                marker.agree(connection)
                self._check_ring(connection)
                note_sealing_key(connection, self._ring)
                self._aliases = open_aliases(connection, self._ring, self._steady_ms())
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            if is_damage(error):
                raise StoreUnavailable(damaged(self._path, str(error))) from None
            raise StoreUnavailable(f"cannot open {self._path}: {error}") from None
        self._writer = connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Check the file, before anything is written, and bring it to the newest schema; an older one is
        copied before. Raises `sqlite3.Error`, `SchemaTooNew`, `StoreUnavailable`.
        """
        if (found := quick_check(connection, _QUICK_SECONDS)) is not None:
            raise StoreUnavailable(damaged(self._path, found))
        database = sqlite_utils.Database(connection)
        if 0 < (version := check_version(database)) < len(MIGRATIONS):
            copy_as_it_is(self._path, self._path.with_name(f"{self._path.name}.schema-{version}"))
        with contextlib.suppress(OSError):  # the next write tells what is wrong with the disk
            self._path.chmod(0o600)
        self._set_up_writer(connection)
        migrate(database)

    def _set_up_writer(self, connection: sqlite3.Connection) -> None:
        connection.executescript(_WRITE_PRAGMAS)
        connection.execute(f"pragma cache_size = -{self._page_cache // 1024}")

    @property
    def trouble(self) -> str | None:
        """Why the database cannot be used now: its damage, or what the last read failed of."""
        return self._damage.found or self._unreadable

    def close(self) -> None:
        for connection in (*self._readers, self._writer):
            if connection is not None:
                connection.close()
        self._readers, self._writer = [], None

    def _connect(self, mode: str) -> sqlite3.Connection:
        """`mode` of SQLite's URI: `rwc` may create the file, `rw` and `ro` may not."""
        return sqlite3.connect(
            f"{self._path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )

    def _check_ring(self, connection: sqlite3.Connection) -> None:
        """Raises `SealError` if the master key did not seal this database, before the first credential."""
        row = connection.execute("select value from meta where key = 'ring_check'").fetchone()
        if row is None:
            sealed = self._ring.seal("check", ["meta", "ring_check"], b"unifyport")
            connection.execute("insert into meta(key, value) values ('ring_check', ?)", [sealed])
            return
        try:
            self._ring.open("check", ["meta", "ring_check"], row[0])
        except SealError:
            text = f"security.master_key does not open this database, {self._path}: {WHAT_TO_DO}"
            raise SealError(text) from None

    def _rows(self) -> SealedAliases:
        assert self._aliases is not None, "the store is not open"
        return self._aliases

    def _ahead(self) -> int:
        """What a stored time of the steady clock lacks to be shown as a time of the wall clock."""
        return self._now_ms() - self._steady_ms()

    def wal_bytes(self) -> int:
        try:
            return self._path.with_name(self._path.name + "-wal").stat().st_size
        except OSError:
            return 0

    # -- writing -------------------------------------------------------------------------------------------

    async def commit(self, writes: Sequence[Write]) -> list[Result]:
        self._commits = []
        try:
            results = await self._in_writer(lambda: self._commit(writes))
        except BaseException:
            self._newest.forget()
            raise
        self._newest.add(writes, self._commits)
        _forget_secrets(writes, results)
        return results

    async def claim(self, resources: Sequence[str], owner: str) -> list[int]:
        return await self._in_writer(lambda: self._claim(resources, owner))

    async def _in_writer(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._write_turn)

    def _commit(self, writes: Sequence[Write]) -> list[Result]:
        try:
            done, debts = self._transaction(lambda connection: self._write(connection, writes))
            self._commits.append(debts)
            return done
        except StoreUnavailable:
            raise
        except Exception as error:
            if len(writes) == 1:
                return [Refused(reason_of(error))]
        results: list[Result] = []
        failed: set[tuple[int, int]] = set()  # (account, generation) of refused units: no later unit commits
        for write in writes:
            generation = (write.account_no, write.generation or 0) if isinstance(write, Unit) else None
            if generation in failed:
                results.append(Refused("generation_failed"))
                continue
            try:
                results += self._commit([write])
                if generation is not None and generation[1] and isinstance(results[-1], Refused):
                    failed.add(generation)
            except StoreUnavailable as error:
                raise StoreUnavailable(error.reason, results, maybe_committed=error.maybe_committed) from None
        return results

    def _write(self, connection: sqlite3.Connection, writes: Sequence[Write]) -> tuple[list[Result], Debts]:
        now = Moment(self._now_ms(), self._steady_ms())
        group = Writes(connection, self._ring, now, self._rows())
        results = group.run(writes)
        if self._newest.wanted:
            return results, read_debts(connection, group.before, group.newest)
        return results, Debts(group.before, group.newest, None)

    def _claim(self, resources: Sequence[str], owner: str) -> list[int]:
        def raise_epochs(connection: sqlite3.Connection) -> list[int]:
            return [
                connection.execute(
                    "insert into lease(resource, owner, epoch) values(?, ?, 1)"
                    " on conflict(resource) do update set owner = excluded.owner, epoch = epoch + 1"
                    " returning epoch",
                    (resource, owner),
                ).fetchone()[0]
                for resource in resources
            ]

        return self._transaction(raise_epochs)

    def _transaction(self, body: Callable[[sqlite3.Connection], T]) -> T:
        """Run `body` between BEGIN IMMEDIATE and COMMIT; roll back if it fails.

        The connection is closed after an I/O error, because its view of the disk may be wrong then. Raises
        `StoreUnavailable` for such an error, and any other error as it is.
        """
        if (found := self._damage.look_again()) is not None:
            raise StoreUnavailable(found)
        if self._writer_age != self._damage.times:
            self._roll_back(discard=True)
        committing = False
        try:
            if self._writer is None:
                self._writer_age = self._damage.times
                connection = self._connect("rw")
                self._set_up_writer(connection)
                self._writer = connection
            connection = self._writer
            connection.execute("begin immediate")
            result = body(connection)
            committing = True
            connection.execute("commit")
            return result
        except BaseException as error:
            broken = isinstance(error, OSError) or is_unavailable(error)
            self._roll_back(discard=broken)
            if broken:
                in_doubt = committing and not is_undone(error)
                raise StoreUnavailable(self._reason(error), maybe_committed=in_doubt) from None
            raise

    def _roll_back(self, *, discard: bool) -> None:
        connection = self._writer
        if connection is None:
            return
        try:
            if connection.in_transaction:
                connection.execute("rollback")
        except sqlite3.Error:
            discard = True
        if discard:
            self._writer = None
            connection.close()

    # -- reading -------------------------------------------------------------------------------------------

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        return await trio.to_thread.run_sync(self._read_in_thread, query, limiter=self._read_turns)

    def _read_in_thread(self, query: Callable[[sqlite3.Connection], T]) -> T:
        self._damage.look_again()
        age = self._damage.times
        try:
            connection = self._readers.pop() if self._readers else self._connect_reader()
            try:
                result = query(connection)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            if is_unavailable(error):
                raise self._cannot_read(self._reason(error)) from None
            raise
        except _GARBLED as error:
            log.debug("a stored value cannot be read", exc_info=True)
            raise self._cannot_read(f"a stored value cannot be read ({error!r})") from None
        self._unreadable = None
        if age == self._damage.times:
            self._readers.append(connection)
        else:
            connection.close()
        return result

    def _reason(self, error: BaseException) -> str:
        if not is_damage(error):
            return str(error)
        stale, self._readers = self._readers, []  # what they have cached may be wrong
        for connection in stale:
            connection.close()
        return self._damage.note(error)

    def _cannot_read(self, reason: str) -> StoreUnavailable:
        self._unreadable = reason
        if time.monotonic() - self._logged >= _LOG_SECONDS:
            self._logged = time.monotonic()
            log.error("storage cannot be read: %s", reason)
        return StoreUnavailable(reason)

    def _connect_reader(self) -> sqlite3.Connection:
        connection = self._connect("ro")
        connection.execute("pragma busy_timeout = 10000")
        return connection

    async def accounts(self) -> list[Account]:
        return await self._read(lambda db: reads.accounts(db, self._ring))

    async def account(self, account_id: str) -> Account | None:
        return await self._read(lambda db: reads.account(db, self._ring, account_id))

    async def account_count(self) -> int:
        return await self._read(reads.account_count)

    async def account_of(self, channel: str, provider_account_ref: str) -> str | None:
        return await self._read(lambda db: reads.account_of(db, channel, provider_account_ref))

    async def account_deleted(self, account_id: str) -> bool:
        return await self._read(lambda db: reads.account_deleted(db, account_id))

    async def changed_endpoints(
        self, known: Mapping[str, tuple[int, int]], among: Collection[str] | None = None
    ) -> tuple[list[WebhookEndpoint], list[str]]:
        return await self._read(lambda db: reads.changed_endpoints(db, self._ring, known, among))

    async def endpoints(self) -> list[WebhookEndpoint]:
        return await self._read(lambda db: reads.endpoints(db, self._ring))

    async def endpoint(self, endpoint_id: str) -> WebhookEndpoint | None:
        return await self._read(lambda db: reads.endpoint(db, self._ring, endpoint_id))

    async def api_keys(self) -> list[ApiKey]:
        return await self._read(reads.api_keys)

    async def api_key(self, hash_: bytes) -> ApiKey | None:
        return await self._look_ups.do(lambda db: reads.api_key(db, hash_))

    async def keys_version(self) -> int:
        return await self._read(reads.keys_version)

    async def workspace(self) -> Workspace:
        return await self._read(reads.workspace)

    async def command_of_key(self, key: str) -> tuple[CommandRecord, bytes | None] | None:
        return await self._look_ups.do(lambda db: reads.command_of_key(db, key))

    async def command(self, command_id: str) -> CommandRecord | None:
        return await self._look_ups.do(lambda db: reads.command(db, command_id))

    async def session(self, account_no: int) -> dict[tuple[str, bytes], bytes]:
        return await self._read(lambda db: reads.session(db, self._ring, account_no))

    async def session_record(self, account_no: int, name: str, key: bytes) -> bytes | None:
        return await self._read(
            lambda db: reads.session_record(db, self._ring, account_no, name=name, key=key)
        )

    async def session_page(
        self, account_no: int, name: str, *, prefix: bytes, after: bytes | None, limit: int
    ) -> list[tuple[bytes, bytes]]:
        return await self._read(
            lambda db: reads.session_page(
                db, self._ring, account_no, name, prefix=prefix, after=after, limit=limit
            )
        )

    async def seen(self, account_no: int, keys: Sequence[bytes]) -> set[bytes]:
        return await self._read(lambda db: reads.seen(db, account_no, keys))

    async def fresh(self, endpoint_no: int, after: int, limit: int) -> list[Owed]:
        if rows := self._newest.take(endpoint_no, after, limit):
            await trio.lowlevel.checkpoint()
            return rows
        rows = await self._read(lambda db: reads.fresh(db, endpoint_no, after, limit))
        if len(rows) < limit:
            self._newest.wanted = True
        return rows

    async def replays(self, endpoint_no: int, after: int, limit: int) -> list[Owed]:
        return await self._read(lambda db: reads.replays(db, endpoint_no, after, limit))

    async def blocked(self, endpoint_no: int) -> list[Blocked]:
        return await self._read(lambda db: reads.blocked(db, endpoint_no))

    async def delivery_error(self, endpoint_no: int) -> str | None:
        return await self._read(lambda db: reads.delivery_error(db, endpoint_no))

    async def in_lanes(self, endpoint_no: int, stretches: Sequence[Stretch], limit: int) -> list[list[Owed]]:
        return await self._read(
            lambda db: [reads.in_lane(db, endpoint_no, stretch, limit) for stretch in stretches]
        )

    async def owed_ones(self, endpoint_no: int, keys: Sequence[LaneKey]) -> list[list[Owed]]:
        return await self._read(lambda db: [reads.owed_one(db, endpoint_no, key) for key in keys])

    async def ordered(self, endpoint_no: int, after: tuple[int, int], limit: int) -> list[Owed]:
        return await self._read(lambda db: reads.ordered(db, endpoint_no, after, limit))

    async def owed(self, endpoint_no: int, most: int) -> tuple[int, int]:
        return await self._read(lambda db: reads.owed(db, endpoint_no, most))

    async def deliveries(
        self,
        endpoint_no: int,
        before: tuple[int, int] | None,
        limit: int,
        *,
        status: DeliveryStatus | None = None,
        event_id: str | None = None,
    ) -> list[DeliveryRecord]:
        return await self._read(
            lambda db: reads.deliveries(
                db, endpoint_no, before, limit, status=status, event_id=event_id, ahead=self._ahead()
            )
        )

    async def delivery(self, endpoint_no: int, seq: int, round_: int) -> DeliveryRecord | None:
        return await self._read(lambda db: reads.delivery(db, endpoint_no, seq, round_, ahead=self._ahead()))

    async def position_at(self, at: int) -> int:
        return await self._read(lambda db: reads.position_at(db, at - self._ahead()))

    async def events(
        self, after: int, limit: int, *, mask: int, account_no: int | None = None
    ) -> list[LoggedEvent]:
        return await self._read(
            lambda db: reads.events(
                db, after, limit, mask=mask, account_no=account_no, has_passed=self._has_passed
            )
        )

    async def event(self, event_id: str) -> LoggedEvent | None:
        return await self._read(lambda db: reads.event(db, event_id, self._has_passed))

    async def newest_in_lane(self, account_no: int, lane: int, kind: int) -> bytes | None:
        return await self._read(lambda db: reads.newest_in_lane(db, account_no, lane, kind))

    async def newest_position(self) -> int:
        return await self._read(reads.newest_position)

    async def oldest_position(self) -> int:
        return await self._read(reads.oldest_position)

    async def purged(self, position: int) -> bool:
        return await self._read(lambda db: reads.purged(db, position))

    async def newest_event_id(self) -> str | None:
        return await self._read(reads.newest_event_id)

    async def aliases(self, account_no: int, ids: Sequence[str]) -> dict[str, Alias]:
        return await self._look_ups.do(lambda db: self._rows().read(db, account_no, ids))

    async def original(self, event_id: str) -> bytes | None:
        return await self._read(lambda db: reads.original(db, self._ring, event_id))

    async def erased(self, account_id: str, keys: Sequence[bytes]) -> set[bytes]:
        return await self._read(lambda db: messages.erased(db, account_id, keys))

    async def quarantine(self, limit: int) -> list[QuarantineEntry]:
        return await self._read(lambda db: reads.quarantine(db, self._ring, limit, self._ahead()))

    async def clock(self) -> Remembered | None:
        return await self._read(reads.clock)

    async def quarantine_entry(self, n: int) -> QuarantineEntry | None:
        return await self._read(lambda db: reads.quarantine_entry(db, self._ring, n, self._ahead()))

    async def quarantined(
        self, before: int | None, limit: int, account_no: int | None = None
    ) -> list[QuarantineRow]:
        return await self._read(lambda db: reads.quarantined(db, before, limit, account_no, self._ahead()))

    async def lane_key(self) -> bytes:
        return await self._read(reads.lane_key)


def _forget_secrets(writes: Sequence[object], results: Sequence[Result]) -> None:
    """Of accounts and endpoints that are deleted."""
    for write, result in zip(writes, results, strict=False):
        if not isinstance(result, Committed):
            continue
        for each in write.writes if isinstance(write, Together) else [write]:
            if isinstance(each, DeleteAccount):
                forget_secrets(each.account_id)
            elif isinstance(each, DeleteEndpoint):
                forget_secrets(each.endpoint_id)


__all__ = ["SchemaTooNew", "SqliteStore", "is_unavailable"]
