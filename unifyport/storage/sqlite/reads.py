"""Queries: one function for each, which takes a read-only connection and returns plain values."""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from unifyport.model.account import Account, AuthStatus, Origin
from unifyport.model.event import name_of, without_secrets
from unifyport.model.json_text import UNREADABLE
from unifyport.model.message import CommandState
from unifyport.model.owed import Blocked, LaneKey, Owed, Stretch
from unifyport.model.proxy import Proxy
from unifyport.model.webhook import WebhookEndpoint
from unifyport.process.clock import Remembered
from unifyport.process.redaction import register_secrets

from ..contract import (
    ApiKey,
    AttemptRecord,
    CommandRecord,
    DeliveryRecord,
    LoggedEvent,
    QuarantineEntry,
    QuarantineRow,
    Workspace,
)
from ..sealing import KeyRing


def _rows(db: sqlite3.Connection, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(sql, values).fetchall()


# -- accounts, endpoints, keys, workspace -----------------------------------------------------------------


def to_account(row: sqlite3.Row, ring: KeyRing) -> Account:
    values = dict(row)
    values["auth_status"] = AuthStatus(values["auth_status"])
    values["origin"] = Origin(values["origin"])
    values["take_over"] = bool(values["take_over"])
    values["profile"] = json.loads(values["profile"])
    values["metadata"] = json.loads(values["metadata"])
    if values["capabilities"] is not None:
        values["capabilities"] = json.loads(values["capabilities"])
    plain = ring.open("credential", ["account", values["id"], "credentials"], values["credentials"])
    values["credentials"] = msgspec.json.decode(plain)
    sealed, values["auth_payload"] = values["auth_payload"], {}
    if sealed is not None:
        plain = ring.open("credential", ["account", values["id"], "auth_payload"], sealed)
        values["auth_payload"] = msgspec.json.decode(plain)
    if values["proxy"] is not None:
        plain = ring.open("credential", ["account", values["id"], "proxy"], values["proxy"])
        values["proxy"] = msgspec.json.decode(plain, type=Proxy)
    password = "" if values["proxy"] is None else values["proxy"].password
    register_secrets(values["id"], (*values["credentials"].values(), password))
    return Account(**values)


def accounts(db: sqlite3.Connection, ring: KeyRing) -> list[Account]:
    return [to_account(row, ring) for row in _rows(db, "select * from account order by no")]


def account(db: sqlite3.Connection, ring: KeyRing, account_id: str) -> Account | None:
    rows = _rows(db, "select * from account where id = ?", (account_id,))
    return to_account(rows[0], ring) if rows else None


def account_count(db: sqlite3.Connection) -> int:
    return int(db.execute("select count(*) from account").fetchone()[0])


def account_of(db: sqlite3.Connection, channel: str, provider_account_ref: str) -> str | None:
    row = db.execute(
        "select id from account where channel = ? and provider_account_ref = ?",
        (channel, provider_account_ref),
    ).fetchone()
    return None if row is None else str(row[0])


def account_deleted(db: sqlite3.Connection, account_id: str) -> bool:
    return db.execute("select 1 from deleted_account where id = ?", (account_id,)).fetchone() is not None


def to_endpoint(row: sqlite3.Row, ring: KeyRing) -> WebhookEndpoint:
    values = {name: row[name] for name in row.keys() if name not in _NOT_OF_AN_ENDPOINT}  # noqa: SIM118
    for name in ("secret", "previous_secret"):
        sealed, values[name] = row[name], ""
        if sealed is not None:
            values[name] = ring.open("credential", ["endpoint", row["id"], name], sealed).decode()
    register_secrets(row["id"], (values["secret"], values["previous_secret"]))
    values["delivery"] = json.loads(row["delivery"])
    values["origin"] = Origin(row["origin"])
    return WebhookEndpoint(
        **values,
        subscribed_events=json.loads(row["subscribed"]),
        retry_policy=json.loads(row["retry"]),
    )


_NOT_OF_AN_ENDPOINT = ("mask", "subscribed", "retry", "rounds", "replayed", "expired_at")


def endpoints(db: sqlite3.Connection, ring: KeyRing) -> list[WebhookEndpoint]:
    return [to_endpoint(row, ring) for row in _rows(db, "select * from endpoint order by no")]


def changed_endpoints(
    db: sqlite3.Connection,
    ring: KeyRing,
    known: Mapping[str, tuple[int, int]],
    among: Collection[str] | None = None,
) -> tuple[list[WebhookEndpoint], list[str]]:
    """See `Store`. A row costs more than a comparison, so only what has changed is read whole."""
    if among is not None:
        some = {id_: endpoint(db, ring, id_) for id_ in among}
        there = [row for row in some.values() if row is not None]
        changed_rows = [row for row in there if known.get(row.id) != (row.version, row.orders)]
        return changed_rows, [id_ for id_, row in some.items() if row is None and id_ in known]
    stored = {
        id_: (version, orders)
        for id_, version, orders in db.execute("select id, version, orders from endpoint")
    }
    changed = [id_ for id_, state in stored.items() if known.get(id_) != state]
    if len(changed) > _MANY and len(changed) > len(stored) // 2:
        rows = [row for row in endpoints(db, ring) if known.get(row.id) != (row.version, row.orders)]
    else:
        rows = [row for id_ in changed if (row := endpoint(db, ring, id_)) is not None]
    return rows, [id_ for id_ in known if id_ not in stored]


_MANY = 16


def endpoint(db: sqlite3.Connection, ring: KeyRing, endpoint_id: str) -> WebhookEndpoint | None:
    rows = _rows(db, "select * from endpoint where id = ?", (endpoint_id,))
    return to_endpoint(rows[0], ring) if rows else None


def api_keys(db: sqlite3.Connection) -> list[ApiKey]:
    return [ApiKey(**dict(row)) for row in _rows(db, "select * from api_key order by created_at, id")]


def api_key(db: sqlite3.Connection, hash_: bytes) -> ApiKey | None:
    rows = _rows(db, "select * from api_key where hash = ?", (hash_,))
    return ApiKey(**dict(rows[0])) if rows else None


def api_key_by_id(db: sqlite3.Connection, key_id: str) -> ApiKey | None:
    rows = _rows(db, "select * from api_key where id = ?", (key_id,))
    return ApiKey(**dict(rows[0])) if rows else None


def keys_version(db: sqlite3.Connection) -> int:
    row = db.execute("select value from meta where key = 'keys_version'").fetchone()
    return 0 if row is None else int.from_bytes(row[0], "big")


def workspace(db: sqlite3.Connection) -> Workspace:
    row = _rows(db, "select name, status, metadata from workspace")[0]
    return Workspace(row["name"], row["status"], json.loads(row["metadata"]))


# -- the account's own state --------------------------------------------------------------------------------


def session(db: sqlite3.Connection, ring: KeyRing, account_no: int) -> dict[tuple[str, bytes], bytes]:
    rows = db.execute("select name, key, sealed from session where account_no = ?", (account_no,))
    return {
        (name, key): ring.open("session", ["session", name, key], sealed, context=str(account_no))
        for name, key, sealed in rows
    }


def session_record(
    db: sqlite3.Connection, ring: KeyRing, account_no: int, *, name: str, key: bytes
) -> bytes | None:
    row = db.execute(
        "select sealed from session where account_no = ? and name = ? and key = ?", (account_no, name, key)
    ).fetchone()
    if row is None:
        return None
    return ring.open("session", ["session", name, key], row[0], context=str(account_no))


def session_page(
    db: sqlite3.Connection,
    ring: KeyRing,
    account_no: int,
    name: str,
    *,
    prefix: bytes,
    after: bytes | None,
    limit: int,
) -> list[tuple[bytes, bytes]]:
    """By key. Keys of one prefix are one range of the primary key."""
    beyond = after is not None and after >= prefix
    end = _end_of_prefix(prefix)
    rows = db.execute(
        "select key, sealed from session where account_no = ? and name = ?"
        f" and key {'>' if beyond else '>='} ? {'' if end is None else 'and key < ?'} order by key limit ?",
        (account_no, name, after if beyond else prefix, *(() if end is None else (end,)), limit),
    )
    return [
        (key, ring.open("session", ["session", name, key], sealed, context=str(account_no)))
        for key, sealed in rows
    ]


def _end_of_prefix(prefix: bytes) -> bytes | None:
    """The least key above all keys that begin with `prefix`; None: there is none."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


def seen(db: sqlite3.Connection, account_no: int, keys: Sequence[bytes]) -> set[bytes]:
    sql = "select 1 from seen where account_no = ? and key = ?"
    return {key for key in keys if db.execute(sql, (account_no, key)).fetchone() is not None}


def command_of_key(db: sqlite3.Connection, key: str) -> tuple[CommandRecord, bytes | None] | None:
    row = db.execute("select id, body_hash from command where key = ?", (key,)).fetchone()
    found = None if row is None else command(db, row[0])
    return None if found is None else (found, row[1])


def command(db: sqlite3.Connection, command_id: str) -> CommandRecord | None:
    row = db.execute(
        "select id, account_id, state, answer, created_at from command where id = ?", (command_id,)
    ).fetchone()
    if row is None:
        return None
    answer = None if row[3] is None else row[3].encode()
    return CommandRecord(row[0], row[1], CommandState(row[2]), answer, row[4])


def original(db: sqlite3.Connection, ring: KeyRing, event_id: str) -> bytes | None:
    row = db.execute("select sealed from original where event_id = ?", (event_id,)).fetchone()
    return None if row is None else ring.open("original", ["original", event_id], row[0])


def quarantine_entry(db: sqlite3.Connection, ring: KeyRing, n: int, ahead: int) -> QuarantineEntry | None:
    row = db.execute(f"{_QUARANTINED} where n = ?", (n,)).fetchone()
    return None if row is None else _to_entry(row, ring, ahead)


def quarantined(
    db: sqlite3.Connection, before: int | None, limit: int, account_no: int | None, ahead: int
) -> list[QuarantineRow]:
    rows = db.execute(
        "select n, account_no, at + ?4, reason, length(payload) from quarantine"
        " where (?1 is null or n < ?1) and (?2 is null or account_no = ?2) order by n desc limit ?3",
        (before, account_no, limit, ahead),
    )
    return [QuarantineRow(*row) for row in rows]


def quarantine(db: sqlite3.Connection, ring: KeyRing, limit: int, ahead: int) -> list[QuarantineEntry]:
    rows = db.execute(f"{_QUARANTINED} order by n desc limit ?", (limit,))
    return [_to_entry(row, ring, ahead) for row in rows]


_QUARANTINED = "select n, account_no, at, reason, key, payload from quarantine"


def _to_entry(row: Sequence[Any], ring: KeyRing, ahead: int) -> QuarantineEntry:
    n, account_no, at, reason, key, payload = row
    return QuarantineEntry(
        n, account_no, at + ahead, reason, ring.open("quarantine", ["quarantine", key], payload)
    )


# -- debts ---------------------------------------------------------------------------------------------------

_OWED = (
    "select d.seq, d.round, d.lane, d.attempts, d.due, e.id, e.expires_at, e.body, coalesce(e.account_no, 0)"
    " from delivery d join event e using(seq)"
    " where d.endpoint_no = ? and "
)


def owed_since(db: sqlite3.Connection, after: int, limit: int) -> Iterator[tuple[int, Owed]]:
    """Debts of round 0 for the events above a position: (endpoint number, debt), in order of position."""
    sql = (
        "select p.no, d.seq, d.round, d.lane, d.attempts, d.due, e.id, e.expires_at, e.body,"
        " coalesce(e.account_no, 0) from event e join endpoint p on (p.mask >> e.kind) & 1"
        " join delivery d on d.endpoint_no = p.no and d.seq = e.seq and d.round = 0"
        " where e.seq > ? and d.due is null order by e.seq limit ?"
    )
    return ((row[0], Owed(*row[1:])) for row in db.execute(sql, (after, limit)))


def fresh(db: sqlite3.Connection, endpoint_no: int, after: int, limit: int) -> list[Owed]:
    sql = _OWED + "d.due is null and d.round = 0 and d.seq > ? order by d.seq limit ?"
    return [Owed(*row) for row in db.execute(sql, (endpoint_no, after, limit))]


# `due` below this is the ordinal of a replayed debt that was never tried, above it a time in unix ms.
_FIRST_TIME = 10**12


def replays(db: sqlite3.Connection, endpoint_no: int, after: int, limit: int) -> list[Owed]:
    sql = (
        _OWED + "d.due is not null and d.due > ? and d.due < ? and d.round > 0 and d.attempts = 0"
        " order by d.due limit ?"
    )
    return [Owed(*row) for row in db.execute(sql, (endpoint_no, after, _FIRST_TIME, limit))]


def in_lane(db: sqlite3.Connection, endpoint_no: int, stretch: Stretch, limit: int) -> list[Owed]:
    sql = _OWED + "d.lane = ? and d.seq > ? and d.seq <= ? and d.round = ? order by d.seq limit ?"
    (round_, lane), after, upto = stretch
    return [Owed(*row) for row in db.execute(sql, (endpoint_no, lane, after, upto, round_, limit))]


def owed_one(db: sqlite3.Connection, endpoint_no: int, key: LaneKey) -> list[Owed]:
    round_, seq = key
    sql = _OWED + "d.seq = ? and d.round = ?"
    return [Owed(*row) for row in db.execute(sql, (endpoint_no, seq, round_))]


def ordered(db: sqlite3.Connection, endpoint_no: int, after: tuple[int, int], limit: int) -> list[Owed]:
    sql = _OWED.replace("delivery d", "delivery d indexed by delivery_manual")
    sql += "d.manual = 1 and (d.seq, d.round) > (?, ?) order by d.seq, d.round limit ?"
    return [Owed(*row) for row in db.execute(sql, (endpoint_no, *after, limit))]


def blocked(db: sqlite3.Connection, endpoint_no: int) -> list[Blocked]:
    sql = (
        "select d.lane, d.seq, d.due, coalesce(e.account_no, 0), d.round, d.attempts"
        " from delivery d join event e using(seq)"
        " where d.endpoint_no = ? and d.due is not null and (d.round = 0 or d.attempts > 0)"
    )
    return [Blocked(*row) for row in db.execute(sql, (endpoint_no,))]


def delivery_error(db: sqlite3.Connection, endpoint_no: int) -> str | None:
    sql = "select error from delivery where endpoint_no = ? and due is not null order by due desc limit 1"
    row = db.execute(sql, (endpoint_no,)).fetchone()
    return None if row is None else row[0]


def owed(db: sqlite3.Connection, endpoint_no: int, most: int) -> tuple[int, int]:
    pending, dead = (
        db.execute(
            f"select count(*) from (select 1 from {table} where endpoint_no = ? limit ?)", (endpoint_no, most)
        ).fetchone()[0]
        for table in ("delivery", "dead")
    )
    return pending, dead


# -- deliveries, as the API shows them -----------------------------------------------------------------------

_ATTEMPTS_SHOWN = 100
# Where deliveries of each status are stored, with the columns of `DeliveryRecord` from `seq` to `ended_at`.
_ENDED = (
    "select a.seq, a.round, a.outcome, e.id, e.kind, a.attempt, null, a.error, a.at"
    " from attempt a join event e using(seq)"
    " where a.endpoint_no = :no and a.outcome in ('delivered', 'expired')"
)
_REPLAYED = (  # the former round of a dead letter that was replayed: only its history is left
    "select a.seq, a.round, a.outcome, e.id, e.kind, a.attempt, null, a.error, a.at"
    " from attempt a join event e using(seq) where a.endpoint_no = :no and a.outcome = 'dead'"
)
_STANDING = (
    "select d.seq, d.round, iif(d.attempts, 'retrying', 'pending'), e.id, e.kind, d.attempts,"
    " iif(d.attempts, d.due, null), d.error, null"
    " from delivery d join event e using(seq)"
    " where d.endpoint_no = :no"
)
_DEAD = (
    "select d.seq, d.round, 'dead', d.event_id, d.kind, d.attempts, null, d.reason, d.died_at + :ahead"
    " from dead d where d.endpoint_no = :no"
)
_SOURCES: dict[str | None, tuple[tuple[str, str], ...]] = {
    None: (("a", _ENDED), ("d", _STANDING), ("d", _DEAD)),
    "pending": (("d", _STANDING + " and d.attempts = 0"),),
    "retrying": (("d", _STANDING + " and d.due is not null and d.attempts > 0"),),
    "dead": (("d", _DEAD),),
    "delivered": (("a", _ENDED + " and a.outcome = 'delivered'"),),
    "expired": (("a", _ENDED + " and a.outcome = 'expired'"),),
}
_NEWEST = (2**62, 0)


def deliveries(
    db: sqlite3.Connection,
    endpoint_no: int,
    before: tuple[int, int] | None,
    limit: int,
    *,
    status: str | None,
    event_id: str | None,
    ahead: int,
) -> list[DeliveryRecord]:
    """`ahead`: what a time of the steady clock lacks to be shown as a time of the wall clock, in ms."""
    seq, round_ = before if before is not None else _NEWEST
    values = {
        "no": endpoint_no,
        "seq": seq,
        "round": round_,
        "limit": limit,
        "event": event_id,
        "ahead": ahead,
    }
    found: list[DeliveryRecord] = []
    for table, source in _SOURCES[status]:
        if event_id is not None:
            source += " and d.event_id = :event" if source.startswith(_DEAD) else " and e.id = :event"
        sql = (
            f"{source} and ({table}.seq, {table}.round) < (:seq, :round)"
            f" order by {table}.seq desc, {table}.round desc limit :limit"
        )
        found += [_delivery(endpoint_no, row) for row in db.execute(sql, values)]
    found.sort(key=lambda record: (record.seq, record.round), reverse=True)
    page = found[:limit]
    for record in page:
        record.history = _history(db, record, 1)
    return page


def delivery(
    db: sqlite3.Connection, endpoint_no: int, seq: int, round_: int, *, ahead: int
) -> DeliveryRecord | None:
    values = {"no": endpoint_no, "seq": seq, "round": round_, "ahead": ahead}
    for table, source in (("d", _DEAD), ("d", _STANDING), ("a", _ENDED), ("a", _REPLAYED)):
        row = db.execute(f"{source} and {table}.seq = :seq and {table}.round = :round", values).fetchone()
        if row is not None:
            record = _delivery(endpoint_no, row)
            record.history = _history(db, record, _ATTEMPTS_SHOWN)
            return record
    return None


def _delivery(endpoint_no: int, row: Sequence[Any]) -> DeliveryRecord:
    seq, round_, status, event_id, kind, *rest = row
    return DeliveryRecord(endpoint_no, seq, round_, status, event_id, name_of(kind), *rest)


def _history(db: sqlite3.Connection, of: DeliveryRecord, limit: int) -> list[AttemptRecord]:
    sql = (
        "select attempt, outcome, at, ms, status, error, response, response_size from attempt"
        " where endpoint_no = ? and seq = ? and round = ? order by attempt desc limit ?"
    )
    return [AttemptRecord(*row) for row in db.execute(sql, (of.endpoint_no, of.seq, of.round, limit))]


# -- the event log -------------------------------------------------------------------------------------------


_EVENT = "select seq, id, kind, body, expires_at, account_no from event"


def events(
    db: sqlite3.Connection,
    after: int,
    limit: int,
    *,
    mask: int,
    account_no: int | None,
    has_passed: Callable[[int], bool],
) -> list[LoggedEvent]:
    sql, values = f"{_EVENT} where seq > ? and (? >> kind) & 1", [after, mask]
    if account_no is not None:
        sql, values = sql + " and account_no = ?", [*values, account_no]
    rows = db.execute(sql + " order by seq limit ?", [*values, limit])
    return [_logged(row, has_passed) for row in rows]


def event(db: sqlite3.Connection, event_id: str, has_passed: Callable[[int], bool]) -> LoggedEvent | None:
    row = db.execute(f"{_EVENT} where id = ?", (event_id,)).fetchone()
    return None if row is None else _logged(row, has_passed)


def _logged(row: Sequence[Any], has_passed: Callable[[int], bool]) -> LoggedEvent:
    """An expired event is shown without its secrets even before the purge removes them."""
    seq, id_, number, body, expires_at, account_no = row
    if expires_at is not None and has_passed(expires_at):
        body = without_secrets(body)
    return LoggedEvent(seq, id_, name_of(number), body, account_no)


def position_at(db: sqlite3.Connection, at: int) -> int:
    """By bisection: the log has no index over time, but its order is the order of time."""
    low, high = 0, newest_position(db)
    while low < high:
        middle = (low + high) // 2
        row = db.execute(
            "select seq, committed_at from event where seq > ? order by seq limit 1", (middle,)
        ).fetchone()
        if row is None or row[1] >= at:
            high = middle
        else:
            low = row[0]
    return low


_LOOK_BACK = 10_000  # the newest rows of an account that are searched for one conversation


def newest_in_lane(db: sqlite3.Connection, account_no: int, lane: int, kind: int) -> bytes | None:
    row = db.execute(
        "select body from (select seq, lane, kind, body from event where account_no = ?"
        " order by seq desc limit ?) where lane = ? and kind = ? order by seq desc limit 1",
        (account_no, _LOOK_BACK, lane, kind),
    ).fetchone()
    return row[0] if row is not None else None


def newest_position(db: sqlite3.Connection) -> int:
    row = db.execute("select seq from sqlite_sequence where name = 'event'").fetchone()
    return row[0] if row is not None else 0


def oldest_position(db: sqlite3.Connection) -> int:
    oldest = db.execute("select min(seq) from event").fetchone()[0]
    return newest_position(db) if oldest is None else int(oldest) - 1


def purged(db: sqlite3.Connection, position: int) -> bool:
    return position < oldest_position(db)


def newest_event_id(db: sqlite3.Connection) -> str | None:
    row = db.execute("select max(id) from event").fetchone()
    return row[0] if row is not None else None


def clock(db: sqlite3.Connection) -> Remembered | None:
    """What is remembered of the clock; None if there is nothing, or another version wrote it."""
    row = db.execute("select value from meta where key = 'clock'").fetchone()
    try:
        return None if row is None else msgspec.json.decode(row[0], type=Remembered)
    except UNREADABLE:
        return None


def lane_key(db: sqlite3.Connection) -> bytes:
    row = db.execute("select value from meta where key = 'lane_key'").fetchone()
    return bytes(row[0])
