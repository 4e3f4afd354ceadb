"""Seals every value anew with the newest master key, so that an older key can be retired.

It works in pages, beside a gateway that runs, and may be interrupted: a value is replaced only if it is still
the one that was read. The gateway must know the newest key already; `ring_newest` in `meta` says which key
the process seals with that has opened the database last.
"""

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from ..contract import StoreUnavailable
from ..sealing import KeyRing, SealError, key_id_of
from .copies import open_file

PAGE = 500
NEWEST = "ring_newest"
_Row = dict[str, Any]


@attrs.frozen
class _Column:
    """A sealed column: its key, and how the place and the context of a value follow from its row."""

    table: str
    key: tuple[str, ...]
    column: str
    purpose: str
    place: Callable[[_Row], Sequence[str | bytes]]
    context: Callable[[_Row], str] = lambda row: ""
    more: tuple[str, ...] = ()  # columns beside the key that the place needs


def _credential(table: str, column: str) -> _Column:
    return _Column(table, ("id",), column, "credential", lambda row: [table, row["id"], column])


def _of_account(row: _Row) -> str:
    return str(row["account_no"])


COLUMNS = (
    *(_credential("account", column) for column in ("credentials", "auth_payload", "proxy")),
    *(_credential("endpoint", column) for column in ("secret", "previous_secret")),
    _Column(
        "session",
        ("account_no", "name", "key"),
        "sealed",
        "session",
        lambda row: ["session", row["name"], row["key"]],
        _of_account,
    ),
    _Column("original", ("event_id",), "sealed", "original", lambda row: ["original", row["event_id"]]),
    _Column(
        "quarantine",
        ("n",),
        "payload",
        "quarantine",
        lambda row: ["quarantine", row["quarantine_key"]],
        more=("key as quarantine_key",),
    ),
    _Column("command", ("id",), "body", "command", lambda row: ["command", row["id"]]),
    _Column("alias", ("account_no", "id"), "sealed", "alias", lambda row: ["alias", row["id"]], _of_account),
)
_META = (("alias_key", "alias"), ("ring_check", "check"))  # the check is last


@attrs.define
class Resealed:
    """`left`: values by the id of the key that still seals them, none of which could be opened."""

    done: int = 0
    left: Counter[str] = attrs.field(factory=Counter)


def reseal(database: Path, ring: KeyRing) -> Resealed:
    """Reseal everything. Raises `StoreUnavailable`."""
    result = Resealed()
    try:
        with contextlib.closing(open_file(database, "rw")) as connection:
            connection.row_factory = sqlite3.Row
            for column in COLUMNS:
                for page in _pages(connection, column, ring):
                    _reseal_page(connection, column, page, ring, result)
            for name, purpose in _META:
                _reseal_meta(connection, name, purpose, ring, result)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"cannot reseal {database}: {error}") from None
    return result


def sealing_key(database: Path) -> bytes | None:
    """The id of the key with which the process seals that opened it last. Raises `sqlite3.Error`."""
    with contextlib.closing(open_file(database, "ro")) as connection:
        row = connection.execute("select value from meta where key = ?", [NEWEST]).fetchone()
    return None if row is None else bytes(row[0])


def note_sealing_key(connection: sqlite3.Connection, ring: KeyRing) -> None:
    """Say which key this process seals with."""
    connection.execute(
        "insert into meta(key, value) values (?, ?) on conflict(key) do update set value = excluded.value"
        " where value <> excluded.value",
        [NEWEST, ring.newest],
    )


def _pages(connection: sqlite3.Connection, column: _Column, ring: KeyRing) -> Iterator[list[_Row]]:
    """Rows that an older key seals, in the order of their key."""
    keys = ", ".join(column.key)
    fields = ", ".join((*column.key, *column.more, f"{column.column} as value"))
    after: tuple[Any, ...] | None = None
    while True:
        behind = "" if after is None else f"and ({keys}) > ({', '.join('?' * len(after))})"
        found = connection.execute(
            f"select {fields} from {column.table} where substr({column.column}, 2, 4) <> ?"
            f" {behind} order by {keys} limit {PAGE}",
            (ring.newest, *(after or ())),
        )
        rows = [dict(row) for row in found]
        if not rows:
            return
        yield rows
        after = tuple(rows[-1][name] for name in column.key)


def _reseal_page(
    connection: sqlite3.Connection, column: _Column, rows: list[_Row], ring: KeyRing, result: Resealed
) -> None:
    new = []
    for row in rows:
        old = bytes(row["value"])
        place, context = column.place(row), column.context(row)
        try:
            plain = ring.open(column.purpose, place, old, context=context)
        except SealError:
            result.left[key_id_of(old).hex()] += 1
            continue
        sealed = ring.seal(column.purpose, place, plain, context=context)
        new.append((sealed, *(row[name] for name in column.key), old))
    same = " and ".join(f"{name} = ?" for name in column.key)
    connection.execute("begin immediate")
    try:
        result.done += connection.executemany(
            f"update {column.table} set {column.column} = ? where {same} and {column.column} = ?",
            new,
        ).rowcount
    finally:
        connection.execute("commit")


def _reseal_meta(
    connection: sqlite3.Connection, name: str, purpose: str, ring: KeyRing, result: Resealed
) -> None:
    row = connection.execute("select value from meta where key = ?", [name]).fetchone()
    if row is None or key_id_of(bytes(row[0])) == ring.newest:
        return
    place = ["meta", name]
    try:
        sealed = ring.seal(purpose, place, ring.open(purpose, place, bytes(row[0])))
    except SealError:
        result.left[key_id_of(bytes(row[0])).hex()] += 1
        return
    connection.execute("update meta set value = ? where key = ?", [sealed, name])
    result.done += 1
