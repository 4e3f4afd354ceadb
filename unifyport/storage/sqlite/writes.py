"""What each write does to the tables, inside a transaction that the store began.

After a COMMIT with an unknown result the same writes run again, and must then change nothing: inserts name
the conflict that they tolerate, and state changes accept the state that they would set.
"""

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import msgspec

from unifyport.model.account import OF_A_LOGIN
from unifyport.model.event import without_secrets
from unifyport.model.message import CommandState
from unifyport.model.unit import CommandChange, CommandResolution, Item, Unit
from unifyport.model.webhook import WebhookEndpoint
from unifyport.process.clock import Moment

from ..contract import (
    ACTIVE,
    AcceptCommand,
    ChangeApiKey,
    Committed,
    DeleteAccount,
    DeleteApiKey,
    DeleteEndpoint,
    DropOwed,
    DropQuarantined,
    Duplicate,
    EraseMessages,
    Fenced,
    Purge,
    PutAccount,
    PutApiKey,
    PutEndpoint,
    PutWorkspace,
    RecoverCommands,
    Refused,
    RememberClock,
    Replay,
    Result,
    RetryNow,
    Settle,
    Together,
    UseApiKey,
    Write,
)
from ..sealing import KeyRing
from . import deliveries, messages, reads
from .aliases import SealedAliases
from .reads import to_account, to_endpoint

_DAY_MS = 86_400_000

_ACCOUNT_COLUMNS = (
    "id, name, provider, channel, region, auth_mode, status, desired, auth_status, last_error, terminal,"
    " not_before, provider_account_ref, profile, metadata, capabilities, credentials, proxy, login,"
    " auth_payload, auth_sequence, auth_expires_at, receive, take_over, media_fetch, origin, digest,"
    " created_at, updated_at"
)
_ENDPOINT_COLUMNS = (
    "id, name, url, status, reason, mask, subscribed, secret, previous_secret, previous_until,"
    " retry, delivery, failing_since, origin, digest"
)
_DECLARED = (
    *("region", "auth_mode", "status", "metadata", "credentials", "proxy", "receive", "take_over"),
    *("media_fetch", "digest", "updated_at"),
)
# The columns of its account that a unit may change, and how each value is stored.
_CHANGEABLE: dict[str, Callable[[Any], Any]] = {
    "auth_status": str,
    "last_error": lambda value: value,
    "terminal": lambda value: value,
    "not_before": lambda value: value,
    "provider_account_ref": lambda value: value,
    "profile": json.dumps,
    "desired": str,
    "auth_sequence": int,
    "auth_expires_at": lambda value: value,
}
_SEALED = "auth_payload"  # one more such column; its value is stored sealed


class Writes:
    """The writes of one transaction, and the fan-out of their events."""

    def __init__(
        self, connection: sqlite3.Connection, ring: KeyRing, now: Moment, aliases: SealedAliases
    ) -> None:
        self._db = connection
        self._ring = ring
        self._aliases = aliases
        self._now = now
        self._day = now.steady // _DAY_MS
        self.before = self.newest = 0  # positions of the log around what `run` wrote

    def run(self, writes: Sequence[Write]) -> list[Result]:
        before = self.before = self._read_newest()
        results: list[Result] = []
        for write in writes:
            if isinstance(write, PutEndpoint | Together | Replay):  # a subscription covers later events only
                before = self._fan_out(before)
            results.append(_APPLY[type(write)](self, write))
            if isinstance(write, Replay):  # no fan-out of the events that it puts back into the log
                before = self._read_newest()
        self.newest = self._fan_out(before)
        return results

    def _fan_out(self, before: int) -> int:
        """Owe every event above `before` to each endpoint that subscribes to its kind."""
        if (newest := self._read_newest()) == before:
            return before
        self._db.execute(
            "insert into delivery(endpoint_no, seq, lane)"
            " select p.no, e.seq, e.lane from event e"
            " join endpoint p on (p.mask >> e.kind) & 1 where e.seq > ?",
            (before,),
        )
        return newest

    def _read_newest(self) -> int:
        """The newest position that the log ever had."""
        row = self._db.execute("select seq from sqlite_sequence where name = 'event'").fetchone()
        return 0 if row is None else int(row[0])

    def _holds_lease(self, resource: str, epoch: int) -> bool:
        row = self._db.execute("select 1 from lease where resource = ? and epoch = ?", (resource, epoch))
        return row.fetchone() is not None

    # -- units ----------------------------------------------------------------------------------------------

    def write_unit(self, unit: Unit) -> Result:
        if not self._holds_lease(f"account:{unit.account_id}", unit.epoch):
            return Fenced()
        if unit.command is not None and not self._move_command(unit, unit.command):
            return Refused("command_state")
        if (unit.session or unit.new_session) and self._read_login(unit) != unit.login:
            return Refused("login_changed")
        fresh, now = 0, self._now.steady
        for item in unit.items:
            seen = self._db.execute(
                "insert into seen(account_no, key, day) values(?, ?, ?)"
                " on conflict(account_no, key) do nothing",
                (unit.account_no, item.key, self._day),
            )
            if seen.rowcount == 0:
                continue
            fresh += 1
            left_out = self._outdated(unit.account_no, item)
            self._db.executemany(
                "insert into event(id, account_no, kind, lane, occurred_at, committed_at, expires_at, body)"
                " values(?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (e.id, unit.account_no, e.kind, e.lane, e.occurred_at, now, e.expires_at, e.body)
                    for e in item.events
                    if e.id != left_out
                ],
            )
            if item.quarantined is not None:
                self._db.execute(
                    "insert into quarantine(account_no, key, at, reason, payload) values(?, ?, ?, ?, ?)",
                    (
                        unit.account_no,
                        item.key,
                        now,
                        item.quarantined.reason,
                        self._ring.seal("quarantine", ["quarantine", item.key], item.quarantined.raw),
                    ),
                )
            self._write_originals(unit.account_no, item, left_out)
            if item.aliases is not None:
                self._aliases.write(self._db, unit.account_no, item.aliases)
            if item.settles is not None:
                self._settle_command(unit.account_no, item.settles)
        self._write_session(unit)
        self._write_account_changes(unit)
        return Duplicate() if unit.items and not fresh else Committed()

    def _outdated(self, account_no: int, item: Item) -> str | None:
        """The id of the event that shows an older edit than one that is known."""
        edit = item.edit
        if edit is None or messages.note_edit(self._db, account_no, edit, self._day):
            return None
        return edit.event_id

    def _write_originals(self, account_no: int, item: Item, left_out: str | None) -> None:
        """What came in, except of messages that were deleted before."""
        messages.erase(self._db, account_no, item.erases, self._day)
        self._db.executemany(
            "insert into original(event_id, account_no, message, sealed) values(?, ?, ?, ?)",
            [
                (
                    o.event_id,
                    account_no,
                    o.message,
                    self._ring.seal("original", ["original", o.event_id], o.raw),
                )
                for o in item.originals
                if o.event_id != left_out and not messages.is_erased(self._db, account_no, o.message)
            ],
        )

    def _settle_command(self, account_no: int, settled: CommandResolution) -> None:
        """Set the outcome that a receipt gives; it may come before the answer to its send, or without one."""
        self._db.execute(
            "update command set state = ?, answer = ?, finished_at = coalesce(finished_at, ?)"
            " where account_no = ? and client_ref = ? and state in ('sending', 'unknown')",
            (settled.state.value, settled.answer.decode(), self._now.steady, account_no, settled.client_ref),
        )

    def _write_session(self, unit: Unit) -> None:
        if unit.new_session:
            self._db.execute("delete from session where account_no = ?", (unit.account_no,))
        for change in unit.session:
            place = (unit.account_no, change.name, change.key)
            if change.value is None:
                self._db.execute("delete from session where account_no = ? and name = ? and key = ?", place)
                continue
            sealed = self._ring.seal(
                "session", ["session", change.name, change.key], change.value, context=str(unit.account_no)
            )
            self._db.execute(
                "insert into session(account_no, name, key, sealed) values(?, ?, ?, ?)"
                " on conflict(account_no, name, key) do update set sealed = excluded.sealed",
                (*place, sealed),
            )

    def _write_account_changes(self, unit: Unit) -> None:
        names = list(unit.account_changes)
        if names and self._read_login(unit) not in (None, unit.login):
            names = [name for name in names if name not in OF_A_LOGIN]
        if names:
            values = [
                self._encode_change(unit.account_id, name, unit.account_changes[name]) for name in names
            ]
            self._db.execute(
                f"update account set {', '.join(f'{name} = ?' for name in names)},"
                " version = version + 1 where no = ?",
                (*values, unit.account_no),
            )

    def _read_login(self, unit: Unit) -> int | None:
        row = self._db.execute("select login from account where no = ?", (unit.account_no,)).fetchone()
        return None if row is None else int(row[0])

    def _encode_change(self, account_id: str, name: str, value: Any) -> Any:
        if name == _SEALED:
            return self._seal_payload(account_id, value)
        return None if value is None else _CHANGEABLE[name](value)

    def _seal_payload(self, account_id: str, payload: dict[str, Any]) -> bytes | None:
        if not payload:
            return None
        place = ["account", account_id, _SEALED]
        return self._ring.seal("credential", place, msgspec.json.encode(payload))

    def _move_command(self, unit: Unit, change: CommandChange) -> bool:
        """Move a command to its next state. False if it is not in a state from which this step can start."""
        if change.state is CommandState.SENDING:
            moved = self._db.execute(
                "update command set state = 'sending', client_ref = :ref, epoch = :epoch where id = :id and"
                " (state = 'accepted' and deadline > :at or state = 'sending' and epoch = :epoch)",
                {"ref": change.client_ref, "epoch": unit.epoch, "id": change.id, "at": change.at},
            )
        else:
            moved = self._db.execute(
                "update command set state = :state, answer = :answer, finished_at = :at,"
                " key = case when :state = 'not_sent' then null else key end where id = :id and"
                " (state = 'sending' and epoch = :epoch"
                "  or state = 'accepted' and :state in ('not_sent', 'rejected')"
                "  or state = :state and finished_at = :at)",
                {
                    "state": change.state.value,
                    "answer": None if change.answer is None else change.answer.decode(),
                    "at": change.at,
                    "id": change.id,
                    "epoch": unit.epoch,
                },
            )
        return moved.rowcount == 1

    # -- commands --------------------------------------------------------------------------------------------

    def accept_command(self, write: AcceptCommand) -> Result:
        command = write.command
        if write.key is not None:
            known = self._db.execute(
                "select id, body_hash from command where key = ? and id != ?", (write.key, command.id)
            ).fetchone()
            if known is not None:
                if known[1] != write.body_hash:
                    return Refused("key_reused")
                return Committed(reads.command(self._db, known[0]))
        state, ref, epoch = CommandState.ACCEPTED, None, None
        if write.begin is not None and self._holds_lease(f"account:{command.account_id}", write.begin):
            state, ref, epoch = CommandState.SENDING, command.id, write.begin
        inserted = self._db.execute(
            "insert into command(id, account_no, account_id, kind, key, body_hash, body, state, client_ref,"
            " epoch, deadline, created_at) select ?, no, ?, 'send', ?, ?, ?, ?, ?, ?, ?, ?"
            " from account where no = ? on conflict(id) do nothing",
            (
                command.id,
                command.account_id,
                write.key,
                write.body_hash,
                self._ring.seal("command", ["command", command.id], write.body),
                state.value,
                ref,
                epoch,
                command.deadline,
                command.created_at,
                write.account_no,
            ),
        )
        if not inserted.rowcount:
            row = self._db.execute("select state from command where id = ?", (command.id,)).fetchone()
            if row is None:
                return Refused("no_such_account")
            state = CommandState(row[0])  # inserted by a COMMIT with an unknown result
        return Committed(state)

    def recover_commands(self, write: RecoverCommands) -> Result:
        return Committed(self._end_commands(""))

    def _end_commands(self, which: str, values: Sequence[Any] = ()) -> tuple[int, int]:
        """End open commands of which nothing more will be recorded. `which`: SQL; `values`: of its places.

        Returns how many are `not_sent`, and how many `unknown`.
        """
        now = self._now.steady
        unsent = self._db.execute(
            f"update command set state = 'not_sent', key = null, finished_at = ?"
            f" where {which} state = 'accepted'",
            (now, *values),
        )
        unknown = self._db.execute(
            f"update command set state = 'unknown', finished_at = ? where {which} state = 'sending'",
            (now, *values),
        )
        return unsent.rowcount, unknown.rowcount

    # -- deliveries ------------------------------------------------------------------------------------------

    def settle(self, write: Settle) -> Result:
        if not self._holds_lease(f"endpoint:{write.endpoint_id}", write.epoch):
            return Fenced()
        return deliveries.settle(self._db, self._now, write)

    # -- objects of the API and of the file ------------------------------------------------------------------

    def put_account(self, write: PutAccount) -> Result:
        a = write.account
        values = (
            *(a.id, a.name, a.provider, a.channel, a.region, a.auth_mode, a.status, a.desired),
            *(a.auth_status.value, a.last_error, a.terminal, a.not_before, a.provider_account_ref),
            *(json.dumps(a.profile), json.dumps(a.metadata)),
            None if a.capabilities is None else json.dumps(a.capabilities),
            self._ring.seal(
                "credential", ["account", a.id, "credentials"], msgspec.json.encode(a.credentials)
            ),
            None
            if a.proxy is None
            else self._ring.seal("credential", ["account", a.id, "proxy"], msgspec.json.encode(a.proxy)),
            *(a.login, self._seal_payload(a.id, a.auth_payload), a.auth_sequence, a.auth_expires_at),
            *(a.receive, int(a.take_over), a.media_fetch, a.origin.value, a.digest),
            *(a.created_at, a.updated_at),
        )
        if write.declared and a.no:
            row = self._declare(
                a.no, dict(zip(_split_names(_ACCOUNT_COLUMNS), values, strict=True)), write.new_login
            )
        else:
            row = self._put("account", _ACCOUNT_COLUMNS, values, no=a.no, version=a.version)
        return Refused("conflict") if row is None else Committed(to_account(row, self._ring))

    def _declare(self, no: int, values: dict[str, Any], new_login: bool) -> sqlite3.Row | None:
        """Replace the declared columns of an account, of whatever version. Returns the new row, or None."""
        columns = (*_DECLARED, *OF_A_LOGIN, "login") if new_login else _DECLARED
        cursor = self._db.cursor()
        cursor.row_factory = sqlite3.Row
        cursor.execute(
            f"update account set {', '.join(f'{name} = ?' for name in columns)}, version = version + 1"
            " where no = ? returning *",
            (*(values[name] for name in columns), no),
        )
        return _fetch_one(cursor)

    def put_endpoint(self, write: PutEndpoint) -> Result:
        e: WebhookEndpoint = write.endpoint
        values = (
            *(e.id, e.name, e.url, e.status, e.reason, e.mask, json.dumps(e.subscribed_events)),
            *(
                self._seal_secret(e.id, "secret", e.secret),
                self._seal_secret(e.id, "previous_secret", e.previous_secret),
            ),
            *(e.previous_until, json.dumps(e.retry_policy), json.dumps(e.delivery)),
            *(e.failing_since, e.origin.value, e.digest),
        )
        row = self._put("endpoint", _ENDPOINT_COLUMNS, values, no=e.no, version=e.version)
        return Refused("conflict") if row is None else Committed(to_endpoint(row, self._ring))

    def _seal_secret(self, endpoint_id: str, column: str, secret: str) -> bytes | None:
        if not secret:
            return None
        return self._ring.seal("credential", ["endpoint", endpoint_id, column], secret.encode())

    def _put(
        self, table: str, columns: str, values: Sequence[Any], *, no: int, version: int
    ) -> sqlite3.Row | None:
        """Insert if `no` is 0, else replace the row of this number and version. Returns the row, or None."""
        names = _split_names(columns)
        cursor = self._db.cursor()
        cursor.row_factory = sqlite3.Row
        if no == 0:
            cursor.execute(
                f"insert into {table}({columns}, version) values({'?, ' * len(names)} 1)"
                " on conflict(id) do nothing",
                values,
            )
            cursor.execute(f"select * from {table} where id = ?", (values[0],))
            return _fetch_one(cursor)
        assignments = ", ".join(f"{name} = ?" for name in names)
        cursor.execute(
            f"update {table} set {assignments}, version = version + 1"
            " where no = ? and version = ? returning *",
            (*values, no, version),
        )
        return _fetch_one(cursor)

    def delete_account(self, write: DeleteAccount) -> Result:
        row = self._db.execute(
            "delete from account where id = ? returning no", (write.account_id,)
        ).fetchone()
        if row is not None:
            self._end_commands("account_no = ? and", row)
            self._db.execute(
                "insert into deleted_account(id, at) values(?, ?) on conflict(id) do nothing",
                (write.account_id, self._now.steady),
            )
        self._db.execute("delete from lease where resource = ?", (f"account:{write.account_id}",))
        return Committed()

    def delete_endpoint(self, write: DeleteEndpoint) -> Result:
        """Delete the endpoint; `purge` deletes its deliveries, dead letters and attempts page by page."""
        row = self._db.execute(
            "delete from endpoint where id = ? returning no", (write.endpoint_id,)
        ).fetchone()
        if row is not None:
            self._db.execute("insert into deleted_endpoint(no) values(?)", row)
        self._db.execute("delete from lease where resource = ?", (f"endpoint:{write.endpoint_id}",))
        return Committed()

    def put_api_key(self, write: PutApiKey) -> Result:
        key = attrs.asdict(write.key)
        names = ", ".join(key)
        self._db.execute(
            f"insert into api_key({names}) values({', '.join(f':{name}' for name in key)})"
            " on conflict(id) do update set name = excluded.name, prefix = excluded.prefix,"
            " hash = excluded.hash, status = excluded.status, expires_at = excluded.expires_at",
            key,
        )
        self._raise_keys_version()
        return Committed()

    def change_api_key(self, write: ChangeApiKey) -> Result:
        row = self._db.execute("select status from api_key where id = ?", (write.key_id,)).fetchone()
        if row is None:
            return Refused("no_such_key")
        goes = row[0] == ACTIVE and write.status not in (None, ACTIVE)
        if write.keep_one and goes and not self._other_active_key(write.key_id):
            return Refused("last_active_key")
        self._db.execute(
            "update api_key set name = coalesce(?, name), prefix = coalesce(?, prefix),"
            " hash = coalesce(?, hash), status = coalesce(?, status), expires_at = coalesce(?, expires_at)"
            " where id = ?",
            (write.name, write.prefix, write.hash, write.status, write.expires_at, write.key_id),
        )
        self._raise_keys_version()
        return Committed(reads.api_key_by_id(self._db, write.key_id))

    def use_api_key(self, write: UseApiKey) -> Result:
        self._db.execute(
            "update api_key set last_used_at = max(coalesce(last_used_at, 0), ?) where id = ?",
            (write.at, write.key_id),
        )
        return Committed()

    def _other_active_key(self, key_id: str) -> bool:
        others = "select 1 from api_key where id != ? and status = ? and coalesce(expires_at, ?) >= ?"
        values = (key_id, ACTIVE, self._now.wall, self._now.wall)
        return self._db.execute(others, values).fetchone() is not None

    def delete_api_key(self, write: DeleteApiKey) -> Result:
        if write.keep_one and not self._other_active_key(write.key_id):
            return Refused("last_active_key")
        self._db.execute("delete from api_key where id = ?", (write.key_id,))
        self._raise_keys_version()
        return Committed()

    def drop_quarantined(self, write: DropQuarantined) -> Result:
        numbers = [(number,) for number in write.numbers]
        return Committed(self._db.executemany("delete from quarantine where n = ?", numbers).rowcount)

    def _raise_keys_version(self) -> None:
        """A process that holds keys in memory compares this version with the one that it knows."""
        version = reads.keys_version(self._db) + 1
        self._db.execute(
            "insert into meta(key, value) values('keys_version', ?)"
            " on conflict(key) do update set value = excluded.value",
            (version.to_bytes(8, "big"),),
        )

    def put_workspace(self, write: PutWorkspace) -> Result:
        self._db.execute(
            "update workspace set name = ?, status = coalesce(?, status), metadata = coalesce(?, metadata)",
            (write.name, write.status, None if write.metadata is None else json.dumps(write.metadata)),
        )
        return Committed(reads.workspace(self._db))

    def erase_messages(self, write: EraseMessages) -> Result:
        messages.erase(self._db, write.account_no, write.messages, self._day)
        return Committed()

    def write_together(self, write: Together) -> Result:
        values = []
        self._db.execute("savepoint together")
        for place, part in enumerate(write.writes):
            try:
                result = _APPLY[type(part)](self, part)
            except sqlite3.IntegrityError as error:
                result = Refused(reason_of(error))
            if not isinstance(result, Committed):
                self._db.execute("rollback to together")
                self._db.execute("release together")
                return attrs.evolve(result, place=place) if isinstance(result, Refused) else result
            values.append(result.value)
        self._db.execute("release together")
        return Committed(values)

    def remember_clock(self, write: RememberClock) -> Result:
        self._db.execute(
            "insert into meta(key, value) values('clock', ?)"
            " on conflict(key) do update set value = excluded.value",
            (msgspec.json.encode(write.clock),),
        )
        return Committed()

    # -- retention -------------------------------------------------------------------------------------------

    def purge(self, write: Purge) -> Result:
        """Delete a page of old rows. Every statement reads one page of the oldest rows, or an index."""
        row = self._db.execute(
            "select max(seq) from (select seq, committed_at from event order by seq limit ?)"
            " where committed_at < ?",
            (write.page, write.events_before),
        ).fetchone()
        deleted = self._purge_events(row[0]) if row[0] is not None else 0
        deleted += self._purge_secrets(write)
        deleted += deliveries.purge_deleted(self._db, write.page)
        self._db.execute(
            "update command set key = null where id in (select id from command where finished_at < ?"
            " and key is not null and state != 'unknown' limit ?)",
            (write.keys_before, write.page),
        )
        for sql, before in (
            (
                "seen where (account_no, key) in (select account_no, key from seen where day < ? limit ?)",
                write.seen_before // _DAY_MS,
            ),
            (
                "message where (account_no, key) in"
                " (select account_no, key from message where day < ? limit ?)",
                write.messages_before // _DAY_MS,
            ),
            (
                "dead where (endpoint_no, seq, round) in"
                " (select endpoint_no, seq, round from dead where died_at < ? limit ?)",
                write.dead_before,
            ),
            (
                "command where id in (select id from command where finished_at < ? limit ?)",
                write.commands_before,
            ),
            (
                "quarantine where at < ? and n in (select n from quarantine order by n limit ?)",
                write.quarantine_before,
            ),
            (
                "alias where (account_no, id) in"
                " (select account_no, id from alias where used_at < ? limit ?)",
                write.aliases_before,
            ),
            (
                "deleted_account where id in (select id from deleted_account where at < ? limit ?)",
                write.quarantine_before,
            ),
        ):
            deleted += self._db.execute(f"delete from {sql}", (before, write.page)).rowcount
        return Committed(deleted)

    def _purge_events(self, upto: int) -> int:
        """Delete the log up to a position. Debts of these events end as expired, and are counted."""
        deliveries.expire_debts(self._db, self._now, upto)
        self._db.execute(
            "delete from original where event_id in (select id from event where seq <= ?)", (upto,)
        )
        return self._db.execute("delete from event where seq <= ?", (upto,)).rowcount

    def _purge_secrets(self, write: Purge) -> int:
        """Remove the secrets of events that are past their own expiry, and end the debts of these events."""
        rows = self._db.execute(
            "select seq, body from event where expires_at <= ? limit ?", (write.now, write.page)
        ).fetchall()
        for seq, body in rows:
            deliveries.expire_debt(self._db, self._now, seq)
            self._db.execute(
                "update event set body = ?, expires_at = null where seq = ?", (without_secrets(body), seq)
            )
        return len(rows)


def _split_names(columns: str) -> list[str]:
    return [name.strip() for name in columns.split(",")]


def reason_of(error: Exception) -> str:
    """A machine-readable reason for a refused write, without any value."""
    if isinstance(error, sqlite3.IntegrityError):
        text = str(error)
        if "account.provider_account_ref" in text:
            return "duplicate_provider_account"
        if "account.name" in text or "endpoint.name" in text:
            return "name_in_use"
        return "constraint"
    return type(error).__name__


def _fetch_one(cursor: sqlite3.Cursor) -> sqlite3.Row | None:
    row: sqlite3.Row | None = cursor.fetchone()
    return row


_APPLY: dict[type, Callable[[Writes, Any], Result]] = {
    Unit: Writes.write_unit,
    DropQuarantined: Writes.drop_quarantined,
    Settle: Writes.settle,
    PutAccount: Writes.put_account,
    DeleteAccount: Writes.delete_account,
    PutEndpoint: Writes.put_endpoint,
    DeleteEndpoint: Writes.delete_endpoint,
    AcceptCommand: Writes.accept_command,
    RecoverCommands: Writes.recover_commands,
    PutApiKey: Writes.put_api_key,
    ChangeApiKey: Writes.change_api_key,
    UseApiKey: Writes.use_api_key,
    DeleteApiKey: Writes.delete_api_key,
    PutWorkspace: Writes.put_workspace,
    Together: Writes.write_together,
    DropOwed: lambda writes, write: deliveries.drop_owed(writes._db, write),
    Replay: lambda writes, write: deliveries.replay(writes._db, writes._now, write),
    RetryNow: lambda writes, write: deliveries.retry_now(writes._db, write),
    EraseMessages: Writes.erase_messages,
    Purge: Writes.purge,
    RememberClock: Writes.remember_clock,
}
