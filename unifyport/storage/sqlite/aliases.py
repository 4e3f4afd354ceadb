"""Rows of conversations with several ids. See `unifyport/model/aliases.py`."""

import sqlite3
from collections.abc import Sequence

from unifyport.model.aliases import Alias, AliasChanges
from unifyport.model.inbound import Identity

_COLUMNS = "id, type, canonical, lane, identity_type, identity_id, learnt_at, previous"


def read(db: sqlite3.Connection, account_no: int, ids: Sequence[str]) -> dict[str, Alias]:
    """The rows of these ids; with no ids, any one row."""
    if not ids:
        rows = db.execute(f"select {_COLUMNS} from alias where account_no = ? limit 1", (account_no,))
    else:
        marks = ", ".join("?" * len(ids))
        rows = db.execute(
            f"select {_COLUMNS} from alias where account_no = ? and id in ({marks})", (account_no, *ids)
        )
    return {row[0]: _alias(row) for row in rows}


def _alias(row: sqlite3.Row | tuple[str, str, str, str, str | None, str | None, int, int]) -> Alias:
    id_, type_, canonical, lane, kind, shown, learnt_at, previous = row
    identity = None if kind is None or shown is None else Identity(kind, shown)
    return Alias(id_, canonical, lane, identity, learnt_at, type_, bool(previous))


def write(db: sqlite3.Connection, account_no: int, changes: AliasChanges) -> None:
    for canonical, row in changes.moved:
        db.execute(
            "update alias set canonical = ?, lane = ?, identity_type = ?, identity_id = ?"
            " where account_no = ? and canonical = ?",
            (row.canonical, row.lane, *_identity(row), account_no, canonical),
        )
    if changes.only is not None:
        canonical, user_id = changes.only
        db.execute(
            "delete from alias where account_no = ? and canonical = ? and type = 'user_id'"
            " and id not in (?, canonical)",
            (account_no, canonical, user_id),
        )
    db.executemany(
        f"insert into alias(account_no, {_COLUMNS}) values(?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " on conflict(account_no, id) do update set type = excluded.type,"
        " canonical = excluded.canonical, lane = excluded.lane, identity_type = excluded.identity_type,"
        " identity_id = excluded.identity_id,"
        " learnt_at = excluded.learnt_at, previous = excluded.previous",
        [
            (account_no, a.id, a.type, a.canonical, a.lane, *_identity(a), a.learnt_at, int(a.previous))
            for a in changes.put
        ],
    )


def _identity(row: Alias) -> tuple[str | None, str | None]:
    return (None, None) if row.identity is None else (row.identity.type, row.identity.id)
