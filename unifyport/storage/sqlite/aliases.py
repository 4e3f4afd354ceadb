"""Rows of conversations with several ids, sealed. See `unifyport/model/aliases.py`.

The ids are telephone numbers and other personal data. A row is found by a hash of its id (HMAC-SHA256 with a
key of the database's own, which is sealed) and holds the ids sealed. With the file, but without the master
key, telephone numbers cannot be tried against it. Each account has hashes of its own.
"""

import hmac
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from unifyport.model.aliases import Alias, AliasChanges
from unifyport.model.inbound import Identity

from ..sealing import KeyRing, SealError

log = logging.getLogger("unifyport.storage")

_KEY, _KEY_BYTES, _HASH_BYTES = "alias_key", 32, 16
_COLUMNS = "id, type, learnt_at, previous, used_at, sealed"
_ID, _TYPE, _LEARNT_AT, _PREVIOUS, _USED_AT, _SEALED = range(6)
_Row = Sequence[bytes | str | int]
_Ids = tuple[str, str, str, str | None, str | None]  # id, canonical id, lane, type and id of the identity


class SealedAliases:
    """Reads and writes the rows of one database. The connections are those of the caller's thread."""

    def __init__(self, ring: KeyRing, key: bytes) -> None:
        self._ring, self._key = ring, key

    def read(self, db: sqlite3.Connection, account_no: int, ids: Sequence[str]) -> dict[str, Alias]:
        """The rows of these ids; with no ids, any one row. One that does not open is as good as not there."""
        marks = ", ".join("?" * len(ids))
        which = f"and id in ({marks})" if ids else "limit 1"
        rows = db.execute(
            f"select {_COLUMNS} from alias where account_no = ? {which}",
            (account_no, *(self._hash(account_no, id_) for id_ in ids)),
        )
        return {alias.id: alias for alias in self._open_all(account_no, rows)}

    def write(self, db: sqlite3.Connection, account_no: int, changes: AliasChanges) -> None:
        for canonical, target in changes.moved:
            rows = self._of_conversation(db, account_no, canonical)
            self._put(db, account_no, [row.led_to(target) for row in rows])
        if changes.only is not None:
            canonical, user_id = changes.only
            kept = (self._hash(account_no, user_id), self._hash(account_no, canonical))
            db.execute(
                "delete from alias where account_no = ? and canonical = ? and type = 'user_id'"
                " and id not in (?, ?)",
                (account_no, kept[1], *kept),
            )
        if changes.used is not None:
            canonical, at = changes.used
            db.execute(
                "update alias set used_at = ? where account_no = ? and canonical = ?",
                (at, account_no, self._hash(account_no, canonical)),
            )
        self._put(db, account_no, changes.put)

    def _of_conversation(self, db: sqlite3.Connection, account_no: int, canonical: str) -> list[Alias]:
        rows = db.execute(
            f"select {_COLUMNS} from alias where account_no = ? and canonical = ?",
            (account_no, self._hash(account_no, canonical)),
        )
        return list(self._open_all(account_no, rows.fetchall()))

    def _put(self, db: sqlite3.Connection, account_no: int, rows: Iterable[Alias]) -> None:
        db.executemany(
            "insert into alias(account_no, canonical, id, type, learnt_at, previous, used_at, sealed)"
            " values(?, ?, ?, ?, ?, ?, ?, ?)"
            " on conflict(account_no, id) do update set canonical = excluded.canonical,"
            " type = excluded.type, learnt_at = excluded.learnt_at, previous = excluded.previous,"
            " used_at = excluded.used_at, sealed = excluded.sealed",
            [
                (account_no, self._hash(account_no, row.canonical), *self._seal(account_no, row))
                for row in rows
            ],
        )

    def _hash(self, account_no: int, id_: str) -> bytes:
        return hmac.digest(self._key, account_no.to_bytes(8) + id_.encode(), "sha256")[:_HASH_BYTES]

    def _seal(self, account_no: int, row: Alias) -> _Row:
        name = self._hash(account_no, row.id)
        identity = (None, None) if row.identity is None else (row.identity.type, row.identity.id)
        ids = msgspec.json.encode((row.id, row.canonical, row.lane, *identity))
        sealed = self._ring.seal("alias", ["alias", name], ids, context=str(account_no))
        return name, row.type, row.learnt_at, int(row.previous), row.used_at, sealed

    def _open_all(self, account_no: int, rows: Iterable[_Row]) -> Iterator[Alias]:
        for row in rows:
            try:
                yield self._open(account_no, row)
            except SealError as error:  # damaged: it must not stop the events of the account
                log.error("account number %d: an id of a conversation cannot be read: %s", account_no, error)

    def _open(self, account_no: int, row: _Row) -> Alias:
        place = ["alias", bytes(row[_ID])]  # type: ignore[arg-type]
        plain = self._ring.open("alias", place, row[_SEALED], context=str(account_no))  # type: ignore[arg-type]
        id_, canonical, lane, kind, shown = msgspec.json.decode(plain, type=_Ids)
        identity = None if kind is None or shown is None else Identity(kind, shown)
        return Alias(
            id_,
            canonical,
            lane,
            identity,
            learnt_at=int(row[_LEARNT_AT]),
            type=str(row[_TYPE]),
            previous=bool(row[_PREVIOUS]),
            used_at=int(row[_USED_AT]),
        )


def open_aliases(db: sqlite3.Connection, ring: KeyRing, now: int) -> SealedAliases:
    """The rows of a database. Makes its key at first; seals the rows of an older schema.

    All of this is one transaction, also if several processes open the database. What was not sealed is
    overwritten in the file, and the write-ahead log emptied of it. Raises `SealError`.
    """
    if _has_plain_rows(db):
        db.execute("pragma secure_delete = on")
    db.execute("begin immediate")
    try:
        rows = SealedAliases(ring, _read_key(db, ring))
        sealed = _has_plain_rows(db)
        if sealed:
            _seal_plain(db, rows, now)
        db.execute("commit")
    except BaseException:
        db.execute("rollback")
        raise
    if sealed:
        db.execute("pragma wal_checkpoint(truncate)")
        db.execute("pragma secure_delete = off")
    return rows


def _read_key(db: sqlite3.Connection, ring: KeyRing) -> bytes:
    row = db.execute("select value from meta where key = ?", (_KEY,)).fetchone()
    if row is not None:
        return ring.open("alias", ["meta", _KEY], row[0])
    key = os.urandom(_KEY_BYTES)
    db.execute("insert into meta(key, value) values (?, ?)", (_KEY, ring.seal("alias", ["meta", _KEY], key)))
    return key


def _has_plain_rows(db: sqlite3.Connection) -> bool:
    return db.execute("select 1 from sqlite_master where name = 'plain_alias'").fetchone() is not None


def _seal_plain(db: sqlite3.Connection, sealed: SealedAliases, now: int) -> None:
    rows = db.execute(
        "select account_no, id, canonical, lane, identity_type, identity_id, learnt_at, type, previous"
        " from plain_alias"
    )
    for account_no, id_, canonical, lane, kind, shown, learnt_at, type_, previous in rows:
        identity = None if kind is None or shown is None else Identity(kind, shown)
        row = Alias(id_, canonical, lane, identity, learnt_at, type_, bool(previous), now)
        sealed.write(db, account_no, AliasChanges([row]))
    db.execute("drop table plain_alias")
