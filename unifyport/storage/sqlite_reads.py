"""Queries: one function each, from a read-only connection to plain values."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from unifyport.model.account import Account, AuthStatus, Origin
from unifyport.model.event import name_of
from unifyport.model.message import CommandState
from unifyport.model.owed import Blocked, Owed
from unifyport.model.proxy import Proxy
from unifyport.model.webhook import WebhookEndpoint
from unifyport.redaction import register_secret

from .base import ApiKey, CommandRecord, LoggedEvent, QuarantineEntry, Workspace
from .sealing import KeyRing


def _rows(db: sqlite3.Connection, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
    cursor = db.cursor()
    cursor.row_factory = sqlite3.Row
    return cursor.execute(sql, values).fetchall()


# -- accounts, endpoints, keys, workspace -----------------------------------------------------------------


def to_account(row: sqlite3.Row, ring: KeyRing) -> Account:
    values = dict(row)
    values["auth_status"] = AuthStatus(values["auth_status"])
    values["origin"] = Origin(values["origin"])
    values["profile"] = json.loads(values["profile"])
    values["metadata"] = json.loads(values["metadata"])
    if values["capabilities"] is not None:
        values["capabilities"] = json.loads(values["capabilities"])
    plain = ring.open("credential", ["account", values["id"], "credentials"], values["credentials"])
    values["credentials"] = msgspec.json.decode(plain)
    for value in values["credentials"].values():
        register_secret(value)
    if values["proxy"] is not None:
        plain = ring.open("credential", ["account", values["id"], "proxy"], values["proxy"])
        values["proxy"] = msgspec.json.decode(plain, type=Proxy)
        register_secret(values["proxy"].password)
    return Account(**values)


def accounts(db: sqlite3.Connection, ring: KeyRing) -> list[Account]:
    return [to_account(row, ring) for row in _rows(db, "select * from account order by no")]


def account(db: sqlite3.Connection, ring: KeyRing, account_id: str) -> Account | None:
    rows = _rows(db, "select * from account where id = ?", (account_id,))
    return to_account(rows[0], ring) if rows else None


def account_count(db: sqlite3.Connection) -> int:
    return int(db.execute("select count(*) from account").fetchone()[0])


def account_deleted(db: sqlite3.Connection, account_id: str) -> bool:
    return db.execute("select 1 from deleted_account where id = ?", (account_id,)).fetchone() is not None


def to_endpoint(row: sqlite3.Row, ring: KeyRing) -> WebhookEndpoint:
    secret = ""
    if row["secret"] is not None:
        secret = ring.open("credential", ["endpoint", row["id"], "secret"], row["secret"]).decode()
        register_secret(secret)
    return WebhookEndpoint(
        id=row["id"],
        url=row["url"],
        no=row["no"],
        name=row["name"],
        status=row["status"],
        reason=row["reason"],
        subscribed_events=json.loads(row["subscribed"]),
        secret=secret,
        retry_policy=json.loads(row["retry"]),
        failing_since=row["failing_since"],
        expired=row["expired"],
        origin=Origin(row["origin"]),
        digest=row["digest"],
        version=row["version"],
    )


def endpoints(db: sqlite3.Connection, ring: KeyRing) -> list[WebhookEndpoint]:
    return [to_endpoint(row, ring) for row in _rows(db, "select * from endpoint order by no")]


def endpoint(db: sqlite3.Connection, ring: KeyRing, endpoint_id: str) -> WebhookEndpoint | None:
    rows = _rows(db, "select * from endpoint where id = ?", (endpoint_id,))
    return to_endpoint(rows[0], ring) if rows else None


def api_keys(db: sqlite3.Connection) -> list[ApiKey]:
    return [ApiKey(**dict(row)) for row in _rows(db, "select * from api_key order by created_at, id")]


def api_key(db: sqlite3.Connection, hash_: bytes) -> ApiKey | None:
    rows = _rows(db, "select * from api_key where hash = ?", (hash_,))
    return ApiKey(**dict(rows[0])) if rows else None


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


def seen(db: sqlite3.Connection, account_no: int, keys: Sequence[bytes]) -> set[bytes]:
    sql = "select 1 from seen where account_no = ? and key = ?"
    return {key for key in keys if db.execute(sql, (account_no, key)).fetchone() is not None}


def command(db: sqlite3.Connection, command_id: str) -> CommandRecord | None:
    row = db.execute(
        "select id, account_id, state, answer, created_at, finished_at from command where id = ?",
        (command_id,),
    ).fetchone()
    if row is None:
        return None
    answer = None if row[3] is None else row[3].encode()
    return CommandRecord(row[0], row[1], CommandState(row[2]), answer, row[4], row[5])


def quarantine(db: sqlite3.Connection, ring: KeyRing, limit: int) -> list[QuarantineEntry]:
    rows = db.execute(
        "select n, account_no, at, reason, key, payload from quarantine order by n desc limit ?", (limit,)
    )
    return [
        QuarantineEntry(n, account_no, at, reason, ring.open("quarantine", ["quarantine", key], payload))
        for n, account_no, at, reason, key, payload in rows
    ]


# -- what endpoints are owed ----------------------------------------------------------------------------------

_OWED = (
    "select d.seq, d.round, d.lane, d.attempts, d.due, e.id, e.expires_at, e.body, coalesce(e.account_no, 0)"
    " from delivery d join event e using(seq) where d.endpoint_no = ? and "
)


def fresh(db: sqlite3.Connection, endpoint_no: int, after: int, limit: int) -> list[Owed]:
    sql = _OWED + "d.due is null and d.round = 0 and d.seq > ? order by d.seq limit ?"
    return [Owed(*row) for row in db.execute(sql, (endpoint_no, after, limit))]


def due(db: sqlite3.Connection, endpoint_no: int, now: int, limit: int) -> list[Owed]:
    sql = _OWED + "d.due is not null and d.due <= ? order by d.due, d.seq limit ?"
    return [Owed(*row) for row in db.execute(sql, (endpoint_no, now, limit))]


def in_lane(
    db: sqlite3.Connection, endpoint_no: int, lane: int, after: int, upto: int, limit: int
) -> list[Owed]:
    sql = _OWED + "d.lane = ? and d.seq > ? and d.seq <= ? and d.round = 0 order by d.seq limit ?"
    return [Owed(*row) for row in db.execute(sql, (endpoint_no, lane, after, upto, limit))]


def blocked(db: sqlite3.Connection, endpoint_no: int) -> list[Blocked]:
    sql = (
        "select d.lane, d.seq, d.due, coalesce(e.account_no, 0) from delivery d join event e using(seq)"
        " where d.endpoint_no = ? and d.due is not null and d.round = 0"
    )
    return [Blocked(*row) for row in db.execute(sql, (endpoint_no,))]


def owed(db: sqlite3.Connection, endpoint_no: int) -> tuple[int, int]:
    pending = db.execute("select count(*) from delivery where endpoint_no = ?", (endpoint_no,)).fetchone()[0]
    dead = db.execute("select count(*) from dead where endpoint_no = ?", (endpoint_no,)).fetchone()[0]
    return pending, dead


# -- the event log ----------------------------------------------------------------------------------------------


def events(
    db: sqlite3.Connection, after: int, limit: int, kind: int | None, account_no: int | None
) -> list[LoggedEvent]:
    sql, values = "select seq, id, kind, body from event where seq > ?", [after]
    if kind is not None:
        sql, values = sql + " and kind = ?", [*values, kind]
    if account_no is not None:
        sql, values = sql + " and account_no = ?", [*values, account_no]
    rows = db.execute(sql + " order by seq limit ?", [*values, limit])
    return [LoggedEvent(seq, id_, name_of(number), body) for seq, id_, number, body in rows]


_LOOK_BACK = 10_000  # rows of an account that are looked through for one conversation


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


def purged(db: sqlite3.Connection, position: int) -> bool:
    oldest = db.execute("select min(seq) from event").fetchone()[0]
    return position < (newest_position(db) if oldest is None else oldest - 1)


def newest_event_id(db: sqlite3.Connection) -> str | None:
    row = db.execute("select max(id) from event").fetchone()
    return row[0] if row is not None else None


def lane_key(db: sqlite3.Connection) -> bytes:
    row = db.execute("select value from meta where key = 'lane_key'").fetchone()
    return bytes(row[0])
