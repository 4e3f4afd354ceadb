"""What became of messages: the newest edit of each, and whether it was deleted."""

import sqlite3
from collections.abc import Sequence

from unifyport.model.unit import Edit


def note_edit(db: sqlite3.Connection, account_no: int, edit: Edit, day: int) -> bool:
    """Record an edit; False if a newer one of the message is known."""
    noted = db.execute(
        "insert into message(account_no, key, edited_at, edit_number, day) values(?, ?, ?, ?, ?)"
        " on conflict(account_no, key) do update set edited_at = excluded.edited_at,"
        " edit_number = excluded.edit_number, day = excluded.day"
        " where message.edited_at is null"
        " or (message.edited_at, message.edit_number) <= (excluded.edited_at, excluded.edit_number)",
        (account_no, edit.message, edit.at, edit.number, day),
    )
    return noted.rowcount == 1


def erase(db: sqlite3.Connection, account_no: int, messages: Sequence[bytes], day: int) -> None:
    """Record that messages were deleted, and delete originals that show them."""
    db.executemany(
        "delete from original where account_no = ? and message = ?",
        [(account_no, message) for message in messages],
    )
    db.executemany(
        "insert into message(account_no, key, deleted, day) values(?, ?, 1, ?)"
        " on conflict(account_no, key) do update set deleted = 1, day = excluded.day",
        [(account_no, message, day) for message in messages],
    )


def is_erased(db: sqlite3.Connection, account_no: int, message: bytes) -> bool:
    sql = "select 1 from message where account_no = ? and key = ? and deleted = 1"
    return db.execute(sql, (account_no, message)).fetchone() is not None


def erased(db: sqlite3.Connection, account_id: str, keys: Sequence[bytes]) -> set[bytes]:
    """Those of these keys whose messages were deleted."""
    row = db.execute("select no from account where id = ?", (account_id,)).fetchone()
    return set() if row is None else {key for key in keys if is_erased(db, row[0], key)}
