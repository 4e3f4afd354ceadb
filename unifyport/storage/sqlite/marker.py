"""`<database>.id`: says that there was a database, and which one.

Without it a disk that was not mounted would look like a first start: the gateway would run with an empty
database, and platforms would be told that their webhooks are of deleted accounts. A database that was put in
the place of another has another id (`copies.py` gives each backup one), and is refused until `restore` has
taken it over.
"""

import os
import sqlite3
from pathlib import Path

from ..contract import StoreUnavailable

_KEY = "database_id"


class Marker:
    """The marker of the database at `path`. Every method raises `StoreUnavailable`."""

    def __init__(self, path: Path) -> None:
        self._database = path
        self.path = path.with_name(path.name + ".id")

    def read(self) -> str | None:
        try:
            return self.path.read_text("ascii").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise StoreUnavailable(f"cannot read {self.path}: {error}") from None

    def require_database(self) -> None:
        """Refuse a database that is missing or empty although there was one."""
        if self.read() is None:
            return
        try:
            size = self._database.stat().st_size
        except FileNotFoundError:
            size = None
        except OSError as error:
            raise StoreUnavailable(f"cannot open {self._database}: {error.strerror}") from None
        if not size:
            state = "missing" if size is None else "empty"
            raise StoreUnavailable(
                f"{self._database} is {state}, but {self.path} says that there was one: put it back, or use"
                f" 'unifyport restore FILE'; to begin with an empty database, delete {self.path}"
            )

    def agree(self, connection: sqlite3.Connection) -> None:
        """Make the marker and the open database agree, or refuse a database that is another one."""
        marked, known = self.read(), id_of(connection)
        if marked is not None and marked != known:
            raise StoreUnavailable(
                f"{self._database} is not the database that {self.path} names: if it is a backup, take it"
                f" over with 'unifyport restore FILE'; to use it as it is, delete {self.path}"
            )
        if marked is None:
            self.write(known if known is not None else give_id(connection))

    def write(self, id_: str) -> None:
        """The file is complete or not there, also after a crash."""
        part = self.path.with_name(self.path.name + ".part")
        try:
            with part.open("w", encoding="ascii") as file:
                file.write(id_ + "\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(self.path)
        except OSError as error:
            raise StoreUnavailable(f"cannot write {self.path}: {error.strerror}") from None


def id_of(connection: sqlite3.Connection) -> str | None:
    row = connection.execute("select value from meta where key = ?", [_KEY]).fetchone()
    return None if row is None else bytes(row[0]).hex()


def give_id(connection: sqlite3.Connection) -> str:
    """Give the database a new random id."""
    new = os.urandom(16)
    connection.execute(
        "insert into meta(key, value) values (?, ?) on conflict(key) do update set value = excluded.value",
        [_KEY, new],
    )
    return new.hex()
