"""What an error of SQLite means: a state of the disk, damage of the database, or a fault of a statement."""

import sqlite3

# Primary result codes (https://www.sqlite.org/rescode.html) whose cause is the disk or a lock, not the data.
_AWAY = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_NOLFS,
}
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT}
_UNDONE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}  # of those: nothing was committed
RESTORE = "'unifyport restore FILE' puts a backup in its place"
WHAT_TO_DO = f"'unifyport doctor --deep' lists the damage; {RESTORE}"


def _code(error: BaseException) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def is_damage(error: BaseException) -> bool:
    """Whether the database file is not what SQLite has written; a later try fails as well.

    Text that is no UTF-8 is an `OperationalError` of Python's own, which has no code of SQLite.
    """
    if isinstance(error, sqlite3.OperationalError) and _code(error) is None:
        return True
    return isinstance(error, sqlite3.Error) and _code(error) in _DAMAGE


def is_unavailable(error: BaseException) -> bool:
    """Whether the cause of an error is the disk, a lock or damage, and not the statement."""
    return isinstance(error, sqlite3.Error) and (_code(error) in _AWAY or is_damage(error))


def is_undone(error: BaseException) -> bool:
    """Whether a COMMIT that raised `error` has written nothing that could count: full disk, or locked."""
    return _code(error) in _UNDONE


def damaged(path: object, found: str) -> str:
    """The line for the operator."""
    return f"{path} is damaged ({found}): {WHAT_TO_DO}"
