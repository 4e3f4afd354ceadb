"""`backup`, `restore` and `keys reseal`: the database as a whole, with or without a server that runs."""

import contextlib
import sqlite3
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click

from unifyport.config.settings import Settings
from unifyport.fleet.leases import DatabaseLock
from unifyport.process.clock import wall_clock_ms
from unifyport.storage.contract import SchemaTooNew, StoreLocked, StoreUnavailable
from unifyport.storage.sealing import SealError
from unifyport.storage.sqlite import copies, resealing
from unifyport.storage.sqlite.marker import Marker

from .common import config_option, console, fail, json_option, load_settings, print_json
from .keys import keys
from .terminal import escaped


def master_key_place(settings: Settings) -> str:
    """Where the file says that the master key is, for messages."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        text = "" if settings.path is None else settings.path.read_text("utf-8")
        match tomllib.loads(text)["security"]["master_key"]:
            case {"file": str() as name}:
                return str(settings.directory / name)
            case {"env": str() as name}:
                return f"the environment variable {name}"
    return f"security.master_key in {settings.path}"


@contextlib.contextmanager
def told(settings: Settings) -> Iterator[None]:
    """End the command with one line for every state of the disk and the key."""
    try:
        yield
    except SealError as error:
        fail(f"{error} (the key is in {master_key_place(settings)})")
    except FileExistsError as error:
        fail(f"{error} exists; nothing was written")
    except (SchemaTooNew, StoreLocked, StoreUnavailable) as error:
        fail(str(error))
    except sqlite3.Error as error:
        fail(f"{settings.database}: {error}")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config_option
@json_option
def backup(file: Path, config_path: Path, as_json: bool) -> None:
    """Write a verified copy of the database to FILE, also while the server runs.

    It holds neither the master key, without which it cannot be read, nor customers' files.
    """
    settings = load_settings(config_path)
    with told(settings):
        size = copies.back_up(settings.database, file, settings.key_ring)
    if as_json:
        print_json({"file": str(file), "bytes": size})
        return
    console.print(escaped(f"{file}: {size} bytes, verified"))
    console.print(escaped(f"keep the master key apart from it: {master_key_place(settings)}"))


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@config_option
@json_option
def restore(file: Path, config_path: Path, as_json: bool) -> None:
    """Put a copy of the backup FILE in the place of the database. The server must not run.

    What was there is kept beside it. What happened after the backup is not in it: platforms may send some
    messages again, and endpoints may get events again that they have had.
    """
    settings = load_settings(config_path)
    with told(settings):
        lock = DatabaseLock(settings.database)
        lock.acquire()
        try:
            kept = copies.restore(file, settings.database, settings.key_ring, wall_clock_ms())
        finally:
            lock.release()
    if as_json:
        print_json({"database": str(settings.database), "kept": None if kept is None else str(kept)})
        return
    console.print(escaped(f"{settings.database} is now a copy of {file}"))
    if kept is not None:
        console.print(escaped(f"what was there: {kept}"))


@keys.command("reseal")
@config_option
@json_option
def reseal(config_path: Path, as_json: bool) -> None:
    """Seal everything in the database with the newest master key, so that older ones can be retired.

    The newest key is the last line of the key's file; a server that runs must have been started with it.
    """
    settings = load_settings(config_path)
    ring, place = settings.key_ring, master_key_place(settings)
    with told(settings):
        if not Marker(settings.database).path.exists() or not settings.database.exists():
            fail(f"there is no database at {settings.database}")
        if _is_served(settings) and resealing.sealing_key(settings.database) != ring.newest:
            fail(f"the running server does not seal with the newest key of {place}: restart it first")
        done = resealing.reseal(settings.database, ring)
    if as_json:
        print_json({"resealed": done.done, "left": dict(done.left), "newest": ring.newest.hex()})
    else:
        console.print(escaped(f"{done.done} values are sealed anew, by key {ring.newest.hex()} of {place}"))
    if done.left:
        lost = ", ".join(f"{count} by key {key}" for key, count in done.left.items())
        fail(f"values that no key of {place} opens: {lost}")
    if not as_json:
        console.print(
            escaped(
                f"older keys seal nothing in the database any more. Links and reply tokens that they made"
                f" last for up to 90 days; then remove them from {place}"
            )
        )


def _is_served(settings: Settings) -> bool:
    lock = DatabaseLock(settings.database)
    try:
        lock.acquire()
    except StoreLocked:
        return True
    lock.release()
    return False
